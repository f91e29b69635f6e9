"""An admin's reset of somebody's second factors (product.md M9, N5; docs/decisions/0029).

Where the company wants it so, one admin asks and another one approves, within a day. Only people
decide, each of them having just proven a second factor of their own.
"""

from __future__ import annotations

import math
from typing import Any

import sqlalchemy as sa

from idp.directory import granting, person
from idp.directory.acting import Administration, Forbidden, Mistake
from idp.directory.person import Member
from idp.directory.tenants import Tenant
from idp.errors import told
from idp.grants import factor_unlinking, reset_requests
from idp.grants.factor_unlinking import Subject
from idp.grants.reset_requests import (
    APPROVED,
    GOOD_FOR,
    PERMISSION,
    REFUSED,
    FactorReset,
    Waiting,
    is_waiting,
)
from idp.policies.second_factor_terms import SECOND_ADMIN
from idp.secret_values import new_id


def reset(admin: Administration, membership_id: str) -> Waiting | None:
    """What waits for another admin, or None where it is done. Raises Forbidden,
    SecondFactorNeeded, NotFound, or Mistake."""
    subject = factor_unlinking.subject(admin, membership_id)
    if not needs_second_admin(admin):
        _unlink(admin, subject)
        return None
    return _ask(admin, subject.someone)


def approve(admin: Administration, reset_id: str) -> None:
    """By another than who asked, who is told. Raises the same."""
    _check_decides(admin)
    row = admin.get(FactorReset, reset_id)
    subject = factor_unlinking.subject(admin, row.membership_id)
    if row.asked_by == admin.actor.user_id:
        raise Forbidden("nobody approves what they asked for")
    _decide(admin, row, APPROVED)
    _unlink(admin, subject, request=row.id, asked_by=row.asked_by)


def refuse(admin: Administration, reset_id: str) -> None:
    """Also by who asked, to take it back. Raises Forbidden, RecentSignInNeeded, NotFound, or
    Mistake."""
    _check_decides(admin)
    admin.check_recent()
    granting.in_turn(admin, PERMISSION)
    row = admin.get(FactorReset, reset_id)
    someone = person.find_member(admin, row.membership_id)
    _decide(admin, row, REFUSED)
    about = {**person.about(someone), "request": row.id, "asked_by": row.asked_by}
    admin.record("person.second_factors_reset_refused", **about)


def may_approve(admin: Administration, waits: Waiting) -> bool:
    """Whether to offer it."""
    someone = person.find_member(admin, waits.membership_id)
    is_own = waits.asked_by == admin.actor.user_id
    return not is_own and factor_unlinking.may_unlink(admin, someone)


def needs_second_admin(admin: Administration) -> bool:
    return bool(admin.rows.get_one(Tenant, admin.tenant.id).policy.get(SECOND_ADMIN, False))


def _check_decides(admin: Administration) -> None:
    admin.check(PERMISSION)
    if admin.actor.user_id is None:
        raise Forbidden("a program decides about no reset")


def _unlink(admin: Administration, subject: Subject, **more: Any) -> None:
    reset_requests.lapse(admin, subject.someone.id, math.inf)
    factor_unlinking.unlink(admin, subject, **more)


def _ask(admin: Administration, someone: Member) -> Waiting:
    reset_requests.lapse(admin, someone.id, admin.now - GOOD_FOR)
    if reset_requests.find(admin, someone.id):
        raise Mistake(reset=told("A reset is asked for already, and waits for another admin."))
    row = FactorReset(
        id=new_id(),
        tenant_id=admin.tenant.id,
        membership_id=someone.id,
        asked_by=admin.actor.user_id,
        asked_at=admin.now,
    )
    admin.rows.add(row)
    admin.rows.flush()
    admin.record("person.second_factors_reset_asked", **person.about(someone), request=row.id)
    waits = reset_requests.find(admin, someone.id)
    assert waits
    return waits


def _decide(admin: Administration, row: FactorReset, status: str) -> None:
    """One conditional write: of two who decide, one does."""
    decided = admin.rows.execute(
        sa.update(FactorReset)
        .where(FactorReset.id == row.id, is_waiting(admin.now))
        .values(status=status, decided_by=admin.actor.user_id, decided_at=admin.now)
        .returning(FactorReset.id)
        .execution_options(synchronize_session=False)
    ).first()
    if decided is None:
        raise Mistake(reset=told("This does not wait for anybody any more."))
