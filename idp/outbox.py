"""The outbox: what has to reach somebody else, written in the transaction that caused it.

A worker claims due messages (one statement, any number of workers), hands each to its sender and
writes down how it went. A message that was delivered or given up stays as its own receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

CLAIM_SECONDS = 60.0
BATCH = 5  # so few that even when each of them times out, the claim outlasts them all
RETRY_AFTER = (1.0, 5.0, 30.0, 120.0, 600.0)

log = structlog.get_logger("outbox")


class OutboxMessage(Base):
    """`kind` names the sender; `session_id` and `client_id` tie a logout to what it ends."""

    __tablename__ = "outbox"
    __table_args__ = (sa.Index("ix_outbox_due", "status", "run_at"),)

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
    """It did not arrive. `refused` means that trying again would not help."""

    def __init__(self, reason: str, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


Sender = Callable[[Message, float], None]
Watcher = Callable[[Connection, Message, str, str, float], None]

_TABLE: Any = OutboxMessage.__table__
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
_DUE = (
    sa.select(_TABLE.c.id)
    .where(_TABLE.c.status == PENDING, _TABLE.c.run_at <= _NOW, _TABLE.c.locked_until < _NOW)
    .order_by(_TABLE.c.run_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    sa.update(_TABLE)
    .where(_TABLE.c.id.in_(_DUE.scalar_subquery()))
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


def deliver_due(
    database: Database, senders: Mapping[str, Sender], watch: Watcher, now: float
) -> int:
    """Claim and send one batch; how many were claimed. `watch` hears of every final outcome."""
    with database.connection() as db:
        claimed = [_message(row) for row in db.rows(_CLAIM, now=now)]
    for message in claimed:
        _deliver(database, senders, message, watch, now)
    return len(claimed)


def _message(row: tuple[Any, ...]) -> Message:
    message = Message._make(row)
    return message._replace(payload=orjson.loads(row[2]))


def _deliver(
    database: Database,
    senders: Mapping[str, Sender],
    message: Message,
    watch: Watcher,
    now: float,
) -> None:
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


def _problem_of_sending(
    senders: Mapping[str, Sender], message: Message, now: float
) -> Undelivered | None:
    """What no sender foresaw is a failed try too: it must not stop the ones that come after."""
    if message.attempts > len(RETRY_AFTER) + 1:
        return Undelivered("whoever tried to send it never came back")
    try:
        senders[message.kind](message, now)
    except Undelivered as problem:
        return problem
    except StoreUnavailable:
        raise
    except Exception as problem:
        log.exception("failed", message=message.id, kind=message.kind)
        return Undelivered(f"unforeseen: {type(problem).__name__}")
    return None
