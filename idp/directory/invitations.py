"""Invitations: an address is asked into a tenant, with a kind and roles (product.md T8).

The link goes into a letter and nowhere else: the table has its SHA-256, and the letter waits
sealed. It is good once, for a week, and for that address alone; whether it still is is looked at
when it is used (`login/invitation.py`), and so is whether its inviter may still invite
(`inviters.py`). Sending it again makes a new one, by who sends it, and kills the old.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from idp import outbox
from idp.columns import JsonText
from idp.database import Base, Connection
from idp.directory import granting, letters, users
from idp.directory.acting import Administration, Forbidden, Mistake, Rights
from idp.directory.memberships import ENDED, KINDS, STATUS_NOW, Membership
from idp.directory.roles import Role
from idp.directory.tenants import called
from idp.directory.users import User, canonical_email
from idp.errors import told
from idp.secret_values import LETTER_SECRET, SecretKeys, fingerprint, new_id, new_secret
from idp.tenancy import TenantOwned

LIFETIME_DAYS = 7
LIFETIME = LIFETIME_DAYS * 86400.0

MEMBER = "member"
VISIT = "visit"
OPERATOR = "operator"
FILE = "file"


class Invitation(TenantOwned, Base):
    """`role_ids` is what the person will have. It is open until it is accepted, revoked, or its
    time is over. `source` is one of the four above: by what right it was made; the first is a
    member's or a client's, the second an operator's for the tenant, the third for the platform."""

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
    source: Mapped[str] = mapped_column(server_default=FILE)
    invited_by: Mapped[str | None]
    client_id: Mapped[str | None]
    locale: Mapped[str]
    created_at: Mapped[float]
    expires_at: Mapped[float]
    accepted_at: Mapped[float | None]
    revoked_at: Mapped[float | None]


class Inviter(NamedTuple):
    """A person, a client, or both; neither for a set-up file."""

    source: str
    user_id: str | None
    client_id: str | None


BY_FILE = Inviter(FILE, None, None)


WAITS = (Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))


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
    roles = granting.roles_named(admin, role_keys)
    _check_may_invite(admin, rights, canonical or "", roles)
    errors = _mistakes(admin, canonical, kind)
    if canonical is None or errors:
        raise Mistake(**errors)
    sent = send(
        admin.db,
        keys,
        tenant=(admin.tenant.id, admin.tenant.name, admin.tenant.slug),
        email=canonical,
        kind=kind,
        role_ids=[role.id for role in roles],
        inviter=_inviter(admin),
        locale=locale,
        now=admin.now,
    )
    role_names = sorted(role.key for role in roles)
    admin.record("invitation.sent", invitation=sent, email=canonical, kind=kind, roles=role_names)
    return sent


_COLUMNS = (
    *("id", "tenant_id", "email", "email_canonical", "kind", "token_hash", "locale"),
    *("source", "invited_by", "client_id", "created_at", "expires_at"),
)
_INSERT = sa.insert(Invitation.__table__).values(  # type: ignore[arg-type]
    {name: sa.bindparam(name) for name in _COLUMNS}
    | {"role_ids": sa.bindparam("role_ids", type_=sa.Text)}
)
_KNOWN = sa.select(User.name, User.locale).where(User.email_canonical == sa.bindparam("email"))


def send(
    db: Connection,
    keys: SecretKeys,
    *,
    tenant: tuple[str, str, str],
    email: str,
    kind: str,
    role_ids: list[str],
    inviter: Inviter,
    locale: str,
    now: float,
) -> str:
    """Write the invitation and its letter, unasked: who may is settled. `tenant` is id, name and
    slug, `email` a sound address. Its one form is written to and kept: another spelling may be
    another mailbox (security.md S59). The id. Raises TooOften."""
    canonical = canonical_email(email)
    assert canonical
    letters.take_room(db, keys, tenant[0], canonical, now)
    secret, made = new_secret(), new_id()
    db.run(
        _INSERT,
        id=made,
        tenant_id=tenant[0],
        email=canonical,
        email_canonical=canonical,
        kind=kind,
        role_ids=orjson.dumps(role_ids).decode(),
        token_hash=fingerprint(secret),
        source=inviter.source,
        invited_by=inviter.user_id,
        client_id=inviter.client_id,
        locale=locale,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    _post(db, keys, secret, tenant, inviter, canonical, locale, now)
    return made


def send_again(admin: Administration, keys: SecretKeys, invitation_id: str) -> None:
    """A new link, good for a week; the old one is dead. Whoever sends it must be able to give its
    roles. Raises Forbidden, RecentSignInNeeded, NotFound, or Mistake."""
    rights = _in_turn(admin)
    found = admin.get(Invitation, invitation_id)
    roles = list(admin.rows.scalars(sa.select(Role).where(Role.id.in_(found.role_ids))))
    _check_may_invite(admin, rights, found.email_canonical, roles)
    letters.take_room(admin.db, keys, admin.tenant.id, found.email_canonical, admin.now)
    secret = new_secret()
    changes: dict[str, Any] = {"token_hash": fingerprint(secret)}
    changes["expires_at"] = admin.now + LIFETIME
    by = _inviter(admin)
    changes |= {"source": by.source, "invited_by": by.user_id, "client_id": by.client_id}
    _change_waiting(admin, invitation_id, **changes)
    tenant = (admin.tenant.id, admin.tenant.name, admin.tenant.slug)
    about = (found.email_canonical, found.locale)
    _post(admin.db, keys, secret, tenant, by, *about, admin.now)
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


def _inviter(admin: Administration) -> Inviter:
    actor = admin.actor
    return Inviter(VISIT if actor.visit_id else MEMBER, actor.user_id, actor.client_id)


def _check_may_invite(
    admin: Administration, rights: Rights, canonical: str, roles: list[Role]
) -> None:
    """By the same rule as for whoever is here; and no operator on a visit invites themselves, with
    no roles either. Raises Forbidden."""
    person = users.find_by_email(admin.db, canonical)
    user_id = person.id if person else None
    granting.check_may_grant(admin, rights, roles, user_id)
    if admin.actor.visit_id is not None and user_id == admin.actor.user_id:
        raise Forbidden("a visitor invites themselves")


def revoke_operators(rows: Session, tenant_id: str, now: float) -> list[str]:
    """Those that operators sent to an account admin to be, and nobody has accepted; their ids."""
    revoked = rows.scalars(
        sa.update(Invitation)
        .where(Invitation.tenant_id == tenant_id, Invitation.source == OPERATOR, *WAITS)
        .values(revoked_at=now)
        .returning(Invitation.id)
    )
    return list(revoked)


def _change_waiting(admin: Administration, invitation_id: str, **changes: Any) -> None:
    changed = admin.rows.execute(
        sa.update(Invitation)
        .where(Invitation.id == invitation_id, *WAITS)
        .values(**changes)
        .returning(Invitation.id)
    ).first()
    if changed is None:
        raise Mistake(invitation=told("This invitation was accepted or revoked meanwhile."))


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
            .where(
                User.email_canonical == canonical,
                Membership.tenant_id == admin.tenant.id,
                STATUS_NOW != ENDED,
            ),
            {"now": admin.now},
        )
        is not None
    )


def find_waiting(admin: Administration, canonical: str) -> str | None:
    return admin.rows.scalar(
        sa.select(Invitation.id).where(
            Invitation.tenant_id == admin.tenant.id,
            Invitation.email_canonical == canonical,
            *WAITS,
        )
    )


def _post(
    db: Connection,
    keys: SecretKeys,
    secret: str,
    tenant: tuple[str, str, str],
    inviter: Inviter,
    email: str,
    locale: str,
    now: float,
) -> None:
    """In the language of who has an account, which only they get to see. It names who of the
    company invites, since anybody may call a company anything."""
    known = db.row(_KNOWN, email=email)
    name, language = known or ("", locale)
    by = inviter.user_id if inviter.source == MEMBER else None
    person = users.find_person(db, by) if by else None
    letter = {"template": "invitation", "to": email, "name": name, "locale": language}
    sealed = keys.encrypt(f"/invitation?token={secret}".encode(), LETTER_SECRET)
    about: dict[str, Any] = {"company": called(*tenant[1:]), "days": LIFETIME_DAYS}
    about |= {"inviter": person.email if person else None, "sealed_link": sealed}
    outbox.enqueue(db, outbox.LETTER, {**letter, **about}, now)
