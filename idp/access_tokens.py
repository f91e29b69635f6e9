"""Access tokens of ours, as whoever is shown one sees them: verified, and alive in the database."""

from __future__ import annotations

from typing import Any, NamedTuple

from idp.directory.catalog import ProductView
from idp.directory.clients import Client
from idp.grants import grant
from idp.grants.grant import GrantState
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


class Machine(NamedTuple):
    """A live access token that a client got for itself."""

    claims: dict[str, Any]
    client: Client
    product: ProductView

    @property
    def scope(self) -> list[str]:
        return str(self.claims["scope"]).split()


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


def find_machine(provider: Provider, claimed: dict[str, Any], now: float) -> Machine | None:
    """A client_credentials token: no grant, so what can end it is its client or a revocation."""
    catalog = provider.catalog.current(now)
    client = catalog.clients.get(claimed["client_id"])
    if client is None or "grant_id" in claimed:
        return None
    with provider.database.connection(durable=False) as db:
        if grant.is_token_revoked(db, claimed["jti"]):
            return None
    return Machine(claimed, client, catalog.product_of(client))
