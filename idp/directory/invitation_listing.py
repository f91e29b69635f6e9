"""The invitations of a company that nobody has accepted yet."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp.directory import paging
from idp.directory.acting import Administration
from idp.directory.invitations import WAITS, Invitation
from idp.directory.roles import Role
from idp.secret_values import SecretKeys

PAGE = 50


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


def pending(admin: Administration, keys: SecretKeys, cursor: str = "", size: int = PAGE) -> Page:
    """The newest first. Raises Forbidden, or CursorRefused."""
    admin.check("people.read")
    statement = sa.select(Invitation).where(*WAITS)
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
