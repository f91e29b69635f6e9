"""Token introspection (RFC 7662), for the product that the token is meant for."""

from __future__ import annotations

from typing import Any

from idp.access_tokens import Bearer, find_by_claims, find_machine, read_access_token
from idp.directory.catalog import Catalog, ProductView
from idp.directory.clients import Client
from idp.endpoints.clients import confidential_client, form
from idp.endpoints.messages import NO_STORE, Request, Response, json_response
from idp.errors import OAuthRefusal
from idp.grants import claims, grant, grant_state, refresh_token
from idp.grants.grant_state import DETAILS
from idp.oidc import encrypted_responses
from idp.oidc.authorization_details import may_have
from idp.oidc.confirmation import token_type
from idp.oidc.encrypted_responses import encrypted
from idp.provider import Provider
from idp.secret_values import fingerprint
from idp.tokens.signed_tokens import INTROSPECTION, BadToken, mint
from idp.tokens.subjects import subject_of

INACTIVE = {"active": False}
MEDIA_TYPE = f"application/{INTROSPECTION}"


def introspect(provider: Provider, request: Request) -> Response:
    """Anything but a live token for the caller's product is `active: false`, and no more."""
    sent = form(request)
    client = confidential_client(provider, request, sent)
    token = sent.get("token")
    if token is None:
        raise OAuthRefusal("invalid_request", "token is missing.")
    catalog = provider.catalog.current(provider.clock())
    product = catalog.product_of(client)
    described = _refresh_token(provider, client, product, token) or _for_caller(
        catalog, client, _access_token(provider, product, token)
    )
    if _asks_for_jwt(request):
        return _signed(provider, client, described or INACTIVE)
    return json_response(described or INACTIVE)


def _asks_for_jwt(request: Request) -> bool:
    """RFC 9701 section 4."""
    accepted = request.header("accept").lower()
    return MEDIA_TYPE in accepted and any(
        each.partition(";")[0].strip() == MEDIA_TYPE for each in accepted.split(",")
    )


def _signed(provider: Provider, client: Client, described: dict[str, Any]) -> Response:
    """RFC 9701 section 5: what is said of the token stands one level below what is said of this
    answer, which is for its caller alone and no token itself."""
    now = provider.clock()
    key = provider.key_ring.current(now).signer(client.introspection_signed_response_alg, now)
    claimed = {"iss": provider.settings.issuer, "aud": client.client_id, "iat": int(now)}
    token = mint(key, INTROSPECTION, {**claimed, "token_introspection": described})
    keys = provider.client_keys
    body = encrypted(client, keys, encrypted_responses.INTROSPECTION, token, now)
    return Response(200, (("Content-Type", MEDIA_TYPE), *NO_STORE), body.encode())


def _for_caller(
    catalog: Catalog, client: Client, described: dict[str, Any] | None
) -> dict[str, Any] | None:
    """A client that belongs to a tenant learns of no other tenant's tokens (security.md S25), and
    one that registered itself, which nobody made an API of the product, of its own alone."""
    if described is None or client.tenant_id not in (None, described.get("tenant_id")):
        return None
    if client.client_id in catalog.self_registered and described["client_id"] != client.client_id:
        return None
    return described


def _access_token(provider: Provider, product: ProductView, token: str) -> dict[str, Any] | None:
    now = provider.clock()
    try:
        claimed = read_access_token(provider, token, now)
    except BadToken:
        return None
    describe = _persons_token if "grant_id" in claimed else _machine_token
    return describe(provider, product, claimed, now)


def _persons_token(
    provider: Provider, product: ProductView, claimed: dict[str, Any], now: float
) -> dict[str, Any] | None:
    found = find_by_claims(provider, claimed, now)
    if found is None or found.product.key != product.key:
        return None
    return {
        **claimed,
        **claims.standing(found.state, found.client, product, found.bound),
        **_details(found),
        "sub": subject_of(provider.secret_keys, found.client, found.state.user_id),
        "scope": " ".join(found.scope),
        "active": True,
        "token_type": token_type(claimed),
    }


def _details(found: Bearer) -> dict[str, Any]:
    """What the person allowed one by one, of what the client may still have (RFC 9396)."""
    if DETAILS not in found.claims:
        return {}
    return {DETAILS: may_have(found.claims[DETAILS], found.client, found.product)}


def _machine_token(
    provider: Provider, product: ProductView, claimed: dict[str, Any], now: float
) -> dict[str, Any] | None:
    found = find_machine(provider, claimed, now)
    if found is None or found.product.key != product.key:
        return None
    return {
        **claimed,
        "scope": " ".join(found.scope),
        "permissions": found.permissions,
        "active": True,
        "token_type": token_type(claimed),
    }


def _refresh_token(
    provider: Provider, client: Client, product: ProductView, token: str
) -> dict[str, Any] | None:
    claimed = refresh_token.read_token(provider.secret_keys, token)
    if claimed is None:
        return None
    now = provider.clock()
    providers = provider.catalog.current(now).providers
    with provider.database.connection(durable=False) as db:
        state = grant_state.find_by_refresh(db, fingerprint(claimed.handle), client, now)
    if state is None or state.client_id != client.client_id:
        return None
    if state.generation != claimed.generation or grant.why_dead(
        state, client, product, providers, provider.settings, now
    ):
        return None
    if (state.idle_expires_at or 0.0) <= now:
        return None
    return {
        "active": True,
        "client_id": state.client_id,
        "sub": subject_of(provider.secret_keys, client, state.user_id),
        "scope": state.scope,
        "exp": int(min(state.expires_at, state.idle_expires_at or 0.0)),
        "iss": provider.settings.issuer,
        "token_type": "refresh_token",
    }
