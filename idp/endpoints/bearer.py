"""Bearer tokens of ours, at endpoints of ours: verified, and alive in the database."""

from __future__ import annotations

from typing import Any, NamedTuple

from idp.directory.catalog import ProductView
from idp.directory.clients import Client
from idp.endpoints.messages import Request
from idp.errors import BearerRefusal
from idp.grants import claims, grant
from idp.grants.grant import GrantState
from idp.oidc import parameters
from idp.oidc.parameters import Malformed
from idp.provider import Provider
from idp.tokens.signed_tokens import ACCESS_TOKEN, BadToken


class Bearer(NamedTuple):
    """A live access token of a person: its claims, grant, client and product."""

    claims: dict[str, Any]
    state: GrantState
    client: Client
    product: ProductView

    @property
    def audience(self) -> list[str]:
        """As a list, since one name may be the beginning of another."""
        claimed: str | list[str] = self.claims["aud"]
        return [claimed] if isinstance(claimed, str) else claimed

    @property
    def scope(self) -> list[str]:
        return str(self.claims["scope"]).split()


def claimed_token(request: Request) -> str:
    """From the Authorization header or a form body, one of them (RFC 6750 section 2)."""
    scheme, _, token = request.header("authorization").partition(" ")
    in_body = _body_token(request)
    if scheme and scheme.lower() != "bearer":
        raise BearerRefusal("invalid_token", "A bearer token is needed.")
    if token and in_body:
        raise BearerRefusal("invalid_request", "The token was sent twice.", status=400)
    return token.strip() or in_body


def _body_token(request: Request) -> str:
    if not request.is_form:
        return ""
    try:
        sent = parameters.parse(request.body.decode())
    except (Malformed, UnicodeDecodeError) as problem:
        raise BearerRefusal(
            "invalid_request", "The form can't be read.", str(problem), status=400
        ) from problem
    return sent.get("access_token") or ""


def person_bearer(provider: Provider, request: Request) -> Bearer:
    """The one who calls by a person's access token that is good at our own endpoints."""
    token = claimed_token(request)
    if not token:
        raise BearerRefusal("", "A bearer token is needed.")
    found = find_access_token(provider, token)
    if found is None:
        raise BearerRefusal("invalid_token", "The access token is not valid.")
    if claims.userinfo_endpoint(provider.settings) not in found.audience:
        raise BearerRefusal("insufficient_scope", "The token needs the scope openid.", status=403)
    return found


def find_access_token(provider: Provider, token: str) -> Bearer | None:
    """None unless it is a person's access token of ours whose grant still counts: one statement."""
    now = provider.clock()
    try:
        claimed = read_access_token(provider, token, now)
    except BadToken:
        return None
    return find_by_claims(provider, claimed, now)


def find_by_claims(provider: Provider, claimed: dict[str, Any], now: float) -> Bearer | None:
    """The same for a token whose claims were read already."""
    catalog = provider.catalog.current(now)
    client = catalog.clients.get(claimed["client_id"])
    if client is None or "grant_id" not in claimed:
        return None
    product = catalog.product_of(client)
    with provider.database.connection(durable=False) as db:
        state = grant.find(db, claimed["grant_id"], claimed["jti"], product.key, now)
    if state is None or grant.why_dead(state, client, product, provider.settings, now):
        return None
    return Bearer(claimed, state, client, product)


def read_access_token(provider: Provider, token: str, now: float) -> dict[str, Any]:
    """Its claims, by signature, type, issuer and time alone. Raises BadToken."""
    return provider.tokens.read(
        token,
        provider.key_ring.current(now),
        now,
        expected_typ=ACCESS_TOKEN,
        expected_issuer=provider.settings.issuer,
    )
