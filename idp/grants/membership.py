"""What an admin ends of a member: a session, all of them, or the membership itself (product.md S8).

Everything that a membership opened reads its status each time, so disabling it counts at once;
ending the sessions tells the products too, and ending the grants keeps what was stolen from waking
up when the membership is enabled again.

A browser's session may have been at several companies. An admin sees and ends what is of theirs: a
session that is at this company now, and of any other what it holds here. Whatever goes on elsewhere
comes back to this company only with another proof of who it is.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp.directory import account_admins, granting, memberships, person
from idp.directory.acting import Administration, Forbidden, Mistake, rights_of
from idp.directory.clients import Client
from idp.directory.memberships import Membership
from idp.directory.person import Member
from idp.errors import told
from idp.grants import ending
from idp.grants.grant_row import Grant
from idp.sessions import browser, logout, of_person
from idp.sessions.browser import SsoSession
from idp.sessions.of_person import SignOut


class OpenSession(NamedTuple):
    """`products` are keys."""

    id: str
    user_agent: str
    address: str
    started_at: float
    last_seen_at: float
    products: tuple[str, ...]


def open_sessions(admin: Administration, someone: Member, idle: float) -> list[OpenSession]:
    """Those of a person whose home is here, the latest first, with what was opened in them here;
    `idle` is the platform's limit in seconds. Whoever came from another company has their sessions
    there. Raises Forbidden."""
    admin.check("people.read")
    return [
        OpenSession(
            *(row.id, row.user_agent, row.address, row.auth_time, row.last_seen_at),
            _products(admin, someone, row.id),
        )
        for row in _live(admin, someone, idle)
    ]


def sign_outs(admin: Administration, someone: Member) -> list[SignOut]:
    """What the products that were opened here were told at the last sign-outs of a person whose
    home is here (product.md N6). Raises Forbidden."""
    admin.check("people.read")
    if not someone.is_home:
        return []
    found = []
    for each in of_person.sign_outs(admin.db, someone.user_id, admin.now):
        here = _products(admin, someone, each.session_id)
        receipts = tuple(receipt for receipt in each.receipts if receipt.product_key in here)
        found += [each._replace(receipts=receipts)] if receipts else []
    return found


def end_sessions(
    admin: Administration, membership_id: str, idle: float, session_id: str | None = None
) -> int:
    """One of them, or all; how many ended. The member is told. Raises Forbidden,
    RecentSignInNeeded, or NotFound."""
    admin.check("people.manage")
    admin.check_recent()
    rights = granting.in_turn(admin, "people.manage")
    someone = person.find_member(admin, membership_id)
    if not granting.may_act_on(rights, rights_of(admin.db, membership_id)):
        raise Forbidden("a person above them")
    ended = [
        row.id
        for row in _live(admin, someone, idle)
        if session_id in (None, row.id) and _end_here(admin, someone, row)
    ]
    if ended and session_id is None:
        browser.leave_tenant(admin.db, someone.user_id, admin.tenant.id)
    if ended:
        admin.record("person.sessions_ended", **person.about(someone), sessions=ended)
    return len(ended)


def disable(admin: Administration, membership_id: str) -> None:
    """The person opens nothing here any more, at once. Raises Forbidden, RecentSignInNeeded,
    NotFound, or Mistake."""
    someone = _changeable(admin, membership_id)
    if someone.user_id == admin.actor.user_id:
        raise Forbidden("oneself")
    if rights_of(admin.db, membership_id).has_all:
        account_admins.check_one_remains(admin, without=membership_id)
    _turn(admin, someone, memberships.ACTIVE, memberships.DISABLED)
    for (session_id,) in admin.rows.execute(
        sa.select(SsoSession.id).where(
            SsoSession.user_id == someone.user_id,
            SsoSession.tenant_id == admin.tenant.id,
            SsoSession.ended_at.is_(None),
        )
    ).all():
        logout.end(admin.db, session_id, "the membership was disabled", admin.now, admin.origin)
    ending.end_of_person(admin.db, admin.tenant.id, someone.user_id, admin.now)
    admin.record("person.disabled", **person.about(someone))


def enable(admin: Administration, membership_id: str) -> None:
    """Raises Forbidden, RecentSignInNeeded, NotFound, or Mistake."""
    someone = _changeable(admin, membership_id)
    _turn(admin, someone, memberships.DISABLED, memberships.ACTIVE)
    admin.record("person.enabled", **person.about(someone))


def _live(admin: Administration, someone: Member, idle: float) -> list[SsoSession]:
    if not someone.is_home:
        return []
    live = sa.select(SsoSession).where(
        SsoSession.user_id == someone.user_id,
        SsoSession.ended_at.is_(None),
        SsoSession.expires_at > admin.now,
        SsoSession.last_seen_at > admin.now - idle,
        sa.or_(
            SsoSession.tenant_id == admin.tenant.id,
            sa.exists().where(
                Grant.user_id == someone.user_id,
                Grant.session_id == SsoSession.id,
                Grant.membership_id == someone.id,
                Grant.ended_at.is_(None),
                Grant.expires_at > admin.now,
            ),
        ),
    )
    return list(admin.rows.scalars(live.order_by(SsoSession.last_seen_at.desc())))


def _products(admin: Administration, someone: Member, session_id: str) -> tuple[str, ...]:
    opened = (
        sa.select(Client.product_key)
        .join(Grant, Grant.client_id == Client.client_id)
        .where(
            Grant.user_id == someone.user_id,
            Grant.session_id == session_id,
            Grant.membership_id == someone.id,
        )
        .order_by(Grant.created_at)
    )
    return tuple(dict.fromkeys(admin.rows.scalars(opened)))


def _end_here(admin: Administration, someone: Member, session: SsoSession) -> bool:
    if session.tenant_id == admin.tenant.id:
        return logout.end(admin.db, session.id, "an admin ended it", admin.now, admin.origin)
    tenant_id, whose = admin.tenant.id, (someone.user_id, someone.id)
    ending.end_in_session(admin.db, tenant_id, *whose, session.id, admin.now)
    return True


def _changeable(admin: Administration, membership_id: str) -> Member:
    """Somebody whose membership the actor may switch off and on, in the tenant's turn."""
    managed_by = person.find_member(admin, membership_id).managed_by
    admin.check(managed_by)
    admin.check_recent()
    rights = granting.in_turn(admin, managed_by)
    if not granting.may_act_on(rights, rights_of(admin.db, membership_id)):
        raise Forbidden("a person above them")
    return person.find_member(admin, membership_id)


def _turn(admin: Administration, someone: Member, before: str, after: str) -> None:
    """One conditional write: of two who do it at once, one does."""
    turned = admin.rows.execute(
        sa.update(Membership)
        .where(Membership.id == someone.id, Membership.status == before)
        .values(status=after)
        .returning(Membership.id)
    ).first()
    if turned is None:
        raise Mistake(status=told("Somebody has changed this person meanwhile."))
