"""The token endpoint (RFC 6749 section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from idp import targets
from idp.directory.catalog import Catalog
from idp.directory.clients import Client
from idp.directory.details_types import UnfitDetails
from idp.endpoints.clients import authenticated_client, check_may_use, form
from idp.endpoints.messages import NO_STORE, Request, Response, json_response
from idp.endpoints.token_exchange import exchange
from idp.errors import OAuthRefusal
from idp.grants import (
    authorization_code,
    client_credentials,
    decoupled,
    refresh_token,
    target,
    token_response,
)
from idp.grants.redemption import Redemption
from idp.grants.target import Target, Wanted
from idp.oidc import authorization_details, resource_indicators
from idp.oidc.client_metadata import CIBA, DEVICE_CODE, TOKEN_EXCHANGE
from idp.oidc.confirmation import Confirmation
from idp.oidc.encrypted_responses import ID_TOKEN, check_readable
from idp.oidc.parameters import Parameters
from idp.oidc.resource_indicators import UnknownTarget
from idp.possession import bound_to, verified_proof
from idp.provider import Provider
from idp.targets import Judge, judged, opened

WITHOUT_ID_TOKEN = ("client_credentials", TOKEN_EXCHANGE)
POLLED_WITH = {DEVICE_CODE: "device_code", CIBA: "auth_req_id"}
NEVER_CACHED = (*NO_STORE, ("Pragma", "no-cache"))


def token(provider: Provider, request: Request) -> Response:
    """Authenticate the client, then let its grant type's rule spend what it brought. A proof of
    possession is judged first, so that one without a nonce costs nothing that is good once."""
    sent = form(request)
    proof = verified_proof(provider, request)
    client = authenticated_client(provider, request, sent)
    grant_type = sent.get("grant_type")
    if grant_type is None:
        raise OAuthRefusal("invalid_request", "grant_type is missing.")
    redeem = GRANTS.get(grant_type)
    if redeem is None:
        raise OAuthRefusal("unsupported_grant_type", "grant_type is not supported.")
    check_may_use(client, grant_type)
    if grant_type not in WITHOUT_ID_TOKEN:
        check_readable(client, provider.client_keys, ID_TOKEN, provider.clock())
    holder = bound_to(provider, request, client, proof)
    return json_response(redeem(provider, request, client, sent, holder), headers=NEVER_CACHED)


def _authorization_code(
    provider: Provider, request: Request, client: Client, sent: Parameters, holder: Confirmation
) -> dict[str, Any]:
    by = _redemption(provider, request, client, sent, holder, opened)
    aimed, refresh = authorization_code.redeem(
        by, _required(sent, "code"), sent.get("redirect_uri"), sent.get("code_verifier")
    )
    return _tokens(provider, by, aimed, aimed.state.scope.split(), refresh, aimed.state.nonce)


def _refresh_token(
    provider: Provider, request: Request, client: Client, sent: Parameters, holder: Confirmation
) -> dict[str, Any]:
    by = _redemption(provider, request, client, sent, holder, judged)
    claimed_scope = sent.words("scope")
    aimed, refresh = refresh_token.refresh(by, _required(sent, "refresh_token"), claimed_scope)
    scope = claimed_scope or aimed.state.scope.split()
    return _tokens(provider, by, aimed, scope, refresh, None)


def _decoupled(
    provider: Provider, request: Request, client: Client, sent: Parameters, holder: Confirmation
) -> dict[str, Any]:
    by = _redemption(provider, request, client, sent, holder, judged)
    grant_type = sent.values["grant_type"]
    handle = _required(sent, POLLED_WITH[grant_type])
    aimed, refresh = decoupled.redeem(by, grant_type, handle)
    return _tokens(provider, by, aimed, aimed.state.scope.split(), refresh, aimed.state.nonce)


def _redemption(
    provider: Provider,
    request: Request,
    client: Client,
    sent: Parameters,
    holder: Confirmation,
    judge: Judge,
) -> Redemption:
    now = provider.clock()
    catalog = provider.catalog.current(now)
    return Redemption(
        provider.database,
        provider.secret_keys,
        provider.settings,
        client,
        catalog.product_of(client),
        catalog.providers,
        targets.aim(provider, client, _wanted(sent, client, catalog), judge, now),
        holder,
        now,
        request.origin,
    )


def _tokens(
    provider: Provider,
    by: Redemption,
    aimed: Target,
    scope: Iterable[str],
    refresh: str | None,
    nonce: str | None,
) -> dict[str, Any]:
    return token_response.for_grant(
        *(aimed, by.client, by.product, scope, by.holder, refresh, nonce),
        provider.client_keys,
        provider.key_ring.current(by.now),
        provider.secret_keys,
        provider.settings,
        by.now,
    )


def _client_credentials(
    provider: Provider, request: Request, client: Client, sent: Parameters, holder: Confirmation
) -> dict[str, Any]:
    now = provider.clock()
    catalog = provider.catalog.current(now)
    target.check_without_details(sent)
    products = _wanted(sent, client, catalog).products
    return token_response.for_machine(
        client,
        target.one_of(products) if products else catalog.product_of(client),
        catalog.machine_tenants.get(client.tenant_id or ""),
        client_credentials.granted_scope(client, sent.words("scope")),
        holder,
        provider.key_ring.current(now),
        provider.secret_keys,
        provider.settings,
        now,
    )


def _wanted(sent: Parameters, client: Client, catalog: Catalog) -> Wanted:
    """Raises invalid_target, or invalid_authorization_details."""
    try:
        products = resource_indicators.named(sent, client, catalog)
        return Wanted(products, authorization_details.read(sent))
    except UnknownTarget as problem:
        detail = f"resource {problem}"
        raise target.invalid("The client may have no token for that resource.", detail) from problem
    except UnfitDetails as problem:
        raise OAuthRefusal(authorization_details.CODE, str(problem)) from problem


def _required(sent: Parameters, name: str) -> str:
    value = sent.get(name)
    if value is None:
        raise OAuthRefusal("invalid_request", f"{name} is missing.")
    return value


GRANTS: dict[
    str, Callable[[Provider, Request, Client, Parameters, Confirmation], dict[str, Any]]
] = {
    "authorization_code": _authorization_code,
    "refresh_token": _refresh_token,
    "client_credentials": _client_credentials,
    TOKEN_EXCHANGE: exchange,
    DEVICE_CODE: _decoupled,
    CIBA: _decoupled,
}
