"""What is proven of somebody: in the attempt, in the session, and what they chose on the way."""

from __future__ import annotations

from dataclasses import replace

from idp.credentials import password
from idp.database import Connection
from idp.directory import users
from idp.directory.upstream_providers import IdentityProviders
from idp.login.attempt import Attempt
from idp.login.steps import PasswordState, Proven
from idp.policies import assurance
from idp.policies.assurance import FIRST
from idp.sessions.browser import BrowserSession
from idp.settings import Settings


def proven_so_far(
    settings: Settings,
    providers: IdentityProviders,
    db: Connection,
    attempt: Attempt | None,
    session: BrowserSession | None,
    now: float,
) -> Proven:
    """The attempt's proof counts before the session's; its choices count for who made them."""
    who = replace(_who(settings, db, attempt, session, now), providers=providers)
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
        consented_details=attempt.consented.get("details", ""),
        consent_is_fresh=bool(attempt.consented),
        consented_tenant_id=attempt.consented.get("tenant_id"),
        turned_back=attempt.turned_back,
        skipped=attempt.skipped,
    )


def _who(
    settings: Settings,
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
    since = now - settings.second_factor_lifetime
    proofs = assurance.lasting(assurance.from_text(session.proofs), since)
    who = Proven(
        user_id=session.user_id,
        email=session.email,
        is_operator=bool(session.is_operator),
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
        email=person.email,
        is_operator=bool(person.is_operator),
        proofs=attempt.proven,
        fresh=frozenset(attempt.proven),
        first_enrolled_at=attempt.first_enrolled_at,
        password=PasswordState(*state) if state else None,
        last_tenant_id=person.last_tenant_id,
    )
