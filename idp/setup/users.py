"""People and their memberships, made like the file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp.credentials.password import Password
from idp.database import Connection
from idp.directory import memberships, person_words, users
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.roles import Role
from idp.directory.tenants import Tenant
from idp.directory.users import User, canonical_email
from idp.errors import SetupMistake
from idp.grants import ending
from idp.provider import Provider
from idp.registration.changes import Change, Edit
from idp.registration.tenants import find_tenant
from idp.secret_values import new_id
from idp.sessions.browser import SsoSession
from idp.setup.form import MembershipForm, UserForm

PLAIN = ("name", "given_name", "family_name", "locale", "zoneinfo", "status")
FELL = (memberships.ACTIVE, memberships.DISABLED)


def hash_new_passwords(provider: Provider, forms: Sequence[UserForm]) -> dict[str, str]:
    """By canonical address, for those who have none yet. It is slow, so no lock is held."""
    given = {_canonical(form): form.password for form in forms if form.password is not None}
    if not given:
        return {}
    owners = sa.select(User.email_canonical).join(Password, Password.user_id == User.id)
    with provider.database.session() as session:
        have_one = set(session.scalars(owners.where(User.email_canonical.in_(given))))
    return {
        email: provider.hasher.hash(password.get_secret_value())
        for email, password in given.items()
        if email not in have_one
    }


def apply_users(
    session: Session,
    db: Connection,
    forms: Iterable[UserForm],
    hashes: Mapping[str, str],
    now: float,
    *,
    dry_run: bool,
) -> list[Change]:
    """Memberships name tenants and roles, so these come first. A password is only ever set for a
    person who has none. `db` is the session's own transaction."""
    changes: list[Change] = []
    for form in forms:
        so_far = len(changes)
        user, edit = _apply(session, db, form, now)
        if form.password is not None and session.get(Password, user.id) is None:
            edit.note("password", None, "set")
            if not dry_run:
                session.add(_password(user, hashes, now))
        _verify_address(edit, user, form, now)
        if edit.fields:
            user.updated_at = now
        session.flush()
        changes += edit.changes()
        for membership in form.memberships:
            changes += _apply_membership(session, db, user, membership, now)
        if len(changes) > so_far:
            person_words.keep(db, user.id)
    return changes


def _apply(session: Session, db: Connection, form: UserForm, now: float) -> tuple[User, Edit]:
    canonical = _canonical(form)
    found = session.scalar(sa.select(User).where(User.email_canonical == canonical))
    user = found or User(
        id=new_id(), email_canonical=canonical, sessions_valid_after=0.0, created_at=now
    )
    was_active = user.status == users.ACTIVE
    edit = Edit("user", canonical, user, is_new=found is None)
    for column, value in form.stated(("email", *PLAIN), edit.is_new).items():
        edit.set(column, value)
    if edit.is_new or "operator" in form.model_fields_set:
        edit.note("operator", user.is_operator, form.operator)
        _make_operator(db, user, form.operator, now)
    if was_active and user.status == users.DISABLED:
        user.sessions_valid_after = _after_every_sign_in(session, user, now)
    user.updated_at = user.updated_at or now
    session.add(user)
    session.flush()
    return user, edit


def _make_operator(db: Connection, user: User, is_operator: bool, now: float) -> None:
    """Whoever is one already stays it for the same term."""
    if bool(user.is_operator) == is_operator:
        return
    if not is_operator:
        ending.end_of_operator(db, user.id, now)
    for column, value in users.as_operator(is_operator).items():
        setattr(user, column, value)


def _after_every_sign_in(session: Session, user: User, now: float) -> float:
    """Past all that the person has proven, also by a clock that is ahead of ours or while we were
    waiting for our turn."""
    own = sa.select(sa.func.max(SsoSession.auth_time)).where(SsoSession.user_id == user.id)
    return math.nextafter(max(now, session.scalar(own) or 0.0), math.inf)


def _canonical(form: UserForm) -> str:
    canonical = canonical_email(form.email)
    assert canonical is not None, "the form has checked it"
    return canonical


def _password(user: User, hashes: Mapping[str, str], now: float) -> Password:
    stored = hashes.get(user.email_canonical)
    if stored is None:
        raise SetupMistake(f"user {user.email}: the password went meanwhile: apply it again.")
    return Password(user_id=user.id, hash=stored, changed_at=now)


def _verify_address(edit: Edit, user: User, form: UserForm, now: float) -> None:
    """Whoever sets a person's password answers for the address, unless the file says otherwise."""
    is_vouched_for = "password" in edit.fields and "email_verified" not in form.model_fields_set
    if user.email_verified_at is None and (form.email_verified or is_vouched_for):
        user.email_verified_at = now
        edit.note("email_verified", None if edit.is_new else False, True)


def _apply_membership(
    session: Session, db: Connection, user: User, form: MembershipForm, now: float
) -> list[Change]:
    place = f"{user.email_canonical} in {form.tenant}"
    tenant = find_tenant(session, form.tenant)
    if tenant is None:
        raise SetupMistake(f"membership {place}: there is no such tenant.")
    found = _find_membership(session, user, tenant)
    if found is not None and found.source != memberships.HOME:
        raise SetupMistake(f"membership {place}: it came across tenants: a file can't change it.")
    membership = found or Membership(
        id=new_id(), user_id=user.id, tenant_id=tenant.id, created_at=now
    )
    edit = Edit("membership", place, membership, is_new=found is None)
    selected = form.stated(("second_factor_selected",), is_new=False)
    for column, value in {**form.stated(("kind", "status"), edit.is_new), **selected}.items():
        edit.set(column, value)
    if edit.fields.get("status") == FELL:
        ending.end_of_person(db, tenant.id, user.id, now)
    if edit.is_new or "roles" in form.model_fields_set:
        _set_roles(session, edit, membership, form.roles)
    session.add(membership)
    session.flush()
    return edit.changes()


def _find_membership(session: Session, user: User, tenant: Tenant) -> Membership | None:
    return session.scalar(
        sa.select(Membership).where(
            Membership.user_id == user.id,
            Membership.tenant_id == tenant.id,
            Membership.status != memberships.ENDED,
        )
    )


def _set_roles(session: Session, edit: Edit, membership: Membership, wanted: Sequence[str]) -> None:
    known = {
        role.key: role.id
        for role in session.scalars(sa.select(Role).where(Role.tenant_id == membership.tenant_id))
    }
    for key in wanted:
        if key not in known:
            raise SetupMistake(f"membership {edit.name}, roles: there is no role {key}.")
    names = {role_id: key for key, role_id in known.items()}
    stored = {names[row.role_id]: row for row in membership.roles}
    edit.note("roles", None if edit.is_new else sorted(stored), sorted(set(wanted)))
    for key in stored.keys() - set(wanted):
        membership.roles.remove(stored[key])
    for key in sorted(set(wanted) - stored.keys()):
        membership.roles.append(MembershipRole(role_id=known[key]))
