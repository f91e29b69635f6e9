"""Who the operators are: they make each other. There is always one left."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp.directory import users
from idp.directory.acting import Forbidden, Mistake, NotFound
from idp.directory.operating import Operation
from idp.directory.users import User, canonical_email
from idp.errors import told
from idp.grants import ending


class Colleague(NamedTuple):
    id: str
    name: str
    email: str
    status: str


def operators(operation: Operation) -> list[Colleague]:
    """By name. Raises Forbidden."""
    operation.check("operators.manage")
    return sorted(_all(operation), key=lambda each: (each.name.casefold(), each.id))


def _all(operation: Operation) -> list[Colleague]:
    every = sa.select(User.id, User.name, User.email, User.status)
    return [Colleague(*row) for row in operation.rows.execute(every.where(User.is_operator))]


def get_operator(operation: Operation, user_id: str) -> Colleague:
    """Raises Forbidden, or NotFound."""
    for each in operators(operation):
        if each.id == user_id:
            return each
    raise NotFound("no such operator")


def add(operation: Operation, claimed_email: str) -> Colleague:
    """Somebody who is here already, with a proven address. Raises Forbidden,
    RecentSignInNeeded, or Mistake."""
    _in_turn(operation)
    added = operation.rows.execute(
        sa.update(User)
        .where(
            User.email_canonical == (canonical_email(claimed_email) or ""),
            User.email_verified_at.is_not(None),
            User.status == users.ACTIVE,
            User.is_operator.is_(sa.false()),
        )
        .values(**users.as_operator(True))
        .returning(User.id, User.name, User.email, User.status)
    ).first()
    if added is None:
        raise Mistake(
            email=told("Give the proven address of somebody who has an account and is no operator.")
        )
    colleague = Colleague(*added)
    operation.record("operator.added", person=colleague.id)
    return colleague


def remove(operation: Operation, user_id: str) -> Colleague:
    """Their visits and their tokens end with it. Never oneself, and never the last one who can
    sign in. Raises Forbidden, RecentSignInNeeded, NotFound, or Mistake."""
    _in_turn(operation)
    if user_id == operation.actor.user_id:
        raise Mistake(operator=told("You can't remove yourself: another operator can."))
    colleague = get_operator(operation, user_id)
    left = [each for each in _all(operation) if each.id != user_id and each.status == users.ACTIVE]
    if not left:
        raise Mistake(operator=told("This is the last operator: add another one first."))
    ending.end_of_operator(operation.db, user_id, operation.now)
    removed = sa.update(User).where(User.id == user_id).values(**users.as_operator(False))
    operation.rows.execute(removed)
    operation.record("operator.removed", person=user_id)
    return colleague


def _in_turn(operation: Operation) -> None:
    """One change at a time: who waited sees what the one before has done, and whoever was removed a
    moment ago changes nothing."""
    operation.check("operators.manage")
    operation.check_recent()
    ordered = sa.select(User.id).where(User.is_operator).order_by(User.id)
    still = set(operation.rows.scalars(ordered.with_for_update(key_share=True)))
    actor = operation.actor.user_id
    if actor is not None and actor not in still:
        raise Forbidden("an operator no more")
