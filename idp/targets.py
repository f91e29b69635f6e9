"""Tokens for another product than their client's own (RFC 8707): whether the person opens it, and
has proven as much as it asks for.

A token is a way into the product that it is for. So that product's rules hold, judged by what
decides at its own sign-in, with the proofs that the grant rests on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from idp.credentials import password
from idp.database import Connection
from idp.directory.catalog import ProductView
from idp.directory.clients import Client
from idp.grants import grant_state, target
from idp.grants.grant_state import GrantState
from idp.grants.target import Aim, Target, Wanted
from idp.login.entries import entries_of
from idp.login.next_step import next_step
from idp.login.steps import Asked, Done, PasswordState, Proven, Refused, step_of
from idp.policies import assurance
from idp.policies.sessions import Lifetimes
from idp.provider import Provider

Judge = Callable[[Provider, Connection, GrantState, Client, ProductView, float], GrantState]
OF_GRANT = Lifetimes(math.inf, math.inf)  # how long one lasts is `grant.why_dead`'s to say
NOT_OPEN = "The person's roles do not open that product."


def aim(provider: Provider, client: Client, wanted: Wanted, judge: Judge, now: float) -> Aim:
    """Where the token of a grant goes. Its client's own product was judged with the grant, and any
    other is by `judge`, which raises invalid_target."""
    catalog = provider.catalog.current(now)

    def found(db: Connection, state: GrantState) -> Target:
        product = target.chosen(state, client, wanted.products, catalog)
        details = target.details_of(state, client, product, wanted.details)
        if product.key == client.product_key:
            return Target(state, state, product, None, details)
        bound = target.bound_of(state, client, product)
        there = judge(provider, db, state, client, product, now)
        return Target(state, there, product, bound, details)

    return found


def opened(
    provider: Provider,
    db: Connection,
    state: GrantState,
    client: Client,
    product: ProductView,
    now: float,
) -> GrantState:
    """As the person stands there, whose proofs were judged a moment ago. Raises invalid_target."""
    there = grant_state.find(db, state.id, "", client, now, product.key)
    if there is None or not there.standing.opens(product):
        raise target.invalid(NOT_OPEN)
    return there


def judged(
    provider: Provider,
    db: Connection,
    state: GrantState,
    client: Client,
    product: ProductView,
    now: float,
) -> GrantState:
    """As the person stands there, who would be let in now by what they had proven (security.md
    S19). Raises invalid_target: another sign-in that names the resource asks for what is missing.
    """
    asked = Asked(product=product, tenant=state.standing.tenant, client_tenant_id=client.tenant_id)
    entries = [
        replace(each, lifetimes=OF_GRANT)
        for each in entries_of(provider.settings, db, state.user_id, asked, now)
    ]
    decision = next_step(asked, _proven(provider, db, state, now), entries, now)
    if not isinstance(decision, Done):
        step = step_of(decision)
        words = decision.message if isinstance(decision, Refused) else step and step.words
        raise target.invalid(f"That product asks for more. {words}")
    standing = decision.standing
    if standing is None or standing.membership_id != state.standing.membership_id:
        raise target.invalid(NOT_OPEN)
    return state._replace(standing=standing)


def _proven(provider: Provider, db: Connection, state: GrantState, now: float) -> Proven:
    since = now - provider.settings.second_factor_lifetime
    found = password.find_state(db, state.user_id)
    return Proven(
        user_id=state.user_id,
        email=state.email,
        providers=provider.catalog.current(now).providers,
        proofs=assurance.lasting(assurance.from_text(state.proofs), since),
        password=PasswordState(*found) if found else None,
        last_seen_at=now,
    )
