"""Who decides about those that wait to be let into a company (product.md S5).

One decision wins, and rests on what is so when it is made: the address by which they came is still
theirs, its domain the company's, and their account in force. Whoever is refused has nothing of the
company, and may be invited all the same.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp.directory import domain_names, granting, joining, memberships, paging, users
from idp.directory.access_steps import check_mistakes, checked_reason
from idp.directory.acting import Administration, Forbidden, Mistake, Rights
from idp.directory.domains import Domain, Doubt
from idp.directory.former_addresses import FormerAddress
from idp.directory.join_requests import (
    APPROVED,
    HAS_LAPSED,
    IN_TIME,
    LAPSED,
    LIFETIME,
    REFUSED,
    WAITING,
    JoinRequest,
)
from idp.directory.memberships import KINDS, Membership
from idp.directory.users import User
from idp.errors import told
from idp.secret_values import SecretKeys

PERMISSION = "people.manage"
PAGE = 50
Verified = dict[str | None, Doubt | None]  # the company's domains, each with its doubt


class Waiting(NamedTuple):
    """`email` is the address by which they came. `obstacle` is a sentence that says why nobody can
    let them in; `is_known_address` tells that somebody else here had the address, `doubt` why its
    domain may be somebody else's by now: to have proven to read the mail is worth little then."""

    id: str
    user_id: str
    name: str
    email: str
    asked_at: float
    obstacle: str | None
    is_known_address: bool
    doubt: Doubt | None


class Page(NamedTuple):
    requests: list[Waiting]
    next: str | None


class Former(NamedTuple):
    """Somebody who had an address. `status` is that of their membership here, or of their request
    if they were no member: LAPSED, where nobody has decided about it."""

    name: str
    status: str


_LISTED: Any = sa.select(
    JoinRequest.id,
    JoinRequest.user_id,
    User.name,
    JoinRequest.email,
    JoinRequest.asked_at,
    User.email_canonical,
    User.status,
    sa.exists().where(
        FormerAddress.email == JoinRequest.email,
        FormerAddress.tenant_id == JoinRequest.tenant_id,
        FormerAddress.user_id != JoinRequest.user_id,
    ),
).join(User, User.id == JoinRequest.user_id)


def waiting(admin: Administration, keys: SecretKeys, cursor: str = "", size: int = PAGE) -> Page:
    """Who has waited longest first. Raises Forbidden, or CursorRefused."""
    admin.check(PERMISSION)
    statement = _LISTED.where(IN_TIME)
    if cursor:
        after = paging.opened(keys, admin.tenant.id, ("join_requests",), cursor)
        order = sa.tuple_(JoinRequest.asked_at, JoinRequest.id)
        statement = statement.where(order > sa.tuple_(*map(sa.literal, after)))
    oldest = statement.order_by(JoinRequest.asked_at, JoinRequest.id).limit(size + 1)
    domains = _verified(admin)
    rows = [_shown(row, domains) for row in admin.rows.execute(oldest, {"now": admin.now})]
    if len(rows) <= size:
        return Page(rows, None)
    last = rows[size - 1]
    position = (last.asked_at, last.id)
    return Page(rows[:size], paging.seal(keys, admin.tenant.id, ("join_requests",), position))


def one(admin: Administration, request_id: str) -> Waiting:
    """Raises Forbidden, NotFound, or Mistake for one that is not to be decided about any more."""
    admin.check(PERMISSION)
    return _one(admin, _open(admin, request_id))


def _one(admin: Administration, found: JoinRequest) -> Waiting:
    row = admin.rows.execute(_LISTED.where(JoinRequest.id == found.id)).one()
    return _shown(row, _verified(admin))


def _open(admin: Administration, request_id: str) -> JoinRequest:
    found = admin.get(JoinRequest, request_id)
    if found.status != WAITING:
        raise _decided()
    if found.asked_at <= admin.now - LIFETIME:
        raise Mistake(request=told("They have waited too long. Invite them, if they belong here."))
    return found


def _verified(admin: Administration) -> Verified:
    rows = admin.rows.scalars(sa.select(Domain).where(Domain.verified_at.is_not(None)))
    return {row.name: row.doubt for row in rows}


def _shown(row: Any, domains: Verified) -> Waiting:
    *shown, address_now, status, is_known = row
    domain = domain_names.of_address(shown[3])
    obstacle = _obstacle(shown[3] == address_now, domain in domains, status)
    return Waiting._make((*shown, obstacle, bool(is_known), domains.get(domain)))


def _obstacle(has_address: bool, is_domain_ours: bool, status: str) -> str | None:
    if not has_address:
        return told("They have another address by now. Invite them, if they belong here.")
    if not is_domain_ours:
        return told("The domain of their address is not this company's any more.")
    if status != users.ACTIVE:
        return told("Their account is disabled.")
    return None


def former_people(admin: Administration, asking: Waiting) -> list[Former]:
    """The others of this company who had the address before. Raises Forbidden."""
    admin.check(PERMISSION)
    whose = sa.select(User.id, User.name, User.status).join(
        FormerAddress, FormerAddress.user_id == User.id
    )
    others = (FormerAddress.email == asking.email, FormerAddress.user_id != asking.user_id)
    had = admin.rows.execute(whose.where(*others).order_by(User.id)).all()
    return [Former(name, _became(admin, user_id, status)) for user_id, name, status in had]


def _became(admin: Administration, user_id: str, status: str) -> str:
    was = sa.select(memberships.STATUS_NOW).where(
        Membership.user_id == user_id, Membership.source == memberships.HOME
    )
    asked = sa.select(JoinRequest.status).where(JoinRequest.user_id == user_id, sa.not_(HAS_LAPSED))
    now = {"now": admin.now}
    here = admin.rows.scalar(was.order_by(Membership.created_at.desc()).limit(1), now)
    if here == memberships.ACTIVE and status != users.ACTIVE:
        return memberships.DISABLED
    last = asked.order_by(JoinRequest.asked_at.desc()).limit(1)
    return str(here or admin.rows.scalar(last, now) or LAPSED)


def approve(
    admin: Administration, request_id: str, kind: str, role_keys: Collection[str]
) -> str | None:
    """Let somebody in, with these roles; the new membership's id. None if they have come in
    meanwhile by another way, and then they stay as they are. Raises Forbidden,
    RecentSignInNeeded, NotFound, or Mistake."""
    rights = _in_turn(admin)
    row = _get(admin, request_id)
    if kind not in KINDS:
        raise Mistake(kind=told("Choose what kind of person it is."))
    users.keep_as_is(admin.db, row.user_id)
    if obstacle := _one(admin, row).obstacle:
        raise Mistake(request=obstacle)
    roles = granting.roles_named(admin, role_keys)
    granting.check_may_grant(admin, rights, roles, row.user_id)
    _decide(admin, row, APPROVED)
    whom = (row.user_id, admin.tenant.id, kind, [role.id for role in roles])
    membership = joining.join(admin.db, *whom, admin.now)
    after = sorted(role.key for role in roles) if membership else []
    about = {"person": row.user_id, "request": row.id, "membership": membership}
    admin.record("join.approved", **about, after=after)
    return membership


def refuse(admin: Administration, request_id: str, reason: str) -> None:
    """The person reads the reason. Raises the same."""
    _in_turn(admin)
    row = _get(admin, request_id)
    errors: dict[str, str] = {}
    text = checked_reason(reason, errors)
    check_mistakes(errors)
    _decide(admin, row, REFUSED)
    admin.record("join.refused", person=row.user_id, request=row.id, reason=text)


def _in_turn(admin: Administration) -> Rights:
    admin.check(PERMISSION)
    admin.check_recent()
    return granting.in_turn(admin, PERMISSION)


def _get(admin: Administration, request_id: str) -> JoinRequest:
    row = _open(admin, request_id)
    if row.user_id == admin.actor.user_id:
        raise Forbidden("nobody decides about themselves")
    return row


def _decide(admin: Administration, row: JoinRequest, status: str) -> None:
    """One conditional write: of any number who decide at once, one does."""
    decided = admin.rows.execute(
        sa.update(JoinRequest)
        .where(JoinRequest.id == row.id, JoinRequest.status == WAITING)
        .values(status=status, decided_by=admin.actor.user_id, decided_at=admin.now)
        .returning(JoinRequest.id)
        .execution_options(synchronize_session=False)
    ).first()
    if decided is None:
        raise _decided()


def _decided() -> Mistake:
    return Mistake(request=told("Somebody has decided about this meanwhile."))
