"""Delivering what is in the outbox: each message to its sender, again later if it did not arrive,
and how it went is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import NamedTuple

import structlog

from idp import outbox
from idp.database import Connection, Database
from idp.errors import StoreUnavailable
from idp.outbox import DELIVERED, FAILED, LANES, PENDING, REFUSED, Lane, Message
from idp.traces import TRACES

RETRY_AFTER = (1.0, 5.0, 30.0, 120.0, *[240.0] * 15)  # for an hour

log = structlog.get_logger("outbox")


class Undelivered(Exception):
    """It did not arrive. `refused` means that trying again would not help, `is_ours` that the fault
    is not the receiver's."""

    def __init__(self, reason: str, refused: bool = False, is_ours: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused
        self.is_ours = is_ours


class _Outcome(NamedTuple):
    """`again_at` counts while the status is pending."""

    status: str
    error: str
    again_at: float


Sender = Callable[[Message, float], None]
Watcher = Callable[[Connection, Message, str, str, float], None]


def deliver_due(
    database: Database,
    senders: Mapping[str, Sender],
    watch: Watcher,
    now: float,
    lanes: Iterable[Lane] = LANES,
) -> int:
    """Claim and send one batch of each lane; how many were claimed. `watch` hears of every final
    outcome. Where one did not arrive, what comes after it is put off: it would not either. So it is
    after BATCH_SECONDS: the claim has to outlast its batch."""
    count = 0
    for lane in lanes:
        claimed, until = lane(database, now), monotonic() + outbox.BATCH_SECONDS
        count += len(claimed)
        for place, message in enumerate(claimed, start=1):
            has_arrived = _deliver(database, senders, message, watch, now)
            if not has_arrived or monotonic() > until:
                _put_off(database, claimed[place:], now)
                break
    return count


def _put_off(database: Database, messages: Iterable[Message], now: float) -> None:
    with database.connection() as db:
        for message in messages:
            outbox.put_off(db, message, now + RETRY_AFTER[0])


def _deliver(
    database: Database,
    senders: Mapping[str, Sender],
    message: Message,
    watch: Watcher,
    now: float,
) -> bool:
    """False where its receiver was not to be reached."""
    with TRACES.errand(f"deliver {message.kind}", {"latchkey.tries": message.attempts}) as span:
        problem = _problem_of_sending(senders, message, now)
        outcome = _outcome(message, problem, now)
        with database.transaction() as db:
            finished = outbox.finish(db, message, *outcome, now)
            if finished and outcome.status != PENDING:
                watch(db, message, outcome.status, outcome.error, now)
        if span:
            span.set_attribute("latchkey.outcome", outcome.status)
    return problem is None or problem.refused or problem.is_ours


def _outcome(message: Message, problem: Undelivered | None, now: float) -> _Outcome:
    if problem is None:
        return _Outcome(DELIVERED, "", now)
    if problem.refused:
        return _Outcome(REFUSED, str(problem), now)
    if message.attempts > len(RETRY_AFTER):
        return _Outcome(FAILED, str(problem), now)
    return _Outcome(PENDING, str(problem), now + RETRY_AFTER[message.attempts - 1])


def _problem_of_sending(
    senders: Mapping[str, Sender], message: Message, now: float
) -> Undelivered | None:
    """What no sender foresaw is a failed try too: it must not stop the ones that come after."""
    if message.attempts > len(RETRY_AFTER) + 1:
        return Undelivered("whoever tried to send it never came back", is_ours=True)
    try:
        senders[message.kind](message, now)
    except Undelivered as problem:
        return problem
    except StoreUnavailable:
        raise
    except Exception as problem:
        log.exception("failed", message=message.id, kind=message.kind)
        return Undelivered(f"unforeseen: {type(problem).__name__}", is_ours=True)
    return None
