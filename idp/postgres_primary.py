"""The server that writes, of those that a database's URL names.

`?host=a,b&port=5432,5433` are a primary and those that may take over from it. The one that was
found is asked again until it fails; then the others are. A standby that is promoted begins a
timeline of a higher number, so a primary of a lower one than was ever met has been replaced,
whatever it says itself: it is not asked. Who knows of none looks at all of them, and takes the
highest.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import sqlalchemy as sa
import structlog

from idp.errors import SetupMistake
from idp.prepared_connection import PreparedConnection
from idp.store_time import STORE_TIME

if TYPE_CHECKING:
    import psycopg

Opened = TypeVar("Opened", bound="psycopg.Connection[Any]")
Server = dict[str, Any]

# Where it would write next; pg_control_checkpoint() knows of a promotion only a checkpoint later.
TIMELINE = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"

log = structlog.get_logger("stores")


@dataclass(frozen=True)
class _Met(Generic[Opened]):
    server: Server
    connection: Opened
    timeline: int


class PostgresPrimary:
    """No standby is read, since it may not know yet what has ended, unless the URL names one alone
    and says by `target_session_attrs` that it may be."""

    def __init__(self, url: sa.URL) -> None:
        from psycopg.conninfo import conninfo_to_dict

        said = conninfo_to_dict(
            url.set(drivername="postgresql").render_as_string(hide_password=False)
        )
        self._servers = _each_of({"target_session_attrs": "primary", **said})
        self._chosen: Server | None = None
        self._timeline = 0
        self._lock = threading.Lock()

    def connect(self, of: type[Opened], seconds: float, **how: Any) -> Opened:
        """Waits so long for each, and asks none for which whoever is limited has no time any more.
        Raises psycopg.OperationalError where none of them is it."""
        import psycopg

        until = monotonic() + STORE_TIME.left

        def opened(server: Server) -> Opened:
            left = min(seconds, until - monotonic())
            if left <= 0:
                raise psycopg.OperationalError("no time is left to ask another server")
            return of.connect(**{**server, **how, "connect_timeout": math.ceil(left)})

        if len(self._servers) == 1:
            return opened(self._servers[0])
        chosen = self._chosen
        if chosen is None:
            return self._newest_of(self._servers, opened)
        try:
            return self._newest_of([chosen], opened)
        except psycopg.OperationalError:
            self._chosen = None
        return self._newest_of([each for each in self._servers if each is not chosen], opened)

    def _newest_of(self, servers: list[Server], opened: Callable[[Server], Opened]) -> Opened:
        import psycopg

        met: list[_Met[Opened]] = []
        problem = psycopg.OperationalError("no server is named")
        for server in servers:
            try:
                met.append(_met(server, opened(server)))
            except psycopg.OperationalError as away:
                problem = away
        if not met:
            raise problem
        *older, newest = sorted(met, key=lambda each: each.timeline)
        is_current = self._is_current(newest)
        for each in older if is_current else met:
            each.connection.close()
        if not is_current:
            raise psycopg.OperationalError("the primary has been replaced")
        return newest.connection

    def _is_current(self, newest: _Met[Any]) -> bool:
        """It is the one from now on, unless a later one was met before."""
        with self._lock:
            if newest.timeline < self._timeline:
                return False
            if newest.timeline > self._timeline:
                where = {name: newest.server.get(name) for name in ("host", "port")}
                log.warning("primary", timeline=newest.timeline, **where)
            self._chosen, self._timeline = newest.server, newest.timeline
            return True


def _met(server: Server, connection: Opened) -> _Met[Opened]:
    """Raises psycopg.OperationalError for one that does not write."""
    try:
        timeline = int(PreparedConnection(connection).ask_once(TIMELINE), 16)
    except BaseException:
        connection.close()
        raise
    return _Met(server, connection, timeline)


def _each_of(said: Server) -> list[Server]:
    """As libpq reads lists of hosts and ports: one port can be that of all. Raises SetupMistake."""
    hosts, ports = str(said.get("host", "")).split(","), str(said.get("port", "5432")).split(",")
    if len(hosts) == 1:
        return [said]
    ports = ports * len(hosts) if len(ports) == 1 else ports
    if len(ports) != len(hosts):
        raise SetupMistake(
            f"LATCHKEY_DATABASE_URL names {len(hosts)} hosts and {len(ports)} ports."
        )
    return [{**said, "host": host, "port": port} for host, port in zip(hosts, ports, strict=True)]
