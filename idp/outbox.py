"""The outbox: what has to reach somebody else, written in the transaction that caused it.

A worker claims due messages, hands each to its sender and writes down how it went. There are three
lanes, so that nobody's letters wait for a product, and what the worker does itself (who is to be
told of the end of an access, say) for no letter. Of messages to products a claim takes those to
one receiver, and none to a receiver that another worker is busy with: one that hangs holds up
itself, and one thread. A message that was delivered or given up stays as its own receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection, Database, JsonText
from idp.errors import StoreUnavailable
from idp.secret_values import new_id

PENDING = "pending"
DELIVERED = "delivered"
REFUSED = "refused"
FAILED = "failed"

LETTER = "mail"
CLAIM_SECONDS = 60.0
BATCH = 5
RETRY_AFTER = (1.0, 5.0, 30.0, 120.0, 600.0)

log = structlog.get_logger("outbox")


class OutboxMessage(Base):
    """`kind` names the sender; `session_id` and `client_id` tie a logout to what it ends, and
    `client_id` is the receiver. `locked_until` is zero while nobody is busy with it."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index("ix_outbox_due", "status", "run_at"),
        sa.Index(
            "ix_outbox_in_hand",
            "client_id",
            sqlite_where=sa.text("locked_until > 0"),
            postgresql_where=sa.text("locked_until > 0"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JsonText)
    session_id: Mapped[str | None] = mapped_column(index=True)
    client_id: Mapped[str | None]
    status: Mapped[str]
    attempts: Mapped[int]
    last_error: Mapped[str | None]
    created_at: Mapped[float]
    run_at: Mapped[float]
    locked_until: Mapped[float]
    finished_at: Mapped[float | None]


class Message(NamedTuple):
    id: str
    kind: str
    payload: dict[str, Any]
    session_id: str | None
    client_id: str | None
    attempts: int


class Undelivered(Exception):
    """It did not arrive. `refused` means that trying again would not help, `is_ours` that the fault
    is not the receiver's."""

    def __init__(self, reason: str, refused: bool = False, is_ours: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused
        self.is_ours = is_ours


Sender = Callable[[Message, float], None]
Watcher = Callable[[Connection, Message, str, str, float], None]

_TABLE: Any = OutboxMessage.__table__
_LETTER: Any = sa.literal_column(f"'{LETTER}'")
_NOW = sa.bindparam("now", type_=sa.Double)
_ENQUEUE = sa.insert(_TABLE).values(
    id=sa.bindparam("id"),
    kind=sa.bindparam("kind"),
    payload=sa.bindparam("payload", type_=sa.Text),
    session_id=sa.bindparam("session_id"),
    client_id=sa.bindparam("client_id"),
    status=PENDING,
    attempts=0,
    created_at=_NOW,
    run_at=_NOW,
    locked_until=0.0,
)
_TURN = sa.select(sa.func.pg_advisory_xact_lock(sa.literal_column(str(0x1A7D))))


def _due(table: Any) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.status == PENDING, table.c.run_at <= _NOW, table.c.locked_until < _NOW)


def _claim(meant: sa.ColumnElement[bool]) -> sa.Update:
    due = (
        sa.select(_TABLE.c.id)
        .where(_due(_TABLE), meant)
        .order_by(_TABLE.c.run_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    return (
        sa.update(_TABLE)
        .where(_TABLE.c.id.in_(due.scalar_subquery()))
        .values(locked_until=_NOW + CLAIM_SECONDS, attempts=_TABLE.c.attempts + 1)
        .returning(
            _TABLE.c.id,
            _TABLE.c.kind,
            sa.type_coerce(_TABLE.c.payload, sa.Text),
            _TABLE.c.session_id,
            _TABLE.c.client_id,
            _TABLE.c.attempts,
        )
    )


def _next_receiver() -> sa.Select[Any]:
    """The one that has waited longest of those that nobody is busy with."""
    waiting, in_hand = _TABLE.alias("waiting"), _TABLE.alias("in_hand")
    busy = sa.select(in_hand.c.client_id).where(
        sa.text("in_hand.locked_until > 0"),  # as the index has it
        in_hand.c.status == PENDING,
        in_hand.c.locked_until >= _NOW,
        in_hand.c.client_id.is_not(None),
    )
    return (
        sa.select(waiting.c.client_id)
        .where(_due(waiting), waiting.c.client_id.is_not(None), waiting.c.client_id.not_in(busy))
        .order_by(waiting.c.run_at)
        .limit(1)
    )


_NEXT_RECEIVER = _next_receiver()
_CLAIM_FOR_A_PRODUCT = _claim(_TABLE.c.client_id == _NEXT_RECEIVER.scalar_subquery())
_CLAIM_LETTERS = _claim(sa.and_(_TABLE.c.client_id.is_(None), _TABLE.c.kind == _LETTER))
_CLAIM_ERRANDS = _claim(sa.and_(_TABLE.c.client_id.is_(None), _TABLE.c.kind != _LETTER))
_FINISH = (
    sa.update(_TABLE)
    .where(
        _TABLE.c.id == sa.bindparam("message_id"),
        _TABLE.c.status == PENDING,
        _TABLE.c.attempts == sa.bindparam("attempt"),
    )
    .values(
        status=sa.bindparam("new_status"),
        last_error=sa.bindparam("error"),
        run_at=sa.bindparam("again_at", type_=sa.Double),
        locked_until=0.0,
        finished_at=sa.bindparam("done_at", type_=sa.Double),
    )
)
_PUT_OFF = (
    sa.update(_TABLE)
    .where(
        _TABLE.c.id == sa.bindparam("message_id"),
        _TABLE.c.status == PENDING,
        _TABLE.c.attempts == sa.bindparam("attempt"),
    )
    .values(
        attempts=_TABLE.c.attempts - 1,
        run_at=sa.bindparam("again_at", type_=sa.Double),
        locked_until=0.0,
    )
)


def enqueue(
    db: Connection,
    kind: str,
    payload: Mapping[str, Any],
    now: float,
    *,
    session_id: str | None = None,
    client_id: str | None = None,
) -> None:
    """Write a message beside the change that it tells of."""
    db.run(
        _ENQUEUE,
        id=new_id(),
        kind=kind,
        payload=orjson.dumps(payload).decode(),
        session_id=session_id,
        client_id=client_id,
        now=now,
    )


def to_products(database: Database, now: float) -> list[Message]:
    """Claims a few, all to one product. Whoever claims takes a turn, or two could choose the same
    receiver; not even that where there is nothing to do."""
    with database.connection() as db:
        if db.row(_NEXT_RECEIVER, now=now) is None:
            return []
    with database.transaction() as db:
        if not database.is_sqlite:
            db.rows(_TURN)
        return _messages(db.rows(_CLAIM_FOR_A_PRODUCT, now=now))


def letters(database: Database, now: float) -> list[Message]:
    """Claims a few letters."""
    with database.connection() as db:
        return _messages(db.rows(_CLAIM_LETTERS, now=now))


def errands(database: Database, now: float) -> list[Message]:
    """Claims a few of what is for nobody else."""
    with database.connection() as db:
        return _messages(db.rows(_CLAIM_ERRANDS, now=now))


Lane = Callable[[Database, float], list[Message]]
LANES: tuple[Lane, ...] = (errands, letters, to_products)


def deliver_due(
    database: Database,
    senders: Mapping[str, Sender],
    watch: Watcher,
    now: float,
    lanes: Iterable[Lane] = LANES,
) -> int:
    """Claim and send one batch of each lane; how many were claimed. `watch` hears of every final
    outcome. Where one did not arrive, what comes after it is put off: it would not either. So it is
    where half of the claim's time is over: the claim has to outlast its batch."""
    count = 0
    for lane in lanes:
        claimed, until = lane(database, now), monotonic() + CLAIM_SECONDS / 2
        count += len(claimed)
        for place, message in enumerate(claimed, start=1):
            has_arrived = _deliver(database, senders, message, watch, now)
            if not has_arrived or monotonic() > until:
                _put_off(database, claimed[place:], now)
                break
    return count


def _put_off(database: Database, messages: Iterable[Message], now: float) -> None:
    """Not tried, so no try is counted."""
    with database.connection() as db:
        for message in messages:
            db.run(
                _PUT_OFF,
                message_id=message.id,
                attempt=message.attempts,
                again_at=now + RETRY_AFTER[0],
            )


def _messages(rows: Iterable[tuple[Any, ...]]) -> list[Message]:
    return [_message(row) for row in rows]


def _message(row: tuple[Any, ...]) -> Message:
    message = Message._make(row)
    return message._replace(payload=orjson.loads(row[2]))


def _deliver(
    database: Database,
    senders: Mapping[str, Sender],
    message: Message,
    watch: Watcher,
    now: float,
) -> bool:
    """False where its receiver was not to be reached."""
    status, error, again_at = DELIVERED, "", now
    problem = _problem_of_sending(senders, message, now)
    if problem:
        error = str(problem)
        if problem.refused:
            status = REFUSED
        elif message.attempts > len(RETRY_AFTER):
            status = FAILED
        else:
            status, again_at = PENDING, now + RETRY_AFTER[message.attempts - 1]
    with database.transaction() as db:
        done_at = None if status == PENDING else now
        finished = db.run(
            _FINISH,
            message_id=message.id,
            attempt=message.attempts,
            new_status=status,
            error=error or None,
            again_at=again_at,
            done_at=done_at,
        )
        if finished and done_at is not None:
            watch(db, message, status, error, now)
    return problem is None or problem.refused or problem.is_ours


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
