"""Token exchange (RFC 8693) at the token endpoint."""

from __future__ import annotations

from typing import Any

from idp import audit, targets
from idp.access_tokens import Bearer, find_access_token
from idp.directory.catalog import ProductView
from idp.directory.clients import Client
from idp.endpoints.messages import Request
from idp.errors import OAuthRefusal
from idp.grants import target, token_exchange, token_response
from idp.grants.target import Target
from idp.oidc.confirmation import Confirmation
from idp.oidc.parameters import Parameters
from idp.provider import Provider


def exchange(
    provider: Provider, request: Request, client: Client, sent: Parameters, holder: Confirmation
) -> dict[str, Any]:
    """An access token for another product, of the person whose token was handed in; bound to what
    the client proves to hold, and good no longer than the other one."""
    now = provider.clock()
    claimed = token_exchange.claimed_subject(sent)
    target.check_without_details(sent)
    product = token_exchange.claimed_target(sent, client, provider.catalog.current(now))
    subject = find_access_token(provider, claimed)
    if subject is None:
        raise OAuthRefusal("invalid_request", "The subject_token is not a live access token.")
    token_exchange.check_subject(subject.claims, subject.product, client)
    scope = token_exchange.granted_scope(subject.scope, client, sent.words("scope"))
    aimed = _aimed(provider, subject, client, product, now)
    _record(provider, request, aimed, client, now)
    return token_response.for_exchange(
        aimed,
        client,
        scope,
        subject.claims,
        holder,
        provider.key_ring.current(now),
        provider.secret_keys,
        provider.settings,
        now,
    )


def _aimed(
    provider: Provider, subject: Bearer, client: Client, product: ProductView, now: float
) -> Target:
    """As the person stands at the other product, and would be let in there. Raises
    invalid_target."""
    state = subject.state
    holder = provider.catalog.current(now).clients[state.client_id]
    bound = token_exchange.bound_of(state, holder, client, product)
    if bound is None:
        raise target.invalid("The person did not allow that target.")
    with provider.database.connection(durable=False) as db:
        there = targets.judged(provider, db, state, client, product, now)
    return Target(state, there, product, bound)


def _record(
    provider: Provider, request: Request, aimed: Target, client: Client, now: float
) -> None:
    with provider.database.transaction() as db:
        audit.record(
            db,
            "token.exchanged",
            now,
            request.origin,
            actor=aimed.state.user_id,
            tenant=aimed.there.standing.tenant_id,
            client=client.client_id,
            product=aimed.product.key,
            grant=aimed.state.id,
        )
