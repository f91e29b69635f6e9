"""Who is written to: people with their addresses and languages, by what they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from idp.database import Connection
from idp.directory import account_admins as account_admins_in
from idp.directory import users
from idp.directory.roles import Role
from idp.directory.users import User


class Reader(NamedTuple):
    id: str
    email: str
    name: str
    locale: str


COLUMNS = (User.id, User.email, User.name, User.locale)
_IS_ACTIVE = User.status == sa.literal_column(f"'{users.ACTIVE}'")
_BY_ID = sa.select(*COLUMNS).where(User.id == sa.bindparam("user_id"))
_OPERATORS = sa.select(*COLUMNS).where(User.is_operator, _IS_ACTIVE)
_ACCOUNT_ADMINS = account_admins_in.IN_FORCE.where(Role.tenant_id == sa.bindparam("tenant_id"))


def people(db: Connection, user_ids: Iterable[str | None]) -> list[Reader]:
    """Whatever their status is: who was disabled is told of it."""
    rows = (db.row(_BY_ID, user_id=user_id) for user_id in user_ids if user_id)
    return [Reader._make(row) for row in rows if row]


def operators(db: Connection) -> list[Reader]:
    return [Reader._make(row) for row in db.rows(_OPERATORS)]


def account_admins(db: Connection, tenant_id: str, now: float) -> list[Reader]:
    """Those who can sign in, whatever the tenant's status is."""
    return [Reader._make(row) for row in db.rows(_ACCOUNT_ADMINS, tenant_id=tenant_id, now=now)]
