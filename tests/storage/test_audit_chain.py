"""Every event is the next link of its chain, in the transaction of what it tells of; and nobody
writes to the log but by adding to it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from idp import audit, audit_inspection
from idp.audit import Origin
from idp.audit_chain import BROKEN, FIRST, PLATFORM, STARTED, AuditEvent, ChainHead
from idp.database import Connection, Database
from idp.errors import Refusal, SetupMistake, StoreUnavailable
from tests.storage.crew import KEYS, PROCESSES, THREADS, Crew, Prepared, threads_at_once

NOW = 1_795_000_000.25
TENANTS = ("a" * 32, "b" * 32, "c" * 32)
Ways = Callable[[Database, list[str | None], BaseException | None], None]


def tell(db: Connection, tenant: str | None = None, now: float = NOW, **detail: Any) -> None:
    audit.record(db, "tenant.chosen", now, actor="amara", tenant=tenant, **detail)


def by_transaction(
    database: Database, tenants: list[str | None], problem: BaseException | None = None
) -> None:
    with database.transaction() as db:
        for tenant in tenants:
            tell(db, tenant)
        if problem:
            raise problem


def by_quick_transaction(
    database: Database, tenants: list[str | None], problem: BaseException | None = None
) -> None:
    with database.transaction(durable=False) as db:
        for tenant in tenants:
            tell(db, tenant)
        if problem:
            raise problem


def by_session(
    database: Database, tenants: list[str | None], problem: BaseException | None = None
) -> None:
    """A connection is made of the session for each rule that wants one."""
    with database.session() as session:
        for tenant in tenants:
            tell(Connection.of(database, session), tenant)
        if problem:
            raise problem


@pytest.fixture(params=[by_transaction, by_quick_transaction, by_session])
def write(request: pytest.FixtureRequest) -> Ways:
    way: Ways = request.param
    return way


def events(database: Database, chain: str = PLATFORM) -> list[AuditEvent]:
    with database.session() as session:
        session.expire_on_commit = False
        found = sa.select(AuditEvent).where(AuditEvent.chain == chain).order_by(AuditEvent.seq)
        return list(session.scalars(found))


def tags(database: Database, chain: str = PLATFORM) -> list[str]:
    return [event.tag for event in events(database, chain)]


def heads(database: Database) -> dict[str, int]:
    with database.session() as session:
        return {head.chain: head.seq for head in session.scalars(sa.select(ChainHead))}


def faults(database: Database) -> list[str]:
    reports = audit_inspection.inspect_all(database)
    return [f"{report.chain}: {fault}" for report in reports for fault in report.faults]


def run(database: Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_each_tenant_has_a_chain_and_the_platform_another(database: Database, write: Ways) -> None:
    write(database, [TENANTS[0], None, TENANTS[1], TENANTS[0]], None)
    write(database, [TENANTS[0], None], None)
    assert [event.seq for event in events(database, TENANTS[0])] == [1, 2, 3]
    assert [event.seq for event in events(database, TENANTS[1])] == [1]
    assert heads(database) == {TENANTS[0]: 3, TENANTS[1]: 1, PLATFORM: 4}
    assert faults(database) == []


def test_the_platform_s_chain_tells_of_the_beginning_of_each_other_one(database: Database) -> None:
    for _ in range(2):
        by_transaction(database, [TENANTS[1], TENANTS[0]])
    assert [(event.tag, event.detail) for event in events(database)] == [
        (STARTED, {"chain": TENANTS[0]}),
        (STARTED, {"chain": TENANTS[1]}),
    ]


def test_a_digest_is_what_the_documentation_says(database: Database) -> None:
    """Come to here by other means: SHA-256 over the digest before, a line feed, sorted JSON."""
    previous = FIRST
    origin = Origin("192.0.2.7", "request-1", "a browser")
    with database.transaction() as db:
        audit.record(db, "sign_in.failed", NOW, origin, client="lms", reason="é漢 \u0000 'quoted'")
        audit.record(db, "setup.applied", NOW + 1, changes=[{"z": 1, "a": [True, None, 2.5]}])
    for event, at in zip(events(database), ("1795000000.25", "1795000001.25"), strict=True):
        shown = {
            "actor_id": event.actor_id,
            "address": event.address,
            "at": "AT",
            "chain": "platform",
            "client_id": event.client_id,
            "detail": event.detail,
            "request_id": event.request_id,
            "seq": event.seq,
            "tag": event.tag,
            "tenant_id": None,
        }
        form = json.dumps(shown, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        hashed = f"{previous}\n{form}".replace('"AT"', at)
        assert event.digest == hashlib.sha256(hashed.encode()).hexdigest()
        previous = event.digest


def test_the_head_is_sealed_by_a_key_that_is_not_in_the_database(database: Database) -> None:
    by_transaction(database, [None, None])
    last = events(database)[-1].digest
    with database.session() as session:
        [head] = session.scalars(sa.select(ChainHead))
        assert (head.digest, head.mac) == (last, KEYS.seal(f"platform|2|{last}"))


def test_what_is_rolled_back_left_nothing(database: Database, write: Ways) -> None:
    for problem in (ValueError(), KeyboardInterrupt(), StoreUnavailable("away")):
        with pytest.raises(type(problem)):
            write(database, [TENANTS[0], None], problem)
    assert heads(database) == {}
    assert events(database) == events(database, TENANTS[0]) == []
    write(database, [TENANTS[0]], None)
    assert heads(database) == {TENANTS[0]: 1, PLATFORM: 1}


def test_a_refusal_keeps_its_event(database: Database, write: Ways) -> None:
    with pytest.raises(Refusal, match="no entry"):
        write(database, [TENANTS[0], None], Refusal("forbidden", "no entry"))
    assert heads(database) == {TENANTS[0]: 1, PLATFORM: 2}
    assert faults(database) == []


def test_an_event_that_can_not_be_written_takes_everything_back(
    database: Database, write: Ways
) -> None:
    """Also what a refusal would have kept: no change without its event."""
    run(database, "ALTER TABLE audit_chains RENAME TO away")
    for problem in (None, Refusal("forbidden", "no entry")):
        with pytest.raises(Exception, match="audit_chains"):
            write(database, [None], problem)
    run(database, "ALTER TABLE away RENAME TO audit_chains")
    assert events(database) == []
    write(database, [None], None)
    assert faults(database) == []


def test_what_a_session_rolled_back_is_forgotten_and_what_comes_after_is_written(
    database: Database,
) -> None:
    with database.session() as session:
        tell(Connection.of(database, session), number=1)
        session.rollback()
        tell(Connection.of(database, session), number=2)
        session.commit()
        tell(Connection.of(database, session), number=3)
    assert [event.detail["number"] for event in events(database)] == [2, 3]
    assert faults(database) == []


def test_an_event_outside_a_transaction_is_a_mistake_that_shows(database: Database) -> None:
    with pytest.raises(RuntimeError, match="in a transaction"), database.connection() as db:
        tell(db)
    with (
        sa.orm.Session(database.reading_engine()) as reading,
        pytest.raises(RuntimeError, match="in a transaction"),
    ):
        tell(Connection.of(database, reading))
    assert heads(database) == {}


@pytest.mark.parametrize("problem", [None, ValueError("no"), "a statement that fails"])
def test_what_went_back_to_a_savepoint_is_forgotten_and_no_more(
    database: Database, problem: Exception | str | None
) -> None:
    with database.session() as session:
        tell(Connection.of(database, session), number=1)
        with contextlib.suppress(ValueError, sa.exc.IntegrityError), session.begin_nested():
            tell(Connection.of(database, session), number=2)
            tell(Connection.of(database, session), TENANTS[0], number=2)
            if isinstance(problem, Exception):
                raise problem
            if problem:
                session.add(ChainHead(chain="x", seq=1, digest="", mac=None))
                session.flush()
        tell(Connection.of(database, session), number=3)
    kept = [event.detail["number"] for event in events(database) if "number" in event.detail]
    assert kept == ([1, 3] if problem else [1, 2, 3])
    assert len(events(database, TENANTS[0])) == (0 if problem else 1)
    assert faults(database) == []


def test_a_database_without_the_keys_writes_no_event(database: Database) -> None:
    keyless = Database(str(database.url))
    with pytest.raises(SetupMistake, match="without the keys"):
        by_transaction(keyless, [None])
    keyless.close()
    assert (events(database), heads(database)) == ([], {})


def test_times_and_numbers_are_the_same_after_a_journey_through_the_database(
    database: Database,
) -> None:
    for at in (0.1 + 0.2, 1e-7, 1_795_000_000, 1_795_000_000.123_456_7, -0.0, 2.0**60):
        with database.transaction() as db:
            tell(db, now=at, at=at, big=2**60, small=5e-324)
    assert faults(database) == []


def test_the_lock_on_a_chain_is_taken_at_the_end_alone(postgres_world: Any) -> None:
    """Whoever has told of something and is not done yet keeps nobody else waiting."""
    database = postgres_world.held.database
    with database.transaction() as db:
        tell(db)
        threads_at_once(lambda number: by_transaction(database, [None]), threads=1)
    assert tags(database).count("tenant.chosen") == 2
    assert faults(database) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET actor_id = 'somebody else'",
        "UPDATE audit_events SET detail = '{}' WHERE seq = 1",
        "DELETE FROM audit_events",
        "DELETE FROM audit_events WHERE seq = 2",
    ],
)
def test_nothing_is_changed_and_nothing_deleted(database: Database, statement: str) -> None:
    by_transaction(database, [None, None])
    with pytest.raises(sa.exc.DBAPIError, match="can only be added to"):
        run(database, statement)
    assert tags(database) == ["tenant.chosen"] * 2
    assert faults(database) == []


def test_the_whole_table_is_not_emptied_either(postgres_world: Any) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="can only be added to"):
        postgres_world.run("TRUNCATE audit_events")


def test_a_head_that_somebody_else_wrote_is_told_of_in_the_chain(database: Database) -> None:
    """Service goes on; that it happened can't be hidden any more."""
    for chain in (None, TENANTS[0]):
        by_transaction(database, [chain, chain])
        name = chain or PLATFORM
        run(database, f"UPDATE audit_chains SET mac = 'forged' WHERE chain = '{name}'")
        by_transaction(database, [chain])
        broken = [event for event in events(database, name) if event.tag == BROKEN]
        assert [event.tenant_id for event in broken] == [chain]
        assert broken[0].seq == broken[0].detail["seq"] + 1
        assert events(database, name)[-1].tag == "tenant.chosen"
    assert len(faults(database)) == 2


def test_an_end_that_was_cut_can_not_be_grown_over(database: Database) -> None:
    """The head set back to an earlier event, and its seal made up: the next event tells of it."""
    by_transaction(database, [None, None, None])
    second = events(database)[1].digest
    drop_triggers(database)
    run(
        database,
        "DELETE FROM audit_events WHERE seq = 3",
        f"UPDATE audit_chains SET seq = 2, digest = '{second}'",
    )
    by_transaction(database, [None])
    assert tags(database) == ["tenant.chosen", "tenant.chosen", BROKEN, "tenant.chosen"]
    assert len(faults(database)) == 1


def drop_triggers(database: Database) -> None:
    """What somebody with the rights of the provider could do."""
    if database.is_sqlite:
        run(
            database,
            "DROP TRIGGER audit_events_no_update",
            "DROP TRIGGER audit_events_no_delete",
        )
    else:
        run(
            database,
            "DROP TRIGGER audit_events_no_change ON audit_events",
            "ALTER TABLE audit_events DISABLE ROW LEVEL SECURITY",
        )


def test_of_many_threads_each_adds_its_events(database: Database) -> None:
    def deed(number: int) -> None:
        for way in (by_transaction, by_session):
            way(database, [TENANTS[number % 3], None, TENANTS[number % 2]])

    threads_at_once(deed)
    assert heads(database)[PLATFORM] == THREADS * 2 + len(TENANTS)
    assert sum(heads(database).values()) == THREADS * 6 + len(TENANTS)
    assert faults(database) == []


@pytest.mark.parametrize("way", ["by_transaction", "by_session"])
def test_of_many_processes_each_adds_its_events(
    database: Database, schema_url: str, crew: Crew, way: str
) -> None:
    """To one chain, to several in any order, and some think better of it."""
    outcomes = Counter(crew.race(adder, schema_url, way, threads=10))
    written = outcomes["written"] + outcomes["refused"]
    assert sum(outcomes.values()) == PROCESSES * 10
    assert min(outcomes.values()) > 1
    assert sum(heads(database).values()) == 4 * written + len(TENANTS)
    assert faults(database) == []


def adder(kept: ExitStack, url: str, way: str) -> Prepared:
    database = Database(url, pool=4, seal=KEYS.seal)
    kept.callback(database.close)
    write: Ways = globals()[way]

    def deed(number: int) -> str:
        turn = number % len(TENANTS)
        chains: list[str | None] = [*TENANTS[turn:], None, *TENANTS[:turn]]
        try:
            write(database, chains, [None, ValueError(), Refusal("forbidden", "no")][number % 3])
        except Refusal:
            return "refused"
        except ValueError:
            return "taken back"
        return "written"

    return partial(heads, database), deed


def test_a_tenant_s_transaction_adds_to_the_platform_s_chain_and_sees_its_own_alone(
    postgres_world: Any,
) -> None:
    """Row-level security holds what is read, and lets the log be told of everything (S76)."""
    from idp import tenancy

    database = postgres_world.held.database
    by_transaction(database, [TENANTS[0], TENANTS[1], None])
    with tenancy.session(database, TENANTS[0]) as session:
        db = Connection.of(database, session)
        tell(db, TENANTS[0])
        tell(db, None)
        tell(db, TENANTS[2])
        seen = {
            chain: bool(audit.search(db, chain, audit.Wanted(), 9).entries) for chain in TENANTS
        }
        assert seen == {TENANTS[0]: True, TENANTS[1]: False, TENANTS[2]: False}
        assert audit.search(db, PLATFORM, audit.Wanted(), 9).entries == []
    assert heads(database)[TENANTS[0]] == 2
    assert heads(database)[TENANTS[2]] == 1
    assert faults(database) == []
