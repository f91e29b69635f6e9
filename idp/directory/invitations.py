"""Invitations: an address is asked into a tenant, with a kind and roles (product.md T8).

The link goes into a letter and nowhere else: the table has its SHA-256, and the letter waits
sealed. It is good once, for a week, and for that address alone; whether it still is is looked at
when it is used (`login/invitation.py`). Sending it again makes a new one and kills the old.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import outbox
from idp.database import Base, Connection, JsonText
from idp.directory import granting, letters, paging
from idp.directory.acting import Administration, Mistake, Rights
from idp.directory.memberships import KINDS, Membership
from idp.directory.roles import Role
from idp.directory.users import User, canonical_email
from idp.errors import told
from idp.secret_values import LETTER_SECRET, SecretKeys, fingerprint, new_id, new_secret
from idp.tenancy import TenantOwned

LIFETIME_DAYS = 7
LIFETIME = LIFETIME_DAYS * 86400.0
PAGE = 50


class Invitation(TenantOwned, Base):
    """`role_ids` is what the person will have. It is open until it is accepted, revoked, or its
    time is over."""

    __tablename__ = "invitations"
    __table_args__ = (
        sa.Index("ix_invitations_by_time", "tenant_id", "created_at", "id"),
        sa.Index("ix_invitations_by_address", "tenant_id", "email_canonical"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"))
    email: Mapped[str]
    email_canonical: Mapped[str]
    kind: Mapped[str]
    role_ids: Mapped[list[str]] = mapped_column(JsonText)
    token_hash: Mapped[str] = mapped_column(unique=True)
    invited_by: Mapped[str | None]
    locale: Mapped[str]
    created_at: Mapped[float]
    expires_at: Mapped[float]
    accepted_at: Mapped[float | None]
    revoked_at: Mapped[float | None]


class Pending(NamedTuple):
    """`has_expired` ones can be sent again. `roles` are names."""

    id: str
    email: str
    kind: str
    roles: list[str]
    created_at: float
    expires_at: float
    has_expired: bool


class Page(NamedTuple):
    invitations: list[Pending]
    next: str | None


_WAITS = (Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))


def pending(admin: Administration, keys: SecretKeys, cursor: str = "", size: int = PAGE) -> Page:
    """The newest first. Raises Forbidden, or CursorRefused."""
    admin.check("people.read")
    statement = sa.select(Invitation).where(*_WAITS)
    order = sa.tuple_(Invitation.created_at, Invitation.id)
    if cursor:
        after = paging.opened(keys, admin.tenant.id, ("invitations",), cursor)
        statement = statement.where(order < sa.tuple_(*map(sa.literal, after)))
    newest = statement.order_by(Invitation.created_at.desc(), Invitation.id.desc())
    rows = list(admin.rows.scalars(newest.limit(size + 1)))
    names = {role.id: role.name for role in admin.rows.scalars(sa.select(Role))}
    found = [_pending(row, names, admin.now) for row in rows[:size]]
    if len(rows) <= size:
        return Page(found, None)
    last = rows[size - 1]
    position = (last.created_at, last.id)
    return Page(found, paging.seal(keys, admin.tenant.id, ("invitations",), position))


def _pending(row: Invitation, names: dict[str, str], now: float) -> Pending:
    roles = sorted(names[role_id] for role_id in row.role_ids if role_id in names)
    times = (row.created_at, row.expires_at, row.expires_at <= now)
    return Pending(row.id, row.email, row.kind, roles, *times)


def invite(
    admin: Administration,
    keys: SecretKeys,
    email: str,
    kind: str,
    role_keys: Collection[str],
    locale: str,
) -> str:
    """The invitation's id. `locale` is the letter's language for who has no account. Raises
    Forbidden, RecentSignInNeeded, or Mistake."""
    rights = _in_turn(admin)
    canonical = canonical_email(email)
    roles = _roles(admin, role_keys)
    granting.check_may_grant(admin, rights, roles, None)
    errors = _mistakes(admin, canonical, kind)
    if canonical is None or errors:
        raise Mistake(**errors)
    sent = send(
        admin.db,
        keys,
        tenant=(admin.tenant.id, admin.tenant.name),
        email=email.strip(),
        kind=kind,
        role_ids=[role.id for role in roles],
        invited_by=admin.actor.user_id,
        locale=locale,
        now=admin.now,
    )
    role_names = sorted(role.key for role in roles)
    admin.record("invitation.sent", invitation=sent, email=canonical, kind=kind, roles=role_names)
    return sent


_COLUMNS = ("id", "tenant_id", "email", "email_canonical", "kind", "token_hash", "invited_by")
_INSERT = sa.insert(Invitation.__table__).values(  # type: ignore[arg-type]
    {name: sa.bindparam(name) for name in (*_COLUMNS, "locale", "created_at", "expires_at")}
    | {"role_ids": sa.bindparam("role_ids", type_=sa.Text)}
)
_KNOWN = sa.select(User.name, User.locale).where(User.email_canonical == sa.bindparam("email"))


def send(
    db: Connection,
    keys: SecretKeys,
    *,
    tenant: tuple[str, str],
    email: str,
    kind: str,
    role_ids: list[str],
    invited_by: str | None,
    locale: str,
    now: float,
) -> str:
    """Write the invitation and its letter, unasked: who may is settled. `tenant` is id and name,
    `email` a sound address. The id. Raises TooOften."""
    letters.take_room(db, keys, tenant[0], email, now)
    secret, made = new_secret(), new_id()
    canonical = canonical_email(email) or ""
    db.run(
        _INSERT,
        id=made,
        tenant_id=tenant[0],
        email=email,
        email_canonical=canonical,
        kind=kind,
        role_ids=orjson.dumps(role_ids).decode(),
        token_hash=fingerprint(secret),
        invited_by=invited_by,
        locale=locale,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    _post(db, keys, secret, tenant[1], email, locale, now)
    return made


def send_again(admin: Administration, keys: SecretKeys, invitation_id: str) -> None:
    """A new link, good for a week; the old one is dead. Whoever sends it must be able to give its
    roles. Raises Forbidden, RecentSignInNeeded, NotFound, or Mistake."""
    rights = _in_turn(admin)
    found = admin.get(Invitation, invitation_id)
    roles = sa.select(Role).where(Role.id.in_(found.role_ids))
    granting.check_may_grant(admin, rights, admin.rows.scalars(roles), None)
    letters.take_room(admin.db, keys, admin.tenant.id, found.email, admin.now)
    secret = new_secret()
    changes = {"token_hash": fingerprint(secret), "expires_at": admin.now + LIFETIME}
    _change_waiting(admin, invitation_id, **changes)
    _post(admin.db, keys, secret, admin.tenant.name, found.email, found.locale, admin.now)
    admin.record("invitation.sent_again", invitation=found.id, email=found.email_canonical)


def revoke(admin: Administration, invitation_id: str) -> None:
    """Raises Forbidden, RecentSignInNeeded, NotFound, or Mistake."""
    _in_turn(admin)
    found = admin.get(Invitation, invitation_id)
    _change_waiting(admin, invitation_id, revoked_at=admin.now)
    admin.record("invitation.revoked", invitation=found.id, email=found.email_canonical)


def _in_turn(admin: Administration) -> Rights:
    admin.check("people.manage")
    admin.check_recent()
    return granting.in_turn(admin, "people.manage")


def _change_waiting(admin: Administration, invitation_id: str, **changes: Any) -> None:
    changed = admin.rows.execute(
        sa.update(Invitation)
        .where(Invitation.id == invitation_id, *_WAITS)
        .values(**changes)
        .returning(Invitation.id)
    ).first()
    if changed is None:
        raise Mistake(invitation=told("This invitation was accepted or revoked meanwhile."))


def _roles(admin: Administration, keys: Collection[str]) -> list[Role]:
    found = list(admin.rows.scalars(sa.select(Role).where(Role.key.in_(keys))))
    if {role.key for role in found} != set(keys):
        raise Mistake(roles=told("One of these roles is not there any more."))
    return found


def _mistakes(admin: Administration, canonical: str | None, kind: str) -> dict[str, str]:
    errors = {}
    if kind not in KINDS:
        errors["kind"] = told("Choose what kind of person it is.")
    if canonical is None:
        errors["email"] = told("Enter an e-mail address.")
    elif _is_member(admin, canonical):
        errors["email"] = told("Somebody with this address is here already.")
    elif find_waiting(admin, canonical):
        errors["email"] = told("This address has been invited already. Send that one again.")
    return errors


def _is_member(admin: Administration, canonical: str) -> bool:
    return (
        admin.rows.scalar(
            sa.select(Membership.id)
            .join(User, User.id == Membership.user_id)
            .where(User.email_canonical == canonical, Membership.tenant_id == admin.tenant.id)
        )
        is not None
    )


def find_waiting(admin: Administration, canonical: str) -> str | None:
    return admin.rows.scalar(
        sa.select(Invitation.id).where(
            Invitation.tenant_id == admin.tenant.id,
            Invitation.email_canonical == canonical,
            *_WAITS,
        )
    )


def _post(
    db: Connection,
    keys: SecretKeys,
    secret: str,
    company: str,
    email: str,
    locale: str,
    now: float,
) -> None:
    """In the language of who has an account, which only they get to see."""
    known = db.row(_KNOWN, email=canonical_email(email) or "")
    name, language = known or ("", locale)
    letter = {"template": "invitation", "to": email, "name": name, "locale": language}
    sealed = keys.encrypt(f"/invitation?token={secret}".encode(), LETTER_SECRET)
    about = {"company": company, "days": LIFETIME_DAYS, "sealed_link": sealed}
    outbox.enqueue(db, "mail", {**letter, **about}, now)
