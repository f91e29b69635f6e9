"""An admin's reset of somebody's second factors (product.md M9, N5; docs/decisions/0029).

It unlinks what that person has enrolled and that they skipped it, ends their sessions and refresh
tokens, and touches nobody else; the next sign-in enrols anew where the policy demands it. Nobody
resets themselves, or somebody above them (security.md S79), and the admin has just proven a second
factor of their own. A person whose sign-in protects more than this company, since they are at home
in another one or operate the platform, is reset by an operator who visits, and nobody else: else
whoever administers one company would come closer to what another one protects.

Where the company wants it so, one admin asks and another one approves, within a day.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.credentials import factors
from idp.database import Base, Connection
from idp.directory import granting, memberships, person, tenants, users
from idp.directory.acting import Administration, Forbidden, Mistake, Rights, rights_of
from idp.directory.memberships import Membership
from idp.directory.person import Member
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.errors import told
from idp.policies.second_factor_terms import SECOND_ADMIN
from idp.secret_values import new_id
from idp.sessions import logout
from idp.sessions.browser import SsoSession
from idp.tenancy import TenantOwned

PERMISSION = "people.manage"
GOOD_FOR = 86400.0  # seconds in which another admin may approve

WAITING = "waiting"
APPROVED = "approved"
REFUSED = "refused"
LAPSED = "lapsed"
_IS_WAITING = sa.text("status = 'waiting'")


class FactorReset(TenantOwned, Base):
    """A reset that one admin asked for. `status` is one of those above."""

    __tablename__ = "factor_resets"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["membership_id", "tenant_id"],
            ["memberships.id", "memberships.tenant_id"],
            ondelete="CASCADE",
        ),
        sa.Index(
            "uq_factor_resets_waiting",
            "membership_id",
            unique=True,
            sqlite_where=_IS_WAITING,
            postgresql_where=_IS_WAITING,
        ),
        sa.Index("ix_factor_resets_by_tenant", "tenant_id", "status", "asked_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    membership_id: Mapped[str]
    status: Mapped[str] = mapped_column(default=WAITING)
    asked_by: Mapped[str] = mapped_column(sa.ForeignKey("users.id"))
    asked_at: Mapped[float]
    decided_by: Mapped[str | None] = mapped_column(sa.ForeignKey("users.id"))
    decided_at: Mapped[float | None]


class Waiting(NamedTuple):
    """A request, by whom, and until when another admin may approve it."""

    id: str
    membership_id: str
    person: str
    asked_by: str
    asked_by_name: str
    asked_at: float

    @property
    def ends_at(self) -> float:
        return self.asked_at + GOOD_FOR


class _Subject(NamedTuple):
    someone: Member
    is_shared: bool


def reset(admin: Administration, membership_id: str) -> Waiting | None:
    """What waits for another admin, or None where it is done. Raises Forbidden,
    SecondFactorNeeded, NotFound, or Mistake."""
    subject = _subject(admin, membership_id)
    if not needs_second_admin(admin):
        _unlink(admin, subject)
        return None
    return _ask(admin, subject.someone)


def approve(admin: Administration, reset_id: str) -> None:
    """By another than who asked. Raises the same."""
    admin.check(PERMISSION)
    if admin.actor.user_id is None:
        raise Forbidden("a program approves no reset")
    row = admin.get(FactorReset, reset_id)
    subject = _subject(admin, row.membership_id)
    if row.asked_by == admin.actor.user_id:
        raise Forbidden("nobody approves what they asked for")
    _decide(admin, row, APPROVED)
    _unlink(admin, subject, request=row.id)


def refuse(admin: Administration, reset_id: str) -> None:
    """Also by who asked, to take it back. Raises Forbidden, RecentSignInNeeded, NotFound, or
    Mistake."""
    admin.check(PERMISSION)
    admin.check_recent()
    granting.in_turn(admin, PERMISSION)
    row = admin.get(FactorReset, reset_id)
    someone = person.find_member(admin, row.membership_id)
    _decide(admin, row, REFUSED)
    admin.record("person.second_factors_reset_refused", **person.about(someone), request=row.id)


def waiting(admin: Administration, membership_id: str | None = None) -> list[Waiting]:
    """All that can still be approved, or that of one member; the oldest first."""
    asker, subject = sa.orm.aliased(User), sa.orm.aliased(User)
    found = (
        sa.select(
            *(FactorReset.id, FactorReset.membership_id, subject.name),
            *(FactorReset.asked_by, asker.name, FactorReset.asked_at),
        )
        .join(Membership, Membership.id == FactorReset.membership_id)
        .join(subject, subject.id == Membership.user_id)
        .join(asker, asker.id == FactorReset.asked_by)
        .where(FactorReset.status == WAITING, FactorReset.asked_at > admin.now - GOOD_FOR)
        .order_by(FactorReset.asked_at)
        .limit(100)
    )
    if membership_id is not None:
        found = found.where(FactorReset.membership_id == membership_id)
    return [Waiting._make(row) for row in admin.rows.execute(found)]


def may_reset(admin: Administration, someone: Member) -> bool:
    """Whether to offer it: what the person is elsewhere comes up only when it is tried."""
    theirs = rights_of(admin.db, someone.id)
    return admin.may(PERMISSION) and _is_within(admin, admin.actor.rights, someone, theirs)


def needs_second_admin(admin: Administration) -> bool:
    return bool(admin.rows.get_one(Tenant, admin.tenant.id).policy.get(SECOND_ADMIN, False))


def _subject(admin: Administration, membership_id: str) -> _Subject:
    """Somebody whom the actor may reset, in the tenant's turn."""
    admin.check(PERMISSION)
    someone = person.find_member(admin, membership_id)
    admin.check_second_factor()
    is_shared = _is_shared(admin, someone)
    rights = granting.in_turn(admin, PERMISSION)
    someone = person.find_member(admin, membership_id)
    if not _is_within(admin, rights, someone, rights_of(admin.db, membership_id)):
        raise Forbidden("oneself, somebody above, or somebody from another company")
    if is_shared and admin.actor.visit_id is None:
        raise Mistake(
            reset=told(
                "More than this company rests on their sign-in. Ask an operator to reset it."
            )
        )
    return _Subject(someone, is_shared)


def _is_within(admin: Administration, rights: Rights, someone: Member, theirs: Rights) -> bool:
    """A visitor is who helps the last account admin, and so is below nobody here."""
    is_below = admin.actor.visit_id is not None or granting.may_act_on(rights, theirs)
    is_in = someone.is_home and someone.status != memberships.ENDED
    return is_below and is_in and someone.user_id != admin.actor.user_id


_HOMES = (
    sa.select(Membership.tenant_id)
    .join(Tenant, Tenant.id == Membership.tenant_id)
    .where(
        Membership.user_id == sa.bindparam("user_id"),
        Membership.source == sa.literal_column(f"'{memberships.HOME}'"),
        memberships.HAS_NOT_ENDED,
        Tenant.status != sa.literal_column(f"'{tenants.ENDED}'"),
    )
)
_OPERATES = sa.select(User.is_operator).where(User.id == sa.bindparam("user_id"))


def _is_shared(admin: Administration, someone: Member) -> bool:
    with admin.database.connection() as db:
        (operates,) = db.row(_OPERATES, user_id=someone.user_id) or (False,)
        return bool(operates) or bool(_other_homes(db, admin, someone))


def _other_homes(db: Connection, admin: Administration, someone: Member) -> list[str]:
    """Asked on a connection that sees every company."""
    rows = db.rows(_HOMES, user_id=someone.user_id)
    return [tenant_id for (tenant_id,) in rows if tenant_id != admin.tenant.id]


def _unlink(admin: Administration, subject: _Subject, **more: Any) -> None:
    someone = subject.someone
    unlinked = factors.unlink_all(admin.db, someone.user_id)
    admin.get(Membership, someone.id).second_factor_skipped_at = None
    admin.rows.execute(
        sa.update(FactorReset)
        .where(FactorReset.membership_id == someone.id, FactorReset.status == WAITING)
        .values(status=LAPSED)
    )
    _end_sign_ins(admin, someone.user_id)
    about = person.about(someone)
    methods = [each.method for each in unlinked]
    admin.record("person.second_factors_reset", **about, factors=methods, **more)
    if subject.is_shared:
        _tell_the_others(admin, someone)


def _end_sign_ins(admin: Administration, user_id: str) -> None:
    """Everywhere: a session may rest on what is unlinked."""
    own = sa.select(SsoSession.id, SsoSession.auth_time).where(
        SsoSession.user_id == user_id, SsoSession.ended_at.is_(None)
    )
    open_sessions = admin.rows.execute(own).all()
    last = max((row.auth_time for row in open_sessions), default=0.0)
    reason = "an admin reset the second factors"
    for row in open_sessions:
        logout.end(admin.db, row.id, reason, admin.now, admin.origin)
    users.refuse_proofs(admin.db, user_id, max(admin.now, last))


def _tell_the_others(admin: Administration, someone: Member) -> None:
    with admin.database.connection() as db:
        others = _other_homes(db, admin, someone)
    for tenant_id in others:
        audit.record(
            admin.db,
            "person.second_factors_reset_elsewhere",
            admin.now,
            admin.origin,
            actor=admin.actor.user_id,
            tenant=tenant_id,
            person=someone.user_id,
        )


def _ask(admin: Administration, someone: Member) -> Waiting:
    admin.rows.execute(
        sa.update(FactorReset)
        .where(
            FactorReset.membership_id == someone.id,
            FactorReset.status == WAITING,
            FactorReset.asked_at <= admin.now - GOOD_FOR,
        )
        .values(status=LAPSED)
    )
    if waiting(admin, someone.id):
        raise Mistake(reset=told("A reset is asked for already, and waits for another admin."))
    asked_by = admin.actor.user_id or ""
    row = FactorReset(
        id=new_id(),
        tenant_id=admin.tenant.id,
        membership_id=someone.id,
        asked_by=asked_by,
        asked_at=admin.now,
    )
    admin.rows.add(row)
    admin.rows.flush()
    admin.record("person.second_factors_reset_asked", **person.about(someone), request=row.id)
    return waiting(admin, someone.id)[0]


def _decide(admin: Administration, row: FactorReset, status: str) -> None:
    """One conditional write: of two who decide, one does."""
    decided = admin.rows.execute(
        sa.update(FactorReset)
        .where(
            FactorReset.id == row.id,
            FactorReset.status == WAITING,
            FactorReset.asked_at > admin.now - GOOD_FOR,
        )
        .values(status=status, decided_by=admin.actor.user_id, decided_at=admin.now)
        .returning(FactorReset.id)
        .execution_options(synchronize_session=False)
    ).first()
    if decided is None:
        raise Mistake(reset=told("This does not wait for anybody any more."))
