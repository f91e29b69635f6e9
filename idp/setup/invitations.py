"""Invitations of a set-up file: for people who have no way to sign in yet."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp.credentials.password import Password
from idp.database import Connection
from idp.directory import invitations, users
from idp.directory.invitations import Invitation
from idp.directory.tenants import Tenant
from idp.directory.users import User, canonical_email
from idp.registration.changes import Change
from idp.registration.tenants import find_tenant
from idp.secret_values import SecretKeys
from idp.setup.form import UserForm


def send_missing(
    session: Session, db: Connection, keys: SecretKeys, forms: Iterable[UserForm], now: float
) -> list[Change]:
    """One to each, by the first of their memberships, while none is under way."""
    changes = []
    for form in forms:
        tenant = _invited_to(session, form)
        if tenant is None or _is_under_way(session, tenant, form, now):
            continue
        kind = form.memberships[0].kind
        invitations.send(
            db,
            keys,
            tenant=(tenant.id, tenant.name, tenant.slug),
            email=form.email,
            kind=kind,
            role_ids=[],
            inviter=invitations.BY_FILE,
            locale=form.locale,
            now=now,
        )
        name = f"{canonical_email(form.email)} to {tenant.slug}"
        changes.append(Change("invitation", name, "create", {"kind": (None, kind)}))
    return changes


def _invited_to(session: Session, form: UserForm) -> Tenant | None:
    if not form.invitation or form.status != users.ACTIVE or _can_sign_in(session, form):
        return None
    return find_tenant(session, form.memberships[0].tenant)


def _can_sign_in(session: Session, form: UserForm) -> bool:
    has_password = (
        sa.select(User.id)
        .join(Password, Password.user_id == User.id)
        .where(User.email_canonical == canonical_email(form.email))
    )
    return session.scalar(has_password) is not None


def _is_under_way(session: Session, tenant: Tenant, form: UserForm, now: float) -> bool:
    waiting = sa.select(Invitation.id).where(
        Invitation.tenant_id == tenant.id,
        Invitation.email_canonical == canonical_email(form.email),
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > now,
    )
    return session.scalar(waiting) is not None
