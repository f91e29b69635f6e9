"""Access tokens of ours, as whoever is shown one sees them: verified, and alive in the database."""

from __future__ import annotations

from typing import Any, NamedTuple

from idp.database import Connection
from idp.directory.catalog import Catalog, ProductView
from idp.directory.clients import Client
from idp.grants import claims, grant, grant_state, revoked_tokens, target, token_exchange
from idp.grants.grant_state import GrantState
from idp.oidc.resource_indicators import may_call
from idp.provider import Provider, catalog_with
from idp.tokens import opaque_tokens
from idp.tokens.signed_tokens import ACCESS_TOKEN, BadToken


class Bearer(NamedTuple):
    """A live access token of a person: its claims, its grant as it stands at the product that it is
    meant for, its client, and the nodes that it is bound to elsewhere (`Target`)."""

    claims: dict[str, Any]
    state: GrantState
    client: Client
    product: ProductView
    bound: frozenset[str] | None = None

    @property
    def audience(self) -> list[str]:
        return _audience(self.claims)

    @property
    def scope(self) -> list[str]:
        """The token's, of what its grant still has."""
        granted = self.state.scope.split()
        return [word for word in str(self.claims["scope"]).split() if word in granted]


class Machine(NamedTuple):
    """A live access token that a client got for itself."""

    claims: dict[str, Any]
    client: Client
    product: ProductView

    @property
    def scope(self) -> list[str]:
        """The token's, of what its client may still ask for."""
        allowed = self.client.scope.split()
        return [word for word in str(self.claims["scope"]).split() if word in allowed]

    @property
    def permissions(self) -> list[str]:
        """The same, of its own nodes of the product's tree."""
        allowed = claims.machine_permissions(self.client, self.product)
        return [key for key in allowed if key in self.claims["permissions"]]


def _audience(claimed: dict[str, Any]) -> list[str]:
    """As a list, since one name may be the beginning of another."""
    named: str | list[str] = claimed["aud"]
    return [named] if isinstance(named, str) else named


def find_access_token(provider: Provider, token: str) -> Bearer | None:
    """None unless it is a person's access token of ours whose grant still counts: one statement."""
    now = provider.clock()
    try:
        claimed = read_access_token(provider, token, now)
    except BadToken:
        return None
    return find_by_claims(provider, claimed, now)


def find_by_claims(provider: Provider, claimed: dict[str, Any], now: float) -> Bearer | None:
    """The same for a token whose claims were read already. It has to be meant for the product that
    its client belongs to, or for one that the client may call (security.md S25)."""
    catalog = catalog_with(provider, claimed["client_id"], now)
    client = catalog.clients.get(claimed["client_id"])
    if client is None or "grant_id" not in claimed:
        return None
    product = catalog.product_of(client)
    providers = catalog.providers
    with provider.database.connection(durable=False) as db:
        if "act" in claimed:
            return _handed_on(provider, db, claimed, client, now)
        state = grant_state.find(db, claimed["grant_id"], claimed["jti"], client, now)
        if state is None or state.client_id != client.client_id:
            return None
        if grant.why_dead(state, client, product, providers, provider.settings, now):
            return None
        if product.resource in _audience(claimed):
            return Bearer(claimed, state, client, product)
        return _elsewhere(db, catalog, claimed, state, client, now)


def _elsewhere(
    db: Connection,
    catalog: Catalog,
    claimed: dict[str, Any],
    state: GrantState,
    client: Client,
    now: float,
) -> Bearer | None:
    """Meant for another product: which the client may call still, and the person still opens."""
    product = _meant_for(claimed, client, catalog)
    if product is None:
        return None
    there = grant_state.find(db, state.id, claimed["jti"], client, now, product.key)
    if there is None or not there.standing.opens(product):
        return None
    return Bearer(claimed, there, client, product, target.bound_of(state, client, product))


def _handed_on(
    provider: Provider, db: Connection, claimed: dict[str, Any], client: Client, now: float
) -> Bearer | None:
    """By token exchange, from whoever has the grant: it ends with that, and when any who handed it
    on may do so no more (security.md S26)."""
    catalog = provider.catalog.current(now)
    product = _meant_for(claimed, client, catalog)
    if product is None:
        return None
    there = grant_state.find(db, claimed["grant_id"], claimed["jti"], client, now, product.key)
    holder = catalog.clients.get(there.client_id) if there else None
    if there is None or holder is None or there.is_token_revoked:
        return None
    state = grant_state.find(db, there.id, "", holder, now)
    owner, providers = catalog.product_of(holder), catalog.providers
    if state is None or grant.why_dead(state, holder, owner, providers, provider.settings, now):
        return None
    bound = token_exchange.bound_of(state, holder, client, product)
    if (
        bound is None
        or client.tenant_id not in (None, there.standing.tenant_id)
        or not there.standing.opens(product)
        or not token_exchange.may_still_act(claimed, product, holder, catalog)
    ):
        return None
    scope = " ".join(word for word in there.scope.split() if word in state.scope.split())
    bound = bound.intersection(claimed["permissions"])
    return Bearer(claimed, there._replace(scope=scope), client, product, bound)


def _meant_for(claimed: dict[str, Any], client: Client, catalog: Catalog) -> ProductView | None:
    """The one product among the token's audience, if the client may have tokens for it."""
    known = catalog.by_resource
    named = [known[each] for each in _audience(claimed) if each in known]
    return named[0] if len(named) == 1 and may_call(client, named[0]) else None


def read_access_token(provider: Provider, token: str, now: float) -> dict[str, Any]:
    """Its claims, by signature or seal, type, issuer and time alone. Raises BadToken."""
    issuer = provider.settings.issuer
    if opaque_tokens.is_opaque(token):
        return opaque_tokens.read(provider.secret_keys, token, now, expected_issuer=issuer)
    return provider.tokens.read(
        token,
        provider.key_ring.current(now),
        now,
        expected_typ=ACCESS_TOKEN,
        expected_issuer=issuer,
    )


def find_machine(provider: Provider, claimed: dict[str, Any], now: float) -> Machine | None:
    """A client_credentials token: no grant, so what can end it is a revocation, or that its client
    is not any more what it was made for."""
    catalog = catalog_with(provider, claimed["client_id"], now)
    client = catalog.clients.get(claimed["client_id"])
    if client is None or "grant_id" in claimed or "client_credentials" not in client.grant_types:
        return None
    product = _meant_for(claimed, client, catalog)
    if product is None or claimed.get("tenant_id") != client.tenant_id:
        return None
    with provider.database.connection(durable=False) as db:
        if revoked_tokens.is_revoked(db, claimed["jti"], float(claimed["iat"])):
            return None
    return Machine(claimed, client, product)
