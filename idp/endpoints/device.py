"""The device authorization endpoint (RFC 8628 section 3.1)."""

from __future__ import annotations

from urllib.parse import urlencode

from idp.directory.clients import Client
from idp.endpoints.clients import authenticated_client, check_fits, check_may_use, form
from idp.endpoints.messages import NO_STORE, Request, Response, json_response
from idp.grants import device_code
from idp.grants.decoupled import INTERVAL
from idp.oidc.authorization_request import DECOUPLED_PARAMETERS
from idp.oidc.parameters import Parameters
from idp.provider import Provider
from idp.situation import read_decoupled

BESIDE = "-" * 100  # what an attempt keeps besides, at most


def device_authorization(provider: Provider, request: Request) -> Response:
    """Judged now, and again when a person has the code in front of them."""
    sent = form(request)
    client = authenticated_client(provider, request, sent)
    check_may_use(client, device_code.GRANT_TYPE)
    asked, now = _asked(client, sent), provider.clock()
    read_decoupled(provider, Parameters(asked, frozenset()), now)
    lifetime = provider.settings.device_code_lifetime
    with provider.database.transaction(durable=False) as db:
        codes = device_code.begin(
            db, provider.secret_keys, client, asked, lifetime, now, request.origin
        )
    page = f"{provider.settings.issuer}/device"
    answer = {
        **codes._asdict(),
        "verification_uri": page,
        "verification_uri_complete": f"{page}?{urlencode({'user_code': codes.user_code})}",
        "expires_in": lifetime,
        "interval": INTERVAL,
    }
    return json_response(answer, headers=NO_STORE)


def _asked(client: Client, sent: Parameters) -> dict[str, str]:
    """Without a scope, all that the client is registered for."""
    asked = {name: sent.values[name] for name in DECOUPLED_PARAMETERS if name in sent.values}
    asked = {"scope": client.scope, **asked, "client_id": client.client_id}
    check_fits(asked, BESIDE)
    return asked
