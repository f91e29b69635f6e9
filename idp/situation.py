"""The situation that a decision rests on: the request, the attempt, the session, what is proven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from idp.credentials import factors, password
from idp.database import Connection
from idp.directory import memberships, users
from idp.directory.catalog import ProductView
from idp.directory.memberships import Standing
from idp.directory.operator_standing import AnyStanding, operator_standing
from idp.directory.products import CONSOLE
from idp.grants import consent
from idp.login.attempt import AUTHORIZE, CONSOLE_PAGE, PAGE, Attempt
from idp.login.next_step import (
    Allowed,
    Asked,
    Decision,
    Enrolled,
    Entry,
    PasswordState,
    Proven,
    Step,
    ToAllow,
    ToEnrol,
    ToProve,
    counting,
    next_step,
)
from idp.oidc.authorization_request import AuthorizationRequest, parse
from idp.oidc.parameters import Parameters
from idp.policies import assurance, mfa, password_age
from idp.policies.assurance import FIRST, Proofs
from idp.policies.mfa import Side
from idp.policies.password_age import AgeRule
from idp.policies.sessions import lifetimes
from idp.provider import Provider, read_id_token
from idp.sessions.browser import BrowserSession, Evidence


class Situation(NamedTuple):
    """All that a decision rests on. `request` is None when no product asks. `evidence` is what a
    grant would rest on: the proofs that the request lets count."""

    request: AuthorizationRequest | None
    attempt: Attempt | None
    session: BrowserSession | None
    proven: Proven
    entries: Sequence[Entry]
    decision: Decision
    counting: Proofs

    @property
    def step(self) -> Step | None:
        """The page to show, if anything is left to ask."""
        return step_of(self.decision)

    @property
    def evidence(self) -> Evidence:
        assert self.proven.user_id
        return Evidence(self.proven.user_id, self.counting)


def step_of(decision: Decision) -> Step | None:
    if isinstance(decision, Step):
        return decision
    steps = {ToAllow: Step.CONSENT, ToProve: Step.SECOND_FACTOR, ToEnrol: Step.ENROL}
    return steps.get(type(decision))


def read_request(provider: Provider, sent: Parameters, now: float) -> AuthorizationRequest:
    """Raises PageRefusal or RefusedRequest."""

    def subject_of(hint: str) -> str | None:
        claims = read_id_token(provider, hint, now)
        return None if claims is None else str(claims["sub"])

    return parse(sent, provider.catalog.current(now), subject_of)


def resumed(
    provider: Provider, db: Connection, attempt: Attempt, session: BrowserSession | None, now: float
) -> Situation:
    """Of a sign-in that has begun. Raises RefusedRequest where its client has changed since."""
    parsed = None
    if attempt.destination == AUTHORIZE:
        parsed = read_request(provider, Parameters(attempt.parameters, frozenset()), now)
    return assess(provider, db, parsed, attempt, session, now)


def assess(
    provider: Provider,
    db: Connection,
    parsed: AuthorizationRequest | None,
    attempt: Attempt | None,
    session: BrowserSession | None,
    now: float,
) -> Situation:
    asked = _asked(provider, parsed, attempt, now)
    proven = _proven(provider, db, attempt, session, now)
    entries: list[Entry] = []
    if proven.user_id:
        entries = entries_of(provider, db, proven.user_id, asked, now)
    if proven.user_id and parsed and asked.needs_consent and not proven.consent_is_fresh:
        given = consent.find(db, proven.user_id, parsed.client)
        allowed = {each.rests_on: Allowed(each.consent_id, each.scope) for each in given}
        proven = replace(proven, allowed=allowed)
    decision, proven = _decide(db, asked, proven, entries, now)
    return Situation(
        parsed, attempt, session, proven, entries, decision, counting(asked, proven, now)
    )


def _decide(
    db: Connection, asked: Asked, proven: Proven, entries: Sequence[Entry], now: float
) -> tuple[Decision, Proven]:
    """What somebody has enrolled is looked up for those who lack a second factor alone."""
    decision = next_step(asked, proven, entries, now)
    if not isinstance(decision, ToProve) or proven.enrolled is not None:
        return decision, proven
    assert proven.user_id
    enrolled = tuple(
        Enrolled(each.method, each.enrolled_at) for each in factors.enrolled(db, proven.user_id)
    )
    proven = replace(proven, enrolled=enrolled)
    return next_step(asked, proven, entries, now), proven


def at_page(
    provider: Provider,
    db: Connection,
    session: BrowserSession | None,
    asked: Asked,
    now: float,
) -> tuple[Decision, Sequence[Entry]]:
    """What is missing before a page of ours may be shown."""
    proven = _who(provider, db, None, session, now)
    entries: list[Entry] = []
    if proven.user_id:
        entries = entries_of(provider, db, proven.user_id, asked, now)
    decision, _ = _decide(db, asked, proven, entries, now)
    return decision, entries


def asked_by_console(
    provider: Provider, tenant: str | None, max_age: int | None, acr: str | None, now: float
) -> Asked:
    """The console is a product like any other, and `tenant` the slug in the page's address. The
    operators' pages have no tenant."""
    return Asked(
        product=provider.catalog.current(now).products[CONSOLE] if tenant else None,
        tenant=tenant,
        max_age=max_age,
        essential_acr=(acr,) if acr else (),
        is_platform=tenant is None and provider.settings.operator_second_factor,
    )


def asked_by_account(max_age: int | None, *, own_level: bool) -> Asked:
    """A page of the person's own; `own_level` where they change how they sign in."""
    return Asked(max_age=max_age, own_level=own_level)


def entries_of(
    provider: Provider, db: Connection, user_id: str, asked: Asked, now: float
) -> list[Entry]:
    """Who asks for no product is asked for what their companies want of each sign-in."""
    found: Sequence[AnyStanding]
    product = asked.product
    if product and product.is_platform:
        found = [operator_standing(db, user_id)]
    else:
        found = memberships.standings(db, user_id, product.key if product else CONSOLE, now)
    return [_entry(provider, standing, product) for standing in found]


def _entry(provider: Provider, standing: AnyStanding, product: ProductView | None) -> Entry:
    lasting = lifetimes(provider.settings, standing.tenant_policy)
    if not isinstance(standing, Standing):
        return Entry(standing, lasting)
    return Entry(
        standing,
        lasting,
        _sides(standing),
        bool(standing.grant_second_factor),
        _password_ages(standing, product),
    )


def _sides(standing: Standing) -> tuple[Side, ...]:
    """The tenant that is entered, and of a guest the one at home."""
    entered = Side(
        standing.tenant_name,
        mfa.tenant_rules(standing.tenant_policy),
        standing.kind,
        bool(standing.second_factor_selected),
        standing.second_factor_skipped_at,
    )
    if standing.home_policy is None:
        return (entered,)
    home = Side(
        standing.home_name or "",
        mfa.tenant_rules(standing.home_policy),
        standing.home_kind or "",
        bool(standing.home_selected),
        standing.home_skipped_at,
    )
    return (entered, home)


def _password_ages(standing: Standing, product: ProductView | None) -> tuple[AgeRule, ...]:
    """The product's, the tenant's, and of a guest that of the one at home."""
    if product is None:
        return ()
    policies = (standing.tenant_policy, standing.home_policy or "{}")
    return password_age.rules(product, policies)


def _asked(
    provider: Provider, parsed: AuthorizationRequest | None, attempt: Attempt | None, now: float
) -> Asked:
    if parsed is None:
        return _asked_by_page(provider, attempt, now)
    product = provider.catalog.current(now).product_of(parsed.client)
    return Asked(
        product=product,
        prompt=parsed.prompt,
        max_age=parsed.max_age,
        hinted_subject=parsed.hinted_subject,
        tenant=parsed.tenant,
        essential_acr=parsed.essential_acr,
        acr_values=parsed.acr_values,
        is_platform=product.is_platform and provider.settings.operator_second_factor,
        scope=parsed.consent_scope,
        client_tenant_id=parsed.client.tenant_id,
        needs_consent=not parsed.client.first_party or "consent" in parsed.prompt,
    )


def _asked_by_page(provider: Provider, attempt: Attempt | None, now: float) -> Asked:
    wanted = attempt.parameters if attempt else {}
    max_age = int(wanted["max_age"]) if "max_age" in wanted else None
    if attempt and attempt.destination == CONSOLE_PAGE:
        return asked_by_console(provider, wanted.get("tenant"), max_age, wanted.get("acr"), now)
    if attempt and attempt.destination == PAGE:
        return asked_by_account(max_age, own_level="own_level" in wanted)
    return Asked()


def _proven(
    provider: Provider,
    db: Connection,
    attempt: Attempt | None,
    session: BrowserSession | None,
    now: float,
) -> Proven:
    """The attempt's proof counts before the session's; its choices count for who made them."""
    who = _who(provider, db, attempt, session, now)
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
        skipped=attempt.skipped,
    )


def _who(
    provider: Provider,
    db: Connection,
    attempt: Attempt | None,
    session: BrowserSession | None,
    now: float,
) -> Proven:
    """Signing in begins anew; a second factor alone adds to what its session has proven."""
    if attempt and not FIRST.isdisjoint(attempt.proven):
        return _signed_in_anew(db, attempt)
    if session is None:
        return Proven()
    since = now - provider.settings.second_factor_lifetime
    proofs = assurance.lasting(assurance.from_text(session.proofs), since)
    who = Proven(
        user_id=session.user_id,
        proofs=proofs,
        password=_password_of(session),
        last_seen_at=session.last_seen_at,
        left_tenants=frozenset(session.left_tenants.split()),
        session_tenant_id=session.tenant_id,
        last_tenant_id=session.last_tenant_id,
    )
    if attempt is None or attempt.user_id != session.user_id:
        return who
    return replace(
        who,
        proofs={**proofs, **attempt.proven},
        fresh=frozenset(attempt.proven),
        first_enrolled_at=attempt.first_enrolled_at,
    )


def _password_of(session: BrowserSession) -> PasswordState | None:
    if session.password_changed_at is None:
        return None
    return PasswordState(
        session.password_changed_at,
        session.password_must_change or "",
        session.password_reset_by_mail_at,
    )


def _signed_in_anew(db: Connection, attempt: Attempt) -> Proven:
    """Disabled since, or ended since: then it proves nothing any more (security.md S57)."""
    person = users.find_person(db, attempt.user_id)
    auth_time = assurance.auth_time(attempt.proven)
    if person is None or not users.may_sign_in(person, auth_time):
        return Proven()
    state = password.find_state(db, person.id)
    return Proven(
        user_id=person.id,
        proofs=attempt.proven,
        fresh=frozenset(attempt.proven),
        first_enrolled_at=attempt.first_enrolled_at,
        password=PasswordState(*state) if state else None,
        last_tenant_id=person.last_tenant_id,
    )
