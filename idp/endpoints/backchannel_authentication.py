"""The backchannel authentication endpoint (CIBA Core section 7), in poll mode."""

from __future__ import annotations

from idp import used_once
from idp.database import Connection
from idp.directory import users
from idp.endpoints.clients import authenticated_client, check_fits, check_may_use, form
from idp.endpoints.messages import NO_STORE, Request, Response, json_response
from idp.errors import OAuthRefusal
from idp.grants import ciba
from idp.grants.decoupled import INTERVAL
from idp.login.steps import Entry
from idp.oidc import backchannel_authentication as backchannel
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.backchannel_authentication import Asked
from idp.provider import Provider
from idp.secret_values import new_id
from idp.situation import opening_for, read_decoupled

BESIDE = "-" * 120  # what an attempt keeps besides, at most


def backchannel_authentication(provider: Provider, request: Request) -> Response:
    """Judged now, and again when the person decides."""
    sent = form(request)
    client = authenticated_client(provider, request, sent)
    check_may_use(client, ciba.GRANT_TYPE)
    now, settings = provider.clock(), provider.settings
    asked = backchannel.read(sent, client, provider.client_keys, settings.issuer, now)
    check_fits(asked.kept, BESIDE)
    parsed = read_decoupled(provider, asked.parameters, now)
    lifetime = backchannel.lifetime_of(asked.parameters, settings.backchannel_request_lifetime)
    with provider.database.transaction() as db:
        _spend_signature(db, asked)
        ciba.take_hint(db, client, now)
        user_id, entries = _person(provider, db, asked, parsed, now)
        if not entries:
            raise ciba.unknown(db, client, now, request.origin)
        tenant_id = entries[0].standing.tenant_id if len(entries) == 1 else None
        auth_req_id = ciba.begin(
            db, client, user_id, tenant_id, asked.kept, lifetime, now, request.origin
        )
    answer = {"auth_req_id": auth_req_id, "expires_in": lifetime, "interval": INTERVAL}
    return json_response(answer, headers=NO_STORE)


def _spend_signature(db: Connection, asked: Asked) -> None:
    if asked.signed_as and not used_once.spend(
        db, asked.signed_as, asked.signed_until, asked.signed_at
    ):
        raise OAuthRefusal("invalid_request", "The signed request was used before.")


def _person(
    provider: Provider, db: Connection, asked: Asked, parsed: AuthorizationRequest, now: float
) -> tuple[str, list[Entry]]:
    """Whom the hint means, and what the product opens in for them. The same is read for those whom
    nobody knows."""
    address = asked.parameters.get("login_hint")
    if address is None:
        found = users.find_person(db, parsed.hinted_subject or "")
    else:
        found = users.find_by_email(db, users.canonical_email(address) or "")
    entries = opening_for(provider, db, parsed, found.id if found else new_id(), now)
    if found is None or parsed.hinted_subject not in (None, found.id):
        return "", []
    return found.id, entries
