"""Whatever is done to whichever column of whichever row, `idp audit verify` names a fault of that
chain. Nothing that is stored can stop it from saying so, nor hide behind being odd."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from idp import audit, audit_inspection
from idp.audit_chain import FIRST, PLATFORM, AuditEvent, ChainHead
from idp.database import Database
from tests.storage.test_audit_chain import NOW, drop_triggers

TENANT = "a" * 32
GHOST = "f" * 32
NOT_HASHED = {"id"}
ODD: dict[str, list[Any]] = {
    "at": [0.0, -1.0, 1e300, NOW + 1e-6, "soon", b"\x00", None],
    "tag": ["", "no.such.tag", "tenant.ended", 7, b"\xff", None],
    "actor_id": ["", "intruder", 7, b"\xff", None],
    "tenant_id": ["", GHOST, TENANT, 7, b"\xff", None],
    "client_id": ["", "lms", 7, b"\xff", None],
    "address": ["192.0.2.66", "\u2028", 7, b"\xff", None],
    "request_id": ["another", 7, b"\xff", None],
    "detail": ["", "{", "[]", "null", "7", '{"number":NaN}', '{"a":1}', "\ud83d", b"\xff", None],
    "chain": ["", GHOST, TENANT, PLATFORM, 7, b"\xff", None],
    "seq": [0, -5, 10**12, 2**63 - 1, -(2**63), 2.5, "x", b"\xff", None],
    "digest": ["", FIRST, "f" * 63, 7, b"\xff", None],
    "person_id": ["", "intruder", 7, b"\xff", None],
    "mac": ["", FIRST, 7, b"\xff", None],
}
Row = dict[str, Any]


@pytest.fixture
def chained(database: Database) -> Database:
    """Two chains, of four and of five events; each event has a person and a client in it."""
    for number in range(4):
        for tenant in (None, TENANT):
            with database.transaction() as db:
                origin = audit.Origin("192.0.2.1", f"request-{number}")
                whose: dict[str, Any] = {"tenant": tenant, "client": "lms", "actor": "amara"}
                audit.record(db, "person.disabled", NOW + number, origin, person="ben", **whose)
    assert faults(database) == []
    drop_triggers(database)
    return database


def faults(database: Database) -> list[str]:
    reports = audit_inspection.inspect_all(database)
    return [f"{report.chain}: {fault}" for report in reports for fault in report.faults]


def execute(database: Database, statement: Any) -> bool:
    """False where the database itself refuses it."""
    try:
        with database.engine.begin() as connection:
            connection.execute(statement)
    except (sa.exc.DBAPIError, sa.exc.StatementError, UnicodeError):
        return False
    return True


def raw(table: sa.Table) -> sa.TableClause:
    """The same without types, so that anything can be sent for any column."""
    return sa.table(table.name, *(sa.column(column.name) for column in table.columns))


EVENTS, HEADS = raw(AuditEvent.__table__), raw(ChainHead.__table__)  # type: ignore[arg-type]


def rows(database: Database, table: sa.TableClause) -> list[Row]:
    with database.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.select(table))]


def a_row(database: Database) -> Row:
    return next(row for row in rows(database, EVENTS) if row["tag"] == "person.disabled")


def key_of(table: sa.TableClause, row: Row) -> Any:
    key = "id" if table is EVENTS else "chain"
    return table.c[key] == row[key]


def damages(database: Database) -> Iterator[tuple[sa.TableClause, Row, str, Any]]:
    for table in (EVENTS, HEADS):
        for row in rows(database, table):
            for column in row.keys() - NOT_HASHED:
                for value in ODD[column]:
                    if value != row[column]:
                        yield table, row, column, value


def test_any_column_of_any_row_that_holds_something_else_is_named(chained: Database) -> None:
    done = 0
    for table, row, column, value in damages(chained):
        identity = key_of(table, row)
        if column == "chain" and table is HEADS:
            restore = [
                table.delete(),
                *(table.insert().values(each) for each in rows(chained, table)),
            ]
        else:
            restore = [table.update().where(identity).values(row)]
        if not execute(chained, table.update().where(identity).values({column: value})):
            continue
        if row in rows(chained, table):
            continue  # PostgreSQL makes a whole number of a fraction
        done += 1
        assert faults(chained), (table.name, row, column, value)
        for statement in restore:
            assert execute(chained, statement)
    assert faults(chained) == []
    assert done > 300


ADDED: list[Row] = [
    {"seq": 99},
    {"seq": 0},
    {"seq": -7},
    {"seq": 2.5},
    {"seq": "x"},
    {"seq": b"\xff"},
    {"chain": ""},
    {"chain": GHOST},
    {"chain": b"\xff"},
    {"chain": b"platform"},
    {"chain": GHOST, "seq": "x"},
    {"seq": 99, "detail": "{"},
    {"seq": 99, "at": "soon"},
]


@pytest.mark.parametrize("odd", ADDED)
def test_a_row_that_was_added_is_named_however_odd(chained: Database, odd: Row) -> None:
    row = {name: value for name, value in a_row(chained).items() if name != "id"}
    if execute(chained, EVENTS.insert().values({**row, **odd})):
        assert faults(chained)
    else:
        assert not chained.is_sqlite


@pytest.mark.parametrize("head", [{"chain": ""}, {"chain": GHOST}, {"chain": b"\xff"}])
def test_a_head_that_was_added_is_named(chained: Database, head: Row) -> None:
    row = rows(chained, HEADS)[0]
    if execute(chained, HEADS.insert().values({**row, **head})):
        assert faults(chained)


@pytest.mark.parametrize("table", [EVENTS, HEADS], ids=lambda table: table.name)
def test_any_rows_that_are_gone_are_missed(chained: Database, table: sa.TableClause) -> None:
    """One, two or all of them. All of both is another database."""
    whole = rows(chained, table)
    for count in (1, 2, len(whole)):
        for gone in itertools.combinations(whole, count):
            for row in gone:
                assert execute(chained, table.delete().where(key_of(table, row)))
            assert faults(chained), gone
            for row in gone:
                assert execute(chained, table.insert().values(row))
    assert faults(chained) == []


def test_any_two_events_that_changed_places_are_named(chained: Database) -> None:
    whole = rows(chained, EVENTS)
    for left, right in itertools.combinations(whole, 2):
        place = {"chain": "away", "seq": 1}
        theirs = [{name: row[name] for name in place} for row in (right, left)]
        for row, at in ((left, place), (right, theirs[1]), (left, theirs[0])):
            assert execute(chained, EVENTS.update().where(key_of(EVENTS, row)).values(at))
        assert faults(chained), (left, right)
        for row, at in ((left, place), (right, theirs[0]), (left, theirs[1])):
            assert execute(chained, EVENTS.update().where(key_of(EVENTS, row)).values(at))
    assert faults(chained) == []


@pytest.mark.parametrize("at", range(1, 5))
def test_a_number_that_is_taken_twice_is_named(chained: Database, at: int) -> None:
    """Also where the database does not refuse it any more."""
    forget_that_places_are_unique(chained)
    (row,) = (
        each for each in rows(chained, EVENTS) if (each["chain"], each["seq"]) == (TENANT, at)
    )
    twice = {name: value for name, value in row.items() if name != "id"}
    assert execute(chained, EVENTS.insert().values(twice))
    assert faults(chained)


def test_a_number_that_is_taken_twice_is_named_at_the_end_of_a_page(
    chained: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for batch in (1, 2, 3, 4):
        in_pages_of(batch, monkeypatch)
        assert faults(chained) == []
    forget_that_places_are_unique(chained)
    row = rows(chained, EVENTS)[-1]
    assert execute(chained, EVENTS.insert().values({**row, "id": row["id"] + 1}))
    for batch in (1, 2, 3, 4):
        in_pages_of(batch, monkeypatch)
        assert faults(chained), batch


def in_pages_of(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_inspection, "BATCH", batch)
    monkeypatch.setattr(audit_inspection, "_PAGE", audit_inspection._PAGE.limit(batch))


def forget_that_places_are_unique(database: Database) -> None:
    with database.engine.begin() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("CREATE TABLE kept AS SELECT * FROM audit_events")
            connection.exec_driver_sql("DROP TABLE audit_events")
            connection.exec_driver_sql("ALTER TABLE kept RENAME TO audit_events")
        else:
            ((name,),) = connection.exec_driver_sql(
                "SELECT conname FROM pg_constraint WHERE contype = 'u'"
                " AND conrelid = 'audit_events'::regclass"
            )
            connection.exec_driver_sql(f"ALTER TABLE audit_events DROP CONSTRAINT {name}")
