"""The stores, with a span for each question. They are wrapped at the start of a process that traces
(`LATCHKEY_TRACES`); in any other nobody comes by here."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from idp.database import Database
from idp.ephemeral_redis import RedisEphemeral
from idp.traces import TRACES, Attributes

LONGEST_TEXT = 2048
_OPERATION = re.compile(r"\s*(\w+)")
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+([a-z_]+)")


class TracedDriver:
    """A driver's connection. The text of a statement has a mark in place of each value, and of the
    values nothing is told."""

    def __init__(self, driver: Any, system: str) -> None:
        self.itself = driver
        self._system = system

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        with TRACES.part(_summary(sql), _attributes(self._system, sql)):
            return self.itself.execute(sql, values)


def trace_statements(database: Database) -> None:
    """Those of its lanes, and those that go by its engine."""
    lanes: Any = database.lanes
    take, give_back, system = lanes.take, lanes.give_back, database.url.get_backend_name()
    lanes.take = lambda *how, **named: TracedDriver(take(*how, **named), system)
    lanes.give_back = lambda driver: give_back(driver.itself)
    lanes.as_lent = lambda driver: TracedDriver(driver, system)
    sa.event.listen(database.engine, "do_execute", _traced_cursor(system))


def _traced_cursor(system: str) -> Any:
    def execute(cursor: Any, sql: str, values: Any, _context: Any) -> bool:
        with TRACES.part(_summary(sql), _attributes(system, sql)):
            cursor.execute(sql, values)
        return True

    return execute


@lru_cache(maxsize=4096)
def _summary(sql: str) -> str:
    """What is done to which table first: `SELECT sessions`."""
    operation, table = _OPERATION.match(sql), _TABLE.search(sql)
    return " ".join(found[1] for found in (operation, table) if found) or "statement"


@lru_cache(maxsize=4096)
def _attributes(system: str, sql: str) -> Attributes:
    return {"db.system.name": system, "db.query.text": sql[:LONGEST_TEXT]}


class TracedRedis(RedisEphemeral):
    """Keys are names that somebody may have chosen, so they are not told."""

    def put(self, key: str, value: str, ttl: float, now: float) -> None:
        with _command("SET"):
            super().put(key, value, ttl, now)

    def read(self, key: str, now: float) -> str | None:
        with _command("GET"):
            return super().read(key, now)

    def take(self, key: str, now: float) -> str | None:
        with _command("GETDEL"):
            return super().take(key, now)

    def drop(self, keys: Collection[str]) -> int:
        with _command("DEL"):
            return super().drop(keys)

    def count(self, key: str, ttl: float, now: float) -> int:
        with _command("EVALSHA"):
            return super().count(key, ttl, now)


def _command(name: str) -> Any:
    return TRACES.part(name, {"db.system.name": "redis", "db.operation.name": name})
