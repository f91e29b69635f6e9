"""The audit log as it is read: one chain, newest first, a page at a time, whatever its length."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from idp import audit
from idp.audit import Entry, Page, Wanted
from idp.audit_chain import PLATFORM
from idp.database import Database
from tests.storage.test_audit_chain import by_transaction, run

TENANT = "a" * 32
NOW = 1_795_000_000.0
MANY = 30_000
PAGE = 50
ALL = Wanted()


@pytest.fixture
def told(database: Database) -> Database:
    """Sixty events of the tenant, and some of the platform's."""
    with database.transaction() as db:
        for number in range(60):
            tag = ["sign_in.failed", "sign_in.succeeded", "session.ended"][number % 3]
            actor = ["amara", "ben"][number % 2]
            audit.record(db, tag, NOW + number, actor=actor, tenant=TENANT, number=number)
            audit.record(db, "setup.applied", NOW + number, number=-number)
    return database


def page(
    database: Database,
    wanted: Wanted = ALL,
    size: int = 100,
    older: int | None = None,
    chain: str = TENANT,
) -> Page:
    with database.connection() as db:
        return audit.search(db, chain, wanted, size, older)


def numbers(entries: list[Entry]) -> list[int]:
    return [entry.detail["number"] for entry in entries]


def test_the_newest_come_first_and_of_one_chain_alone(told: Database) -> None:
    assert numbers(page(told).entries) == list(range(59, -1, -1))
    platform = page(told, chain=PLATFORM).entries
    assert {entry.tenant_id for entry in platform} == {None}
    assert page(told, chain="b" * 32) == Page([], None)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ALL, range(60)),
        (Wanted(tag="sign_in."), [n for n in range(60) if n % 3 < 2]),
        (Wanted(tag="sign_in.failed"), range(0, 60, 3)),
        (Wanted(actor="ben"), range(1, 60, 2)),
        (Wanted(actor="ben", tag="session."), [n for n in range(60) if n % 6 == 5]),
        (Wanted(since=NOW + 10, until=NOW + 20), range(10, 20)),
        (Wanted(tag="sign_in.", since=NOW + 30), [n for n in range(30, 60) if n % 3 < 2]),
        (Wanted(actor="amara", tag="s", until=NOW + 9), range(0, 9, 2)),
        (Wanted(person="ben"), range(1, 60, 2)),
        (Wanted(person="ben", tag="session.", until=NOW + 30), [5, 11, 17, 23, 29]),
        (Wanted(person="nobody"), []),
        (Wanted(tag="no.such"), []),
        (Wanted(tag="%"), []),
        (Wanted(actor="am%ara"), []),
        (Wanted(since=NOW + 99), []),
        (Wanted(until=-math.inf), []),
    ],
    ids=str,
)
def test_page_after_page_has_everything_once(told: Database, wanted: Wanted, expected: Any) -> None:
    for size in (1, 7, 20, 59, 60, 61):
        seen, found = [], page(told, wanted, size)
        while found.older is not None:
            assert len(found.entries) == size
            seen += numbers(found.entries)
            found = page(told, wanted, size, found.older)
        assert len(found.entries) <= size
        seen += numbers(found.entries)
        assert seen == sorted(expected, reverse=True)


def test_events_that_come_meanwhile_move_nothing(told: Database) -> None:
    first = page(told, size=10)
    by_transaction(told, [TENANT] * 5)
    assert numbers(page(told, size=10, older=first.older).entries) == list(range(49, 39, -1))


def test_of_the_same_time_the_later_in_the_chain_is_the_newer(told: Database) -> None:
    with told.transaction() as db:
        for number in range(100, 105):
            audit.record(db, "tenant.chosen", NOW + 30, tenant=TENANT, number=number)
    wanted = Wanted(since=NOW + 30, until=NOW + 31)
    assert numbers(page(told, wanted).entries) == [104, 103, 102, 101, 100, 30]
    first = page(told, wanted, 2)
    assert numbers(page(told, wanted, 2, first.older).entries) == [102, 101]


@pytest.mark.parametrize("older", [0, -1, 61, 2**62])
def test_after_an_event_that_is_not_there_comes_nothing(told: Database, older: int) -> None:
    assert page(told, older=older) == Page([], None)


def test_one_event_is_found_in_its_chain_alone(told: Database) -> None:
    with told.connection() as db:
        found = audit.find(db, TENANT, 7)
        assert found is not None
        assert (found.seq, found.detail, found.tag) == (7, {"number": 6}, "sign_in.failed")
        assert audit.find(db, TENANT, 61) is None
        assert audit.find(db, "b" * 32, 7) is None


@pytest.fixture
def long(database: Database) -> Database:
    """Of `MANY` events most are of one actor and one tag."""
    numbered = {
        True: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})",
        False: "WITH n(i) AS (SELECT generate_series(1, {}))",
    }[database.is_sqlite].format(MANY)
    run(
        database,
        "INSERT INTO audit_events"
        " (at, tag, actor_id, tenant_id, address, request_id, detail, chain, seq, digest,"
        " person_id)"
        f" {numbered} SELECT {NOW} + i, CASE WHEN i % 5000 = 0 THEN 'signing_key.made'"
        " ELSE 'sign_in.succeeded' END, CASE WHEN i % 3000 = 0 THEN 'rare' ELSE 'often' END,"
        f" '{TENANT}', '', '', '{{}}', CASE WHEN i % 2 = 0 THEN '{TENANT}' ELSE 'other' END,"
        " i, 'd', CASE WHEN i % 2000 = 0 THEN 'rare' WHEN i % 10 = 0 THEN 'often' END FROM n",
        "ANALYZE",
    )
    return database


SEARCHES = {
    "everything": ALL,
    "the oldest": Wanted(until=NOW + 50),
    "a time that nothing has": Wanted(since=NOW + 10**6),
    "a tag of most": Wanted(tag="sign_in.succeeded"),
    "a rare tag": Wanted(tag="signing_key.made"),
    "a rare tag long ago": Wanted(tag="signing_key.made", until=NOW + 9000),
    "an actor of most": Wanted(actor="often"),
    "a rare actor": Wanted(actor="rare"),
    "an actor of none": Wanted(actor="nobody"),
    "an actor of most long ago": Wanted(actor="often", until=NOW + 900),
    "the history of a person with a long one": Wanted(person="often"),
    "the history of a person with a short one": Wanted(person="rare"),
    "a history long ago": Wanted(person="often", until=NOW + 900),
    "a history of one tag": Wanted(person="rare", tag="sign_in.succeeded"),
    "a rare actor and a tag of most": Wanted(actor="rare", tag="sign_in.succeeded"),
}


@pytest.mark.parametrize("searched", SEARCHES)
def test_a_search_reads_an_index_and_hardly_more_of_it_than_a_page(
    long: Database, searched: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with long.connection() as db:
        rows, looked_at = db.rows, []

        def watched(statement: Any, **values: Any) -> Any:
            look = look_of_sqlite if long.is_sqlite else look_of_postgres
            looked_at.append(look(long, statement, values))
            return rows(statement, **values)

        monkeypatch.setattr(db, "rows", watched)
        found = audit.search(db, TENANT, SEARCHES[searched], PAGE)
    assert len(found.entries) <= PAGE
    assert looked_at
    assert max(looked_at) <= 3 * PAGE


def look_of_sqlite(database: Database, statement: Any, values: dict[str, Any]) -> int:
    """How many rows it reads: it has no choice where the index has the order of the answer."""
    steps = [row[3] for row in explained(database, "EXPLAIN QUERY PLAN", statement, values)]
    assert len(steps) == 1, steps
    assert re.match(r"SEARCH audit_events USING INDEX ix_audit_events_by_\w+ \(chain=\? ", steps[0])
    return PAGE + 1


def look_of_postgres(database: Database, statement: Any, values: dict[str, Any]) -> int:
    """How many rows it read."""
    [[[told]]] = explained(database, "EXPLAIN (ANALYZE, FORMAT JSON)", statement, values)
    steps = list(below(told["Plan"]))
    assert "Seq Scan" not in {step["Node Type"] for step in steps}, steps
    return int(max(step["Actual Rows"] + step.get("Rows Removed by Filter", 0) for step in steps))


def below(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield step
    for each in step.get("Plans", ()):
        yield from below(each)


def explained(database: Database, how: str, statement: Any, values: dict[str, Any]) -> Any:
    sql, names, constants = database.prepared(statement)
    asked = {**constants, **values}
    with database.engine.connect() as connection:
        return connection.exec_driver_sql(
            f"{how} {sql}", tuple(asked[name] for name in names)
        ).all()
