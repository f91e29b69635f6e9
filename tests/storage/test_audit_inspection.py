"""What somebody with the database did to a chain is found, and the event named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from idp import audit, audit_inspection
from idp.audit_chain import FIRST, PLATFORM, Event, Head, link
from idp.audit_inspection import BATCH
from idp.audit_walk import (
    AND_MORE,
    ASTRAY,
    BEGUN_ANEW,
    CHANGED,
    CUT,
    HEADLESS,
    INSERTED,
    MISPLACED,
    MISSING,
    MOST,
    REWRITTEN,
    UNSEALED,
    Found,
    Walk,
)
from idp.database import Database
from tests.storage.test_audit_chain import NOW, by_transaction, drop_triggers, run

TENANT = "a" * 32
OTHER = "b" * 32
LENGTH = 9

SWAP = (
    "UPDATE audit_events SET seq = -1 WHERE chain = 'platform' AND seq = {0}",
    "UPDATE audit_events SET seq = {0} WHERE chain = 'platform' AND seq = {1}",
    "UPDATE audit_events SET seq = {1} WHERE chain = 'platform' AND seq = -1",
)
COPY = (
    "INSERT INTO audit_events"
    " (at, tag, actor_id, address, request_id, detail, chain, seq, digest)"
    " SELECT at, tag, 'intruder', address, request_id, detail, chain, {1}, digest"
    " FROM audit_events WHERE chain = 'platform' AND seq = {0}"
)
SHIFT = (  # in two steps, since a place is taken once
    "UPDATE audit_events SET seq = -seq - {1} WHERE chain = 'platform' AND seq >= {0}",
    "UPDATE audit_events SET seq = -seq WHERE chain = 'platform' AND seq < 0",
)


def changed(what: str, seq: int = 5) -> list[str]:
    return [f"UPDATE audit_events SET {what} WHERE chain = 'platform' AND seq = {seq}"]


def removed(*seqs: int) -> list[str]:
    listed = ", ".join(map(str, seqs))
    return [f"DELETE FROM audit_events WHERE chain = 'platform' AND seq IN ({listed})"]


def swapped(left: int, right: int) -> list[str]:
    return [each.format(left, right) for each in SWAP]


Named = tuple[str, int, int]
DEEDS: dict[str, tuple[list[str], list[Named]]] = {
    "an actor": (changed("actor_id = 'ben'"), [(CHANGED, 5, 5)]),
    "an actor taken away": (changed("actor_id = NULL"), [(CHANGED, 5, 5)]),
    "a tag": (changed("tag = 'sign_in.failed'"), [(CHANGED, 5, 5)]),
    "a time": (changed("at = at + 0.001"), [(CHANGED, 5, 5)]),
    "a time that is none": (changed("at = 1e300"), [(CHANGED, 5, 5)]),
    "a tenant": (changed(f"tenant_id = '{TENANT}'"), [(CHANGED, 5, 5)]),
    "a client": (changed("client_id = 'lms'"), [(CHANGED, 5, 5)]),
    "an address": (changed("address = '203.0.113.9'"), [(CHANGED, 5, 5)]),
    "a request": (changed("request_id = 'r'"), [(CHANGED, 5, 5)]),
    "the detail": (changed("detail = '{}'"), [(CHANGED, 5, 5)]),
    "whose history": (changed("person_id = 'ben'"), [(ASTRAY, 5, 5)]),
    "out of a history": (changed("person_id = NULL"), [(ASTRAY, 5, 5)]),
    "white space in the detail": (changed("detail = ' ' || detail"), [(CHANGED, 5, 5)]),
    "a detail that is no JSON": (changed("detail = '{'"), [(CHANGED, 5, 5)]),
    "the first": (changed("actor_id = 'ben'", 1), [(CHANGED, 1, 1)]),
    "the last": (changed("actor_id = 'ben'", LENGTH), [(CHANGED, LENGTH, LENGTH)]),
    "two": (
        [*changed("actor_id = 'ben'", 2), *changed("actor_id = 'ben'", 7)],
        [(CHANGED, 2, 2), (CHANGED, 7, 7)],
    ),
    "its digest too": (
        changed(f"digest = '{FIRST}'"),
        [(CHANGED, 5, 5), (CHANGED, 6, 6)],
    ),
    "the last digest": (
        changed(f"digest = '{FIRST}'", LENGTH),
        [(CHANGED, LENGTH, LENGTH), (REWRITTEN, LENGTH, LENGTH)],
    ),
    "one removed": (removed(5), [(MISSING, 5, 5)]),
    "three removed": (removed(2, 3, 4), [(MISSING, 2, 4)]),
    "two removed apart": (removed(2, 5), [(MISSING, 2, 2), (MISSING, 5, 5)]),
    "the first removed": (removed(1), [(MISSING, 1, 1)]),
    "the last removed": (removed(LENGTH), [(CUT, LENGTH, LENGTH)]),
    "the end removed": (removed(7, 8, 9), [(CUT, 7, 9)]),
    "all removed": (removed(*range(1, LENGTH + 1)), [(CUT, 1, LENGTH)]),
    "neighbours reordered": (swapped(4, 5), [(MISPLACED, 4, 4), (MISPLACED, 5, 5)]),
    "the last two reordered": (swapped(8, 9), [(MISPLACED, 8, 8), (MISPLACED, 9, 9)]),
    "reordered from afar": (swapped(2, 8), [(MISPLACED, 2, 2), (MISPLACED, 8, 8)]),
    "moved to the end": (changed("seq = 20", 3), [(MISPLACED, 3, 3)]),
    "inserted at the end": ([COPY.format(4, LENGTH + 1)], [(INSERTED, 10, 10)]),
    "inserted far behind": ([COPY.format(4, 10**12)], [(INSERTED, 10**12, 10**12)]),
    "inserted before the first": ([COPY.format(4, 0)], [(INSERTED, 0, 0)]),
    "inserted in the middle": (
        [*(each.format(5, 1) for each in SHIFT), COPY.format(4, 5)],
        [(MISPLACED, seq, seq) if seq > 4 else (INSERTED, 5, 5) for seq in range(4, 10)],
    ),
    "removed, and the rest moved up": (
        [*removed(5), *(each.format(6, -1) for each in SHIFT)],
        [*((CHANGED, seq, seq) for seq in range(5, 9)), (CUT, 9, 9)],
    ),
    "its head moved back": (
        ["UPDATE audit_chains SET seq = 8 WHERE chain = 'platform'"],
        [(REWRITTEN, 8, 8), (UNSEALED, 8, 8), (INSERTED, 9, 9)],
    ),
    "its seal": (
        ["UPDATE audit_chains SET mac = 'x' WHERE chain = 'platform'"],
        [(UNSEALED, LENGTH, LENGTH)],
    ),
    "its head removed": (
        ["DELETE FROM audit_chains WHERE chain = 'platform'"],
        [(HEADLESS, 0, 0)],
    ),
}


@pytest.fixture
def chained(database: Database) -> Database:
    """With `LENGTH` events of the platform, one of which tells of another chain with three."""
    for number in range(4):
        with database.transaction() as db:
            audit.record(db, "tenant.chosen", NOW + number, actor="amara", number=number)
            audit.record(db, "session.ended", NOW + number, actor="dana", number=number)
    by_transaction(database, [TENANT] * 3)
    assert faults(database) == []
    drop_triggers(database)
    return database


def faults(database: Database, chain: str = PLATFORM) -> list[Named]:
    found = audit_inspection.inspect(database, chain).faults
    return [(fault.kind, fault.first, fault.last) for fault in found]


@pytest.mark.parametrize("deed", DEEDS)
def test_what_was_done_is_found_and_the_event_named(chained: Database, deed: str) -> None:
    statements, expected = DEEDS[deed]
    run(chained, *statements)
    assert sorted(faults(chained)) == sorted(expected)
    assert [fault for fault in faults(chained, TENANT) if fault[0] != BEGUN_ANEW] == []
    by_chain = {report.chain: report.faults for report in audit_inspection.inspect_all(chained)}
    assert by_chain[PLATFORM] == audit_inspection.inspect(chained, PLATFORM).faults
    assert newest_faults(chained, LENGTH + 3)


def test_the_event_is_named_by_place_row_time_and_tag(chained: Database) -> None:
    run(chained, *changed("actor_id = 'ben'"), *removed(2, 3))
    gap, fault = map(str, audit_inspection.inspect(chained, PLATFORM).faults)
    assert gap == "events 2 to 3 are missing"
    assert fault.startswith("event 5 (id 5, 2026-11-18 11:06:42+00:00, tenant.chosen) was changed")


def test_an_event_that_was_moved_is_told_with_both_of_its_places(chained: Database) -> None:
    run(chained, *changed("seq = 20", 3))
    [fault] = audit_inspection.inspect(chained, PLATFORM).faults
    assert str(fault).startswith("event 20 (id 3, ")
    assert str(fault).endswith("stands in another place: it was event 3")


def test_an_event_written_anew_with_its_digest_is_found_by_the_one_after_it(
    chained: Database,
) -> None:
    rewrite(chained, [5])
    assert faults(chained) == [(CHANGED, 6, 6)]


def test_events_written_anew_up_to_the_end_are_found_by_the_head(chained: Database) -> None:
    rewrite(chained, range(5, LENGTH + 1))
    assert faults(chained) == [(REWRITTEN, LENGTH, LENGTH)]


def test_a_chain_written_anew_with_its_head_is_found_by_the_seal(chained: Database) -> None:
    """Everything that can be come to without the key."""
    last = rewrite(chained, range(1, LENGTH + 1))
    run(chained, f"UPDATE audit_chains SET digest = '{last}' WHERE chain = 'platform'")
    assert faults(chained) == [(UNSEALED, LENGTH, LENGTH)]


def test_the_head_of_one_chain_is_no_head_of_another(chained: Database) -> None:
    """A chain of the same length, with a sound seal, under another's name."""
    by_transaction(chained, [OTHER] * 3)
    run(
        chained,
        f"DELETE FROM audit_events WHERE chain = '{TENANT}'",
        f"DELETE FROM audit_chains WHERE chain = '{TENANT}'",
        f"UPDATE audit_events SET chain = '{TENANT}', tenant_id = '{TENANT}'"
        f" WHERE chain = '{OTHER}'",
        f"UPDATE audit_chains SET chain = '{TENANT}' WHERE chain = '{OTHER}'",
    )
    assert (UNSEALED, 3, 3) in faults(chained, TENANT)
    assert faults(chained, OTHER) == [(HEADLESS, 0, 0)]


@pytest.mark.parametrize("also", ["", "DELETE FROM audit_chains WHERE chain = '{}'"])
def test_a_chain_that_is_gone_is_missed(chained: Database, also: str) -> None:
    run(chained, f"DELETE FROM audit_events WHERE chain = '{TENANT}'")
    if also:
        run(chained, also.format(TENANT))
    assert faults(chained, TENANT) == ([(HEADLESS, 0, 0)] if also else [(CUT, 1, 3)])
    reports = {report.chain: report for report in audit_inspection.inspect_all(chained)}
    assert reports[TENANT].faults
    assert reports[PLATFORM].faults == []


def test_a_chain_that_was_begun_anew_is_found(chained: Database) -> None:
    run(
        chained,
        f"DELETE FROM audit_events WHERE chain = '{TENANT}'",
        f"DELETE FROM audit_chains WHERE chain = '{TENANT}'",
    )
    by_transaction(chained, [TENANT] * 3)
    assert faults(chained, TENANT) == [(BEGUN_ANEW, 2, 2)]
    assert faults(chained) == []


def test_the_platform_s_own_chain_is_missed_by_the_others(chained: Database) -> None:
    run(
        chained,
        "DELETE FROM audit_events WHERE chain = 'platform'",
        "DELETE FROM audit_chains WHERE chain = 'platform'",
    )
    by_chain = {report.chain: report.faults for report in audit_inspection.inspect_all(chained)}
    assert [fault.kind for fault in by_chain[TENANT]] == [BEGUN_ANEW]
    assert PLATFORM in by_chain
    by_transaction(chained, [None])
    assert faults(chained) == []
    assert faults(chained, TENANT) == [(BEGUN_ANEW, 0, 0)]


def test_an_empty_log_is_whole(database: Database) -> None:
    assert list(audit_inspection.inspect_all(database)) == []
    assert audit_inspection.inspect(database, TENANT).faults == []


def test_a_chain_of_several_batches_is_whole_until_its_last_event_is_touched(
    sqlite: Database,
) -> None:
    length = 2 * BATCH + 1
    by_transaction(sqlite, [None] * length)
    assert audit_inspection.inspect(sqlite, PLATFORM) == (PLATFORM, length, [])
    drop_triggers(sqlite)
    run(sqlite, *changed("actor_id = 'ben'", length))
    assert faults(sqlite) == [(CHANGED, length, length)]


def newest_faults(database: Database, most: int) -> set[Named]:
    reports = audit_inspection.inspect_newest(database, most)
    return {(each.kind, each.first, each.last) for report in reports for each in report.faults}


def test_the_newest_events_can_be_looked_at_alone_with_the_end_of_every_chain(
    chained: Database,
) -> None:
    by_transaction(chained, [None] * 4)
    assert newest_faults(chained, 3) == set()
    run(chained, *changed("actor_id = 'ben'", LENGTH + 1))
    assert newest_faults(chained, 3) == set()
    assert newest_faults(chained, 4) == {(CHANGED, LENGTH + 1, LENGTH + 1)}
    run(chained, f"DELETE FROM audit_events WHERE chain = '{TENANT}' AND seq > 1")
    assert newest_faults(chained, 3) == {(CUT, 3, 3)}
    run(chained, COPY.format(4, 0))  # does not have us read from there
    assert newest_faults(chained, 3) == {(CUT, 3, 3)}
    assert audit_inspection.is_longer_than(chained, LENGTH + 5)
    assert not audit_inspection.is_longer_than(chained, LENGTH + 6)


def test_after_so_many_faults_the_rest_is_not_read(sqlite: Database) -> None:
    by_transaction(sqlite, [None] * (MOST + 50))
    drop_triggers(sqlite)
    run(sqlite, "UPDATE audit_events SET actor_id = 'ben'")
    found = faults(sqlite)
    assert found[0] == (CHANGED, 1, 1)
    assert found[-1] == (AND_MORE, MOST, MOST + 50)
    assert len(found) == MOST + 1


def rewrite(database: Database, seqs: range | list[int]) -> str:
    """Change these events and come to sound digests for them; the last of these."""
    columns = ", ".join(Event._fields)
    digest = ""
    for seq in seqs:
        place = {"seq": seq, "before": seq - 1}
        with database.engine.begin() as connection:
            row = connection.execute(
                sa.text(
                    f"SELECT {columns} FROM audit_events WHERE chain = 'platform' AND seq = :seq"
                ),
                place,
            ).one()
            previous = connection.scalar(
                sa.text(
                    "SELECT digest FROM audit_events WHERE chain = 'platform' AND seq = :before"
                ),
                place,
            )
            event = Event._make(row)._replace(actor_id="ben")
            digest = link(previous or FIRST, event.form(PLATFORM, seq))
            connection.execute(
                sa.text(
                    "UPDATE audit_events SET actor_id = 'ben', digest = :digest,"
                    " person_id = CASE WHEN person_id IS NULL THEN NULL ELSE 'ben' END"
                    " WHERE chain = 'platform' AND seq = :seq"
                ),
                {**place, "digest": digest},
            )
    return digest


def shown(length: int) -> list[Found]:
    """A sound chain, in memory."""
    found: list[Found] = []
    for seq in range(1, length + 1):
        event = Event(NOW + seq, "tenant.chosen", None, None, None, "", "", "{}")
        previous = found[-1].digest if found else FIRST
        found.append(Found(seq, link(previous, event.form(PLATFORM, seq)), event))
    return found


ORDERS: dict[str, Callable[[list[Found]], list[Found]]] = {
    "backwards": lambda found: found[::-1],
    "turned": lambda found: [*found[3:], *found[:3]],
    "one late": lambda found: [found[0], *found[2:], found[1]],
    "one twice": lambda found: [*found, found[4]],
    "one twice at once": lambda found: [*found[:5], *found[4:]],
    "without the last": lambda found: found[:-1],
    "without the first": lambda found: found[1:],
    "none": lambda found: [],
}


@pytest.mark.parametrize("order", ORDERS)
def test_no_other_order_than_the_true_one_is_whole(order: str) -> None:
    """As lines of a file can stand, which no table keeps apart."""
    found = shown(8)
    end = Head(PLATFORM, 8, found[-1].digest)
    assert Walk(Head(PLATFORM, 0, FIRST), end).faults(found) == []
    assert Walk(Head(PLATFORM, 0, FIRST), end).faults(ORDERS[order](found)) != []
