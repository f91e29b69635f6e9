"""The situation that a decision rests on: the request, the attempt, the session, what is proven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from idp.database import Connection
from idp.directory import memberships, users
from idp.directory.catalog import ProductView
from idp.directory.operator_standing import AnyStanding, operator_standing
from idp.directory.products import CONSOLE
from idp.grants import consent
from idp.login.attempt import CONSOLE_PAGE, Attempt
from idp.login.next_step import Allowed, Asked, Decision, Entry, Proven, Step, ToAllow, next_step
from idp.oidc.authorization_request import AuthorizationRequest
from idp.policies import assurance
from idp.policies.sessions import lifetimes
from idp.provider import Provider
from idp.sessions.browser import BrowserSession


class Situation(NamedTuple):
    """All that a decision rests on. `request` is None when no product asks."""

    request: AuthorizationRequest | None
    attempt: Attempt | None
    session: BrowserSession | None
    proven: Proven
    entries: Sequence[Entry]
    decision: Decision

    @property
    def step(self) -> Step | None:
        """The page to show, if anything is left to ask."""
        if isinstance(self.decision, ToAllow):
            return Step.CONSENT
        return self.decision if isinstance(self.decision, Step) else None


def assess(
    provider: Provider,
    db: Connection,
    parsed: AuthorizationRequest | None,
    attempt: Attempt | None,
    session: BrowserSession | None,
    now: float,
) -> Situation:
    asked = _asked(provider, parsed, attempt, now)
    proven = _proven(db, attempt, session)
    entries: list[Entry] = []
    if proven.user_id and asked.product:
        entries = _entries(provider, db, proven.user_id, asked.product, now)
    if proven.user_id and parsed and asked.needs_consent and not proven.consent_is_fresh:
        given = consent.find(db, proven.user_id, parsed.client)
        allowed = {each.rests_on: Allowed(each.consent_id, each.scope) for each in given}
        proven = replace(proven, allowed=allowed)
    decision = next_step(asked, proven, entries, now)
    return Situation(parsed, attempt, session, proven, entries, decision)


def at_console(
    provider: Provider,
    db: Connection,
    session: BrowserSession | None,
    tenant: str | None,
    max_age: int | None,
    now: float,
) -> tuple[Decision, Sequence[Entry]]:
    """What is missing before a page of the console may be shown: the console is a product like any
    other, and `tenant` the slug in the page's address. The operators' pages have no tenant."""
    asked, proven = _asked_by_console(provider, tenant, max_age, now), _who(db, None, session)
    entries: list[Entry] = []
    if proven.user_id and asked.product:
        entries = _entries(provider, db, proven.user_id, asked.product, now)
    return next_step(asked, proven, entries, now), entries


def _entries(
    provider: Provider, db: Connection, user_id: str, product: ProductView, now: float
) -> list[Entry]:
    found: Sequence[AnyStanding]
    if product.is_platform:
        found = [operator_standing(db, user_id)]
    else:
        found = memberships.standings(db, user_id, product.key, now)
    return [
        Entry(standing, lifetimes(provider.settings, standing.tenant_policy)) for standing in found
    ]


def _asked(
    provider: Provider, parsed: AuthorizationRequest | None, attempt: Attempt | None, now: float
) -> Asked:
    if parsed is None:
        if attempt is None or attempt.destination != CONSOLE_PAGE:
            return Asked()
        wanted = attempt.parameters
        max_age = int(wanted["max_age"]) if "max_age" in wanted else None
        return _asked_by_console(provider, wanted.get("tenant"), max_age, now)
    return Asked(
        product=provider.catalog.current(now).product_of(parsed.client),
        prompt=parsed.prompt,
        max_age=parsed.max_age,
        hinted_subject=parsed.hinted_subject,
        tenant=parsed.tenant,
        essential_acr=parsed.essential_acr,
        scope=parsed.consent_scope,
        client_tenant_id=parsed.client.tenant_id,
        needs_consent=not parsed.client.first_party or "consent" in parsed.prompt,
    )


def _asked_by_console(
    provider: Provider, tenant: str | None, max_age: int | None, now: float
) -> Asked:
    product = provider.catalog.current(now).products[CONSOLE] if tenant else None
    return Asked(product=product, tenant=tenant, max_age=max_age)


def _proven(db: Connection, attempt: Attempt | None, session: BrowserSession | None) -> Proven:
    """The attempt's proof counts before the session's; its choices count for who made them."""
    who = _who(db, attempt, session)
    if attempt is None:
        return who
    who = replace(who, other_account=attempt.other_account)
    if attempt.chosen_by != who.user_id:
        return who
    return replace(
        who,
        account_confirmed=attempt.account_confirmed,
        chosen_tenant_id=attempt.tenant_id or None,
        consented=frozenset(attempt.consented.get("scope", [])),
        consent_is_fresh=bool(attempt.consented),
        consented_tenant_id=attempt.consented.get("tenant_id"),
        turned_back=attempt.turned_back,
    )


def _who(db: Connection, attempt: Attempt | None, session: BrowserSession | None) -> Proven:
    if attempt and attempt.user_id:
        return _freshly_proven(db, attempt)
    if session is None:
        return Proven()
    return Proven(
        user_id=session.user_id,
        auth_time=session.auth_time,
        last_seen_at=session.last_seen_at,
        left_tenants=frozenset(session.left_tenants.split()),
        acr=session.acr,
        session_tenant_id=session.tenant_id,
        last_tenant_id=session.last_tenant_id,
    )


def _freshly_proven(db: Connection, attempt: Attempt) -> Proven:
    """Disabled since, or ended since: then it proves nothing any more (security.md S57)."""
    person = users.find_person(db, attempt.user_id)
    auth_time = max(attempt.proven.values())
    if person is None or not users.may_sign_in(person, auth_time):
        return Proven()
    return Proven(
        user_id=person.id,
        auth_time=auth_time,
        acr=assurance.achieved(frozenset(attempt.proven)),
        is_fresh=True,
        last_tenant_id=person.last_tenant_id,
    )
