"""The outbox: what was written with a change reaches its sender, once, or is tried again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from idp import delivery, outbox
from idp.database import Connection, Database
from idp.delivery import Undelivered
from idp.errors import Refusal, StoreUnavailable
from idp.outbox import Message, OutboxMessage
from tests.storage.crew import PROCESSES, Crew, Prepared

NOW = 1_795_000_000.0


def enqueue(
    database: Database,
    *names: str,
    now: float = NOW,
    kind: str = "mail",
    to: str | None = "lms",
) -> None:
    with database.transaction() as db:
        for name in names:
            outbox.enqueue(db, kind, {"name": name}, now, session_id="s", client_id=to)


def unheard(db: Connection, message: Message, status: str, error: str, now: float) -> None:
    pass


class Recorder:
    """A sender that fails as often as it is told, and a watcher."""

    def __init__(self, failures: Iterable[Exception] = ()) -> None:
        self.failures = list(failures)
        self.sent: list[str] = []
        self.outcomes: list[tuple[str, str, str]] = []

    def send(self, message: Message, now: float) -> None:
        self.sent.append(message.payload["name"])
        if self.failures:
            raise self.failures.pop(0)

    def watch(self, db: Connection, message: Message, status: str, error: str, now: float) -> None:
        self.outcomes.append((message.payload["name"], status, error))

    def deliver(self, database: Database, now: float) -> int:
        return delivery.deliver_due(database, {"mail": self.send}, self.watch, now)


def kept(database: Database) -> list[tuple[Any, ...]]:
    with database.connection() as db:
        return db.rows(
            sa.select(
                OutboxMessage.status,
                OutboxMessage.attempts,
                OutboxMessage.last_error,
                OutboxMessage.finished_at,
            ).order_by(OutboxMessage.created_at)
        )


def test_a_message_reaches_its_sender_as_it_was_written(database: Database) -> None:
    heard = []
    with database.transaction() as db:
        payload = {"to": "ö@é.example", "n": [1, None, "漢字 \u0000"]}
        outbox.enqueue(db, "mail", payload, NOW, session_id="s-1", client_id="lms")
    senders = {"mail": lambda message, now: heard.append((message, now))}
    assert delivery.deliver_due(database, senders, unheard, NOW + 1) == 1
    [(message, now)] = heard
    assert message[1:] == ("mail", payload, "s-1", "lms", 1)
    assert now == NOW + 1


def test_a_delivered_message_stays_as_its_receipt_and_is_not_sent_again(
    database: Database,
) -> None:
    enqueue(database, "first")
    recorder = Recorder()
    assert recorder.deliver(database, NOW) == 1
    assert recorder.deliver(database, NOW + 10_000_000) == 0
    assert recorder.outcomes == [("first", outbox.DELIVERED, "")]
    assert kept(database) == [(outbox.DELIVERED, 1, None, NOW)]


@pytest.mark.parametrize(
    ("problem", "outcome"),
    [(None, outbox.DELIVERED), (Undelivered("no such box", refused=True), outbox.REFUSED)],
)
def test_a_message_about_somebody_without_an_account_leaves_nothing_once_it_is_done(
    database: Database, problem: Exception | None, outcome: str
) -> None:
    with database.transaction() as db:
        letter = {"name": "first", outbox.LEAVES_NOTHING: True}
        outbox.enqueue(db, "mail", letter, NOW, session_id="s", client_id="lms")
    recorder = Recorder([Undelivered("away"), *([problem] if problem else [])])
    recorder.deliver(database, NOW)
    assert [row[0] for row in kept(database)] == [outbox.PENDING], "it is tried again"
    assert recorder.outcomes == []
    recorder.deliver(database, NOW + 1)
    assert recorder.outcomes[0][:2] == ("first", outcome)
    assert kept(database) == []


def test_messages_leave_oldest_first(database: Database) -> None:
    for number in (3, 1, 2):
        enqueue(database, str(number), now=NOW + number)
    recorder = Recorder()
    for later in (1, 2, 3):
        recorder.deliver(database, NOW + later)
    assert recorder.sent == ["1", "2", "3"]


def test_a_message_of_a_change_that_was_rolled_back_is_never_sent(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        enqueue_and_raise(database, ZeroDivisionError())
    assert kept(database) == []


def test_a_message_of_a_refusal_is_sent(database: Database) -> None:
    with pytest.raises(Refusal):
        enqueue_and_raise(database, Refusal("code", "words"))
    assert Recorder().deliver(database, NOW) == 1


def enqueue_and_raise(database: Database, problem: Exception) -> None:
    with database.transaction() as db:
        outbox.enqueue(db, "mail", {"name": "letter"}, NOW)
        raise problem


def test_a_failed_message_is_given_up_after_the_last_of_its_waits(
    database: Database,
) -> None:
    enqueue(database, "letter")
    last = len(delivery.RETRY_AFTER) + 1
    recorder = Recorder(Undelivered(f"try {number}") for number in range(1, last + 1))
    now = NOW
    for number, wait in enumerate(delivery.RETRY_AFTER, start=1):
        assert recorder.deliver(database, now) == 1
        assert recorder.deliver(database, now + wait - 0.001) == 0
        assert kept(database) == [(outbox.PENDING, number, f"try {number}", None)]
        assert recorder.outcomes == []
        now += wait
    assert recorder.deliver(database, now) == 1
    assert kept(database) == [(outbox.FAILED, last, f"try {last}", now)]
    assert recorder.outcomes == [("letter", outbox.FAILED, f"try {last}")]
    assert recorder.deliver(database, now + 10_000_000) == 0


def test_a_message_may_arrive_at_a_later_try(database: Database) -> None:
    enqueue(database, "letter")
    recorder = Recorder([Undelivered("away")])
    recorder.deliver(database, NOW)
    recorder.deliver(database, NOW + 1)
    assert recorder.outcomes == [("letter", outbox.DELIVERED, "")]
    assert kept(database) == [(outbox.DELIVERED, 2, None, NOW + 1)]


def test_a_refused_message_is_not_tried_again(database: Database) -> None:
    enqueue(database, "letter")
    recorder = Recorder([Undelivered("no such address", refused=True)])
    recorder.deliver(database, NOW)
    assert recorder.deliver(database, NOW + 10_000_000) == 0
    assert recorder.outcomes == [("letter", outbox.REFUSED, "no such address")]


def test_a_message_that_breaks_its_sender_holds_up_no_other(database: Database) -> None:
    enqueue(database, "poison", "letter")
    recorder = Recorder()

    def send(message: Message, now: float) -> None:
        recorder.send(message, now)
        if message.payload["name"] == "poison":
            raise ValueError("a secret that belongs in no column")

    assert delivery.deliver_due(database, {"mail": send}, recorder.watch, NOW) == 2
    assert recorder.outcomes == [("letter", outbox.DELIVERED, "")]
    assert sorted(kept(database)) == [
        (outbox.DELIVERED, 1, None, NOW),
        (outbox.PENDING, 1, "unforeseen: ValueError", None),
    ]


def test_a_message_that_nobody_sends_holds_up_no_other(database: Database) -> None:
    enqueue(database, "smoke signal", kind="smoke")
    enqueue(database, "letter", now=NOW + 1)
    recorder = Recorder()
    assert recorder.deliver(database, NOW + 1) == 2
    assert recorder.sent == ["letter"]


def test_a_store_that_goes_away_while_sending_is_no_fault_of_the_message(
    database: Database,
) -> None:
    enqueue(database, "letter")
    recorder = Recorder([StoreUnavailable("away")])
    with pytest.raises(StoreUnavailable):
        recorder.deliver(database, NOW)
    assert kept(database) == [(outbox.PENDING, 1, None, None)]
    assert recorder.deliver(database, NOW + outbox.CLAIM_SECONDS + 1) == 1
    assert recorder.outcomes == [("letter", outbox.DELIVERED, "")]


def test_what_the_watcher_writes_stands_or_falls_with_the_receipt(database: Database) -> None:
    enqueue(database, "letter")

    def fail(db: Connection, message: Message, status: str, error: str, now: float) -> None:
        outbox.enqueue(db, "mail", {"name": "second"}, now)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        delivery.deliver_due(database, {"mail": Recorder().send}, fail, NOW)
    assert kept(database) == [(outbox.PENDING, 1, None, None)]


def test_a_worker_that_is_killed_after_its_claim_loses_no_message(
    database: Database, schema_url: str
) -> None:
    enqueue(database, "letter")
    worker = multiprocessing.get_context("spawn").Process(target=claim_and_die, args=(schema_url,))
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    recorder = Recorder()
    assert recorder.deliver(database, NOW + outbox.CLAIM_SECONDS) == 0
    assert recorder.deliver(database, NOW + outbox.CLAIM_SECONDS + 1) == 1
    assert kept(database) == [(outbox.DELIVERED, 2, None, NOW + outbox.CLAIM_SECONDS + 1)]


def claim_and_die(url: str) -> None:
    def die(message: Message, now: float) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with closing(Database(url)) as database:
        delivery.deliver_due(database, {"mail": die}, unheard, NOW)


@pytest.mark.parametrize("leaves_nothing", [False, True])
def test_a_worker_whose_claim_has_lapsed_gives_away_nothing_of_the_next_ones(
    database: Database, leaves_nothing: bool
) -> None:
    """The first is slow and fails at last, while the second sends: a third must not send too."""
    with database.transaction() as db:
        letter = {"name": "letter", outbox.LEAVES_NOTHING: leaves_nothing}
        outbox.enqueue(db, "mail", letter, NOW, session_id="s", client_id="lms")
    may_fail, third, left = threading.Event(), Recorder(), list[tuple[Any, ...]]()
    lapsed = NOW + outbox.CLAIM_SECONDS + 1

    def fail_late(message: Message, now: float) -> None:
        assert may_fail.wait(30)
        raise Undelivered("too late", refused=leaves_nothing)

    def send_meanwhile(message: Message, now: float) -> None:
        may_fail.set()
        first.join()
        left.extend(kept(database))
        assert third.deliver(database, lapsed + 10) == 0

    senders = {"mail": fail_late}
    first = threading.Thread(target=delivery.deliver_due, args=(database, senders, unheard, NOW))
    first.start()
    wait_until_claimed(database)
    delivery.deliver_due(database, {"mail": send_meanwhile}, unheard, lapsed)
    assert left == [(outbox.PENDING, 2, None, None)]
    receipt = [(outbox.DELIVERED, 2, None, lapsed)]
    assert kept(database) == ([] if leaves_nothing else receipt)


def wait_until_claimed(database: Database) -> None:
    deadline = time.monotonic() + 30
    while kept(database)[0][1] == 0:
        assert time.monotonic() < deadline


def test_of_many_workers_one_sends_each_message(
    database: Database, schema_url: str, crew: Crew
) -> None:
    names = [f"letter {number}" for number in range(1000)]
    enqueue(database, *names)
    sent = crew.race(worker, schema_url, threads=3)
    assert len(sent) == 3 * PROCESSES
    assert sorted(name for each in sent for name in each) == sorted(names)
    assert {row[:3] for row in kept(database)} == {(outbox.DELIVERED, 1, None)}


def worker(stack: ExitStack, url: str) -> Prepared:
    database = Database(url)
    stack.callback(database.close)
    return partial(kept, database), lambda number: all_that_one_worker_sends(database)


def all_that_one_worker_sends(database: Database) -> list[str]:
    recorder = Recorder()
    while claimed := recorder.deliver(database, NOW):
        assert claimed <= outbox.BATCH
    return recorder.sent


class Hanging:
    """A sender that goes on when it is let, and knows whom it is busy with."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.sent: list[str | None] = []

    def send(self, message: Message, now: float) -> None:
        self.sent.append(message.client_id)
        self.begun.release()
        assert self.may_end.wait(30)

    def begin(self, database: Database) -> threading.Thread:
        """A worker that is held up by what it sends."""
        deliver = partial(delivery.deliver_due, database, {"mail": self.send}, unheard, NOW)
        thread = threading.Thread(target=deliver)
        thread.start()
        assert self.begun.acquire(timeout=30)
        return thread


def test_a_product_that_hangs_holds_up_no_other_and_one_worker(database: Database) -> None:
    enqueue(database, *map(str, range(20)), to="hangs")
    enqueue(database, "later", now=NOW + 0.1, to="lives")
    enqueue(database, "letter", now=NOW + 0.2, to=None)
    hanging, others = Hanging(), Recorder()
    thread = hanging.begin(database)
    while others.deliver(database, NOW + 1):
        pass
    assert sorted(others.sent) == ["later", "letter"]
    hanging.may_end.set()
    thread.join()
    while others.deliver(database, NOW + 2):
        pass
    assert len(others.sent) + len(hanging.sent) == 22


def test_nobody_waits_for_products_that_something_did_not_reach(database: Database) -> None:
    enqueue(database, "first", "second", to="hangs")
    assert Recorder([Undelivered("away")]).deliver(database, NOW) == 2
    enqueue(database, "third", now=NOW + 1, to="hangs")
    enqueue(database, "fourth", now=NOW + 1, to="lives")
    assert claimed_of(outbox.to_products(database, NOW + 2)) == {"fourth"}
    assert claimed_of(outbox.to_products(database, NOW + 2)) == set()
    assert claimed_of(outbox.to_products_again(database, NOW + 2)) == {"first", "second", "third"}


def test_a_product_that_everything_has_reached_is_like_any_other(database: Database) -> None:
    enqueue(database, "first", to="lives again")
    recorder = Recorder([Undelivered("away")])
    recorder.deliver(database, NOW)
    recorder.deliver(database, NOW + 1)
    enqueue(database, "second", now=NOW + 2, to="lives again")
    assert claimed_of(outbox.to_products_again(database, NOW + 2)) == set()
    assert claimed_of(outbox.to_products(database, NOW + 2)) == {"second"}


def claimed_of(messages: Iterable[Message]) -> set[str]:
    return {each.payload["name"] for each in messages}


def test_of_all_who_claim_at_once_one_is_busy_with_a_product(
    database: Database, schema_url: str, crew: Crew
) -> None:
    """Otherwise a few messages to a product that hangs would keep every worker."""
    enqueue(database, *map(str, range(200)), to="hangs")
    claimed = crew.race(claimer, schema_url, threads=3)
    assert sorted(claimed) == [0] * (3 * PROCESSES - 1) + [outbox.BATCH]


def claimer(stack: ExitStack, url: str) -> Prepared:
    database = Database(url)
    stack.callback(database.close)
    return partial(kept, database), lambda number: len(outbox.to_products(database, NOW))


def test_what_comes_after_one_that_did_not_arrive_is_put_off_untried(database: Database) -> None:
    enqueue(database, "first", "second", "third")
    recorder = Recorder([Undelivered("away")])
    recorder.deliver(database, NOW)
    assert len(recorder.sent) == 1
    assert sorted(row[1] for row in kept(database)) == [0, 0, 1]
    assert recorder.deliver(database, NOW + 0.9) == 0
    assert recorder.deliver(database, NOW + 1) == 3
    assert sorted(set(recorder.sent)) == ["first", "second", "third"]
    assert {row[0] for row in kept(database)} == {outbox.DELIVERED}


def test_letters_wait_for_no_product(database: Database) -> None:
    enqueue(database, *map(str, range(20)), to="lms")
    enqueue(database, "letter", now=NOW + 1, to=None)
    recorder = Recorder()
    senders = {"mail": recorder.send}
    delivery.deliver_due(database, senders, unheard, NOW + 1, [outbox.letters])
    assert recorder.sent == ["letter"]


def test_what_its_claim_may_not_outlast_is_put_off_untried(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail server that takes every letter, but its time: another worker would send them too."""
    monkeypatch.setattr(outbox, "BATCH_SECONDS", 0.0)
    enqueue(database, "first", "second", "third", to=None)
    recorder = Recorder()
    recorder.deliver(database, NOW)
    assert len(recorder.sent) == 1
    assert sorted(row[:2] for row in kept(database)) == [
        (outbox.DELIVERED, 1),
        (outbox.PENDING, 0),
        (outbox.PENDING, 0),
    ]
    assert outbox.letters(database, NOW + 0.9) == []
    assert len(outbox.letters(database, NOW + 1)) == 2


def test_what_a_worker_does_itself_waits_for_no_letter(database: Database) -> None:
    """A company may send ten thousand at once, or the mail server be away."""
    enqueue(database, "earlier", now=NOW - 1, kind="follow", to=None)
    enqueue(database, *map(str, range(20)), to=None)
    enqueue(database, "later", now=NOW + 1, kind="follow", to=None)
    assert {message.kind for message in outbox.letters(database, NOW + 1)} == {outbox.LETTER}
    recorder = Recorder()
    delivery.deliver_due(database, {"follow": recorder.send}, unheard, NOW + 1, [outbox.errands])
    assert sorted(recorder.sent) == ["earlier", "later"]
