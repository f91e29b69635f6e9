"""The other end of an invitation: by the person it was sent to, once (security.md S62).

Whoever has the link has read that address's mail, which is what proves the address. What it gives
is judged again when it is accepted: by what its inviter may do then (`inviters.py`). Nobody is
signed in by it: what is made here is a membership, and the way in leads through `/authorize`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from idp import audit, tenancy
from idp.audit import Origin
from idp.credentials import factors, password
from idp.database import Connection, Database
from idp.directory import granting, inviters, joining, tenants, users
from idp.directory.invitations import MEMBER, Invitation
from idp.directory.memberships import MembershipRole
from idp.directory.roles import Role
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.errors import PageRefusal, told
from idp.login import new_password
from idp.login.new_password import Lost, Owner, Prepared
from idp.policies.password_rules import Company
from idp.secret_values import SecretKeys, fingerprint

_TABLE: Any = Invitation.__table__
_IS_OPEN = (
    _TABLE.c.token_hash == sa.bindparam("hashed"),
    _TABLE.c.accepted_at.is_(None),
    _TABLE.c.revoked_at.is_(None),
    _TABLE.c.expires_at > sa.bindparam("now", type_=sa.Double),
)
_FIND = (
    sa.select(
        _TABLE.c.id,
        _TABLE.c.tenant_id,
        Tenant.slug,
        Tenant.name,
        *(_TABLE.c[name] for name in ("email", "email_canonical", "kind", "locale")),
        sa.type_coerce(_TABLE.c.role_ids, sa.Text),
        _TABLE.c.invited_by,
        sa.case((_TABLE.c.source == sa.literal_column(f"'{MEMBER}'"), User.email)),
    )
    .join_from(_TABLE, Tenant.__table__, Tenant.id == _TABLE.c.tenant_id)
    .outerjoin(User, User.id == _TABLE.c.invited_by)
    .where(*_IS_OPEN, Tenant.status == sa.literal_column(f"'{tenants.ACTIVE}'"))
)
_SPEND = (
    sa.update(_TABLE)
    .where(*_IS_OPEN)
    .values(accepted_at=sa.bindparam("spent_at", type_=sa.Double))
    .returning(_TABLE.c.id)
)
_VERIFY = (
    sa.update(User.__table__)  # type: ignore[arg-type]
    .where(User.id == sa.bindparam("user_id"), User.email_verified_at.is_(None))
    .values(email_verified_at=sa.bindparam("verified_at", type_=sa.Double))
)
_POLICY = sa.select(sa.type_coerce(Tenant.policy, sa.Text)).where(
    Tenant.id == sa.bindparam("tenant_id")
)
_ROLES = (
    sa.select(Role.key)
    .join(MembershipRole, MembershipRole.role_id == Role.id)
    .where(MembershipRole.membership_id == sa.bindparam("membership_id"))
)


class Open(NamedTuple):
    """An invitation that can still be accepted. `inviter` is the address of the member of the
    company who invites, None where it is none of them."""

    id: str
    tenant_id: str
    tenant: str
    tenant_name: str
    email: str
    email_canonical: str
    kind: str
    locale: str
    role_ids: str
    invited_by: str | None
    inviter: str | None


class NotOpen(PageRefusal):
    """Unknown, used, revoked, sent again, expired, of a suspended tenant, of an inviter who may not
    any more: all the same to whoever has the link."""

    def __init__(self, detail: str = "no open invitation") -> None:
        super().__init__(
            "invitation_over",
            told("This invitation can't be used. Ask whoever invited you for a new one."),
            detail,
            404,
        )


class SomebodyElse(PageRefusal):
    def __init__(self) -> None:
        super().__init__(
            "access_denied",
            told("This invitation is for another address than yours."),
            "signed in with another address",
            403,
        )


def look(database: Database, claimed_token: str, now: float) -> tuple[Open, bool]:
    """What can be accepted, and whether the address's owner can sign in; who was only written down
    so far can not. Raises NotOpen."""
    with _opened(database, claimed_token, now, read_only=True) as (db, found):
        person = users.find_by_email(db, found.email_canonical)
        return found, person is not None and _has_a_way_in(db, person.id)


def _has_a_way_in(db: Connection, user_id: str) -> bool:
    """A passkey is one without any password."""
    return bool(password.find_hash(db, user_id) or factors.enrolled(db, user_id))


def accept(database: Database, claimed_token: str, user_id: str, now: float, origin: Origin) -> str:
    """For a signed-in person; the tenant's slug. Raises NotOpen, or SomebodyElse."""
    with _opened(database, claimed_token, now) as (db, found):
        person = users.find_by_email(db, found.email_canonical)
        if person is None or person.id != user_id or person.status != users.ACTIVE:
            raise SomebodyElse
        if person.id == found.invited_by:
            raise NotOpen("by themselves")
        _spend(db, claimed_token, now)
        _let_in(db, found, person.id, now, origin)
    return found.tenant


def accept_as_new(
    database: Database,
    claimed_token: str,
    secret_keys: SecretKeys,
    owner: Owner,
    prepared: Prepared,
    now: float,
    origin: Origin,
) -> Open:
    """For somebody who can't sign in yet: they get a name and a password, and still have to use it.
    Raises NotOpen, also for whoever has got an account meanwhile."""
    with _opened(database, claimed_token, now) as (db, found):
        _spend(db, claimed_token, now)
        made = owner._replace(id=_make(db, found, owner.name, now))
        if _has_a_way_in(db, made.id):
            raise Lost
        first = prepared._replace(replaces=None)
        new_password.keep(db, secret_keys, made, first, now, origin, way=new_password.INVITED)
        _let_in(db, found, made.id, now, origin)
    return found


def owner_of(database: Database, found: Open, name: str) -> Owner:
    """Whoever is going to have an account, in the company that invites, and in those that know them
    already."""
    with database.connection() as db:
        person = users.find_by_email(db, found.email_canonical)
        known = new_password.owner_of(db, person.id).companies if person else ()
        [(policy,)] = db.rows(_POLICY, tenant_id=found.tenant_id)
    inviting = Company(found.tenant_name, policy, found.kind)
    return Owner(person.id if person else "", found.email, name, (inviting, *known))


@contextmanager
def _opened(
    database: Database, claimed_token: str, now: float, *, read_only: bool = False
) -> Iterator[tuple[Connection, Open]]:
    """In the turn of its tenant, so that who changes the inviter's rights has done so."""
    with database.connection() as db:
        tenant_id = _found(db, claimed_token, now).tenant_id
    try:
        with tenancy.session(database, tenant_id, read_only=read_only) as rows:
            if not read_only:
                granting.wait_for_turn_of(rows, tenant_id)
            db = Connection.of(database, rows)
            found = _found(db, claimed_token, now)
            invitation = rows.get_one(Invitation, found.id)
            if not inviters.may_still_invite(rows, db, invitation, now):
                raise NotOpen("whoever invited may not any more")
            yield db, found
    except Lost:
        raise NotOpen("somebody was first") from None


def _found(db: Connection, claimed_token: str, now: float) -> Open:
    row = db.row(_FIND, hashed=fingerprint(claimed_token), now=now)
    if row is None:
        raise NotOpen
    return Open._make(row)


def _spend(db: Connection, claimed_token: str, now: float) -> None:
    """One conditional write: of any number who come at once, one does."""
    if db.row(_SPEND, hashed=fingerprint(claimed_token), now=now, spent_at=now) is None:
        raise Lost


def _make(db: Connection, found: Open, name: str, now: float) -> str:
    """The person, who may have been written down without a way to sign in."""
    person = users.find_by_email(db, found.email_canonical)
    if person:
        if person.status != users.ACTIVE:
            raise Lost
        return person.id
    address = (found.email_canonical, found.email_canonical)
    made = joining.make_user(db, *address, name, found.locale, now, verified_at=now)
    if made is None:
        raise Lost
    return made


def _let_in(db: Connection, found: Open, user_id: str, now: float, origin: Origin) -> None:
    """Whoever is a member already stays as they are."""
    db.run(_VERIFY, user_id=user_id, verified_at=now)
    role_ids = orjson.loads(found.role_ids)
    membership = joining.join(db, user_id, found.tenant_id, found.kind, role_ids, now)
    given = db.rows(_ROLES, membership_id=membership) if membership else []
    audit.record(
        db,
        "invitation.accepted",
        now,
        origin,
        actor=user_id,
        tenant=found.tenant_id,
        person=user_id,
        invitation=found.id,
        membership=membership,
        after=sorted(key for (key,) in given),
    )
