"""What SQLite does for one company does not depend on how many others there are.

It keeps no statistics, so that an index which many share may look as good to it as one's own.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from bench.console import LARGEST, OF_ADMINS
from idp.database import Base, Database
from tests.security.browsing import forms_and_pages, reopened
from tests.storage.test_table_scans import SET_UP
from tests.world import AMARA, World

OTHERS = 20
LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d[\d.e+-]*\b")
STAYS = SET_UP | {"catalog_changes"}
READ_WHOLE = "FROM company_providers JOIN tenants"  # when somebody has changed what is set up


def test_a_company_pays_for_no_other(world: World) -> None:
    alone = steps_of(world)
    add_others(world.held.database)
    beside = steps_of(world)
    assert len(alone.keys() & beside.keys()) > 100
    more = {
        sql: (alone[sql], steps)
        for sql, steps in beside.items()
        if sql in alone and steps > 4 * alone[sql] and READ_WHOLE not in sql
    }
    assert not more


def steps_of(world: World) -> Mapping[str, int]:
    """The most that SQLite's virtual machine did for one statement, by its text."""
    most: dict[str, int] = defaultdict(int)
    connect = sqlite3.connect

    def watched(*how: Any, **named: Any) -> sqlite3.Connection:
        return _watch(connect(*how, **named), most)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sqlite3, "connect", watched)
        patched.setattr(sqlite3.dbapi2, "connect", watched)
        used = reopened(world, world.settings)
        use(used)
        used.held.database.close()
    return most


def _watch(connection: sqlite3.Connection, most: dict[str, int]) -> sqlite3.Connection:
    running, steps = "", 0

    def begin(sql: str) -> None:
        nonlocal running, steps
        running, steps = LITERAL.sub("?", " ".join(sql.split())), 0

    def step() -> int:
        nonlocal steps
        steps += 1
        most[running] = max(steps, most[running])
        return 0

    connection.set_trace_callback(begin)
    connection.set_progress_handler(step, 1)
    return connection


def use(world: World) -> None:
    visitor = world.browser()
    tokens = visitor.tokens(scope="openid offline_access")
    visitor.tokens()
    world.refresh(tokens["refresh_token"])
    world.introspect(tokens["access_token"])
    world.userinfo(tokens["access_token"])
    world.get("/switcher", Authorization=f"Bearer {tokens['access_token']}")
    world.post("/revoke", world.basic("lms"), token=tokens["refresh_token"])
    world.browser().sign_in(AMARA, "wrong")
    admin = world.browser()
    admin.enter("/manage/northwind")
    for asked in OF_ADMINS:
        assert admin.get(asked.target.replace(LARGEST, "northwind")).status_code == 200
    for method, path in forms_and_pages(world.held):
        if method == "GET":
            admin.get(path)
    visitor.submit(visitor.get("/logout"), path="/logout")


def add_others(database: Database) -> None:
    """So many copies of every row, with other names for all that is named; what somebody has set up
    is the same for all."""
    tables = [each for each in Base.metadata.sorted_tables if each.name not in STAYS]
    with database.engine.begin() as connection:
        rows = {each: connection.execute(sa.select(each)).mappings().all() for each in tables}
        names = {row[name] for table in tables for name in _naming(table) for row in rows[table]}
        for table in tables:
            kept = [each.name for each in table.columns if not _is_counted(each)]
            copies = [
                {name: _renamed(row[name], names, number) for name in kept}
                for row in rows[table]
                for number in range(OTHERS)
            ]
            if copies:
                connection.execute(sa.insert(table).prefix_with("OR IGNORE"), copies)


def _naming(table: sa.Table) -> Iterator[str]:
    """The columns that tell a row from all others, each alone."""
    for columns in (table.primary_key.columns, *(i.columns for i in table.indexes if i.unique)):
        if len(columns) == 1:
            yield columns[0].name
    yield from (each.name for each in table.columns if each.unique)


def _is_counted(column: sa.Column[Any]) -> bool:
    return column.primary_key and isinstance(column.type, sa.Integer)


def _renamed(value: Any, names: set[Any], number: int) -> Any:
    return f"{value}~{number}" if isinstance(value, str) and value in names else value
