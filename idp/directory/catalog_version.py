"""Which version of the catalogue a process has, and what has changed since.

Every change bumps one version row in the same transaction (`touch`), and says which clients it is
about. A process looks at that row at most once a second and reads those clients anew, so a change
is seen everywhere within a second, however many clients there are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection, Database
from idp.directory.clients import Client
from idp.errors import StoreUnavailable

FRESH_FOR = 1.0

Loaded = TypeVar("Loaded")


class CatalogVersion(Base):
    """One row."""

    __tablename__ = "catalog_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]


class CatalogChange(Base):
    """Which client a version is about, "" for none. Versions without a row may be about any, as
    those that are older than the newest KEPT_VERSIONS."""

    __tablename__ = "catalog_changes"

    version: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(primary_key=True)


KEPT_VERSIONS = 1000
MANY = 1000  # clients that changed: all of them are read as soon

_READ_VERSION = sa.select(CatalogVersion.version)
_CHANGES = sa.select(CatalogChange.version, CatalogChange.client_id).limit(MANY + 1)
_TOUCH = (
    sa.update(CatalogVersion)
    .values(version=CatalogVersion.version + 1)
    .returning(CatalogVersion.version)
)
_NOTE = sa.insert(CatalogChange)
_FORGET = sa.delete(CatalogChange).where(
    CatalogChange.version <= sa.bindparam("version", type_=sa.Integer) - KEPT_VERSIONS
)
_CLIENTS_OF = sa.select(Client.client_id).where(
    Client.tenant_id == sa.bindparam("tenant_id", type_=sa.Text)
)
NO_CLIENT = ("",)


def touch(db: Connection, clients: Iterable[str] | None = None) -> None:
    """Say that products, clients, signing keys or identity providers have changed. `clients` are
    the ids of all clients that have, or NO_CLIENT; None where that is not known."""
    version = _next(db)
    if clients is not None:
        _note(db, version, clients)


def touch_clients_of(db: Connection, tenant_id: str) -> None:
    """The same for what a tenant's status says of its clients: of all that are there once the
    version is ours, since one that is made meanwhile is read as the tenant was before."""
    version = _next(db)
    _note(db, version, [row[0] for row in db.rows(_CLIENTS_OF, tenant_id=tenant_id)])


def _next(db: Connection) -> int:
    """Nobody else has one until this transaction ends."""
    return int(db.rows(_TOUCH)[0][0])


def _note(db: Connection, version: int, clients: Iterable[str]) -> None:
    for client_id in set(clients) or NO_CLIENT:
        db.run(_NOTE, version=version, client_id=client_id)
    db.run(_FORGET, version=version)


def read_version(rows: sa.Connection) -> int:
    return rows.scalar(_READ_VERSION) or 0


def changed_clients(rows: sa.Connection, since: int, version: int) -> set[str] | None:
    """Clients, None where any may have: a version that says of nobody was set by hand, by a
    restore, or long ago."""
    later = CatalogChange.version > since, CatalogChange.version <= version
    found = rows.execute(_CHANGES.where(*later)).all()
    is_told = len({row.version for row in found}) == version - since
    return {row.client_id for row in found} if is_told and len(found) <= MANY else None


class Versioned(Generic[Loaded]):
    """A value made from the database by `load`, made again when the version row has moved, of what
    was known before and what has changed."""

    def __init__(self, database: Database, load: Callable[[Loaded | None], Loaded]) -> None:
        self._database = database
        self._load = load
        self._lock = threading.Lock()
        self._version = -1
        self._checked_at = float("-inf")
        self._value: Loaded | None = None

    def current(self, now: float) -> Loaded:
        """At most a second old. Raises StoreUnavailable rather than serve an older one."""
        value = self._value
        if value is not None and abs(now - self._checked_at) < FRESH_FOR:
            return value
        return self.newest(now, FRESH_FOR)

    def newest(self, now: float, fresh_for: float = 0.0) -> Loaded:
        """As it is now, or was `fresh_for` seconds ago at most. Whoever may look holds a
        connection, so that nobody waits for the lock and keeps the last of them."""
        with self._database.connection() as db, self._lock:
            return self._refreshed(db, now, fresh_for)

    def last_known(self, now: float) -> Loaded:
        """The same, but an older one while the database is away, or another thread waits to learn
        whether it is: for what is true without it."""
        if self._value is not None and self._lock.locked():
            return self._value
        try:
            return self.current(now)
        except StoreUnavailable:
            if self._value is None:
                raise
            return self._value

    def _refreshed(self, db: Connection, now: float, fresh_for: float) -> Loaded:
        if self._value is None or abs(now - self._checked_at) >= fresh_for:
            row = db.row(_READ_VERSION)
            version = int(row[0]) if row else 0
            if self._value is None or version != self._version:
                self._value, self._version = self._load(self._value), version
            self._checked_at = now
        return self._value
