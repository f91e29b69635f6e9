"""Who operates the platform, and by what right: operators at their console, clients at the API.

An operator reaches tenants, products and keys. The people of a tenant are the tenant's: a rule here
shows of them what it has to, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp import audit, tenancy
from idp.audit import NOWHERE, Origin
from idp.database import Connection, Database
from idp.directory.acting import RECENT, Forbidden, RecentSignInNeeded
from idp.directory.catalog import Catalog
from idp.directory.users import User


@dataclass(frozen=True, slots=True)
class Operator:
    """A person, or a client of the platform's, which has no `auth_time`. `permissions` are nodes of
    the platform's tree."""

    user_id: str | None
    client_id: str | None
    auth_time: float | None
    permissions: frozenset[str]


NOBODY = Operator(None, None, None, frozenset())


@dataclass(frozen=True)
class Operation:
    """One operator's transaction, over every tenant's rows."""

    actor: Operator
    catalog: Catalog
    database: Database
    rows: Session
    db: Connection
    now: float
    origin: Origin

    def may(self, permission: str) -> bool:
        return permission in self.actor.permissions

    def check(self, permission: str) -> None:
        """Raises Forbidden."""
        if not self.may(permission):
            raise Forbidden(f"{permission} is missing")

    def check_recent(self) -> None:
        """As for a tenant's admins. Raises RecentSignInNeeded."""
        auth_time = self.actor.auth_time
        if auth_time is not None and self.now - auth_time > RECENT:
            raise RecentSignInNeeded

    def by_nobody(self) -> Operation:
        """For what a date does, whoever has noticed."""
        return replace(self, actor=NOBODY, origin=NOWHERE)

    def record(self, tag: str, *, tenant: str | None = None, **detail: Any) -> None:
        """An audit event of the platform's, or of the tenant that it is about."""
        audit.record(
            self.db,
            tag,
            self.now,
            self.origin,
            actor=self.actor.user_id,
            tenant=tenant,
            client=self.actor.client_id,
            **detail,
        )


@contextmanager
def operation(
    database: Database,
    catalog: Catalog,
    actor: Operator,
    now: float,
    origin: Origin,
    *,
    read_only: bool = False,
) -> Iterator[Operation]:
    with tenancy.every_tenant(database, read_only=read_only) as rows:
        db = Connection.of(database, rows)
        yield Operation(actor, catalog, database, rows, db, now, origin)


_IS_OPERATOR = sa.select(User.id).where(
    User.id == sa.bindparam("user_id"), User.is_operator.is_(sa.true())
)


def is_operator(db: Connection, user_id: str) -> bool:
    return db.row(_IS_OPERATOR, user_id=user_id) is not None
