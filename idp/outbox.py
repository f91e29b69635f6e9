"""The outbox: what has to reach somebody else, written in the transaction that caused it.

A worker claims due messages and delivers them (`delivery.py`). There are seven lanes, so that
nobody's letters wait for a product, a code that lives five minutes for no letter, a text message
for no mail server, nothing for the host of a client's logo, and what the worker does itself (who is
to be told of the end of an access, say) for none of them. Of messages to products a claim takes
those to one receiver, and none to a receiver that another worker is busy with: one that hangs holds
up itself, and one thread. Products to which something did not arrive, and still waits, have a lane
of their own: however many hang, after the first time the others wait for none of them. A message
that was delivered or given up stays as its own receipt, unless it is about somebody who has no
account (`LEAVES_NOTHING`) or about a logo: then it goes with what it held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.columns import JsonText
from idp.database import Base, Connection, Database
from idp.secret_values import new_id

PENDING = "pending"
DELIVERED = "delivered"
REFUSED = "refused"
FAILED = "failed"

LETTER, CODE, TEXT = "mail", "code", "sms"  # a letter, a code by mail, a text message
LOGO = "logo"  # of a client, to be fetched
LEAVES_NOTHING = "leaves_nothing"  # in a payload
CLAIM_SECONDS = 60.0
BATCH_SECONDS = 15.0  # after which the rest of a claim is put off
BATCH = 5


class OutboxMessage(Base):
    """`kind` names the sender; `session_id` and `client_id` tie a logout to what it ends, and
    `client_id` is the receiver. `locked_until` is zero while nobody is busy with it."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index("ix_outbox_due", "status", "run_at"),
        sa.Index(
            "ix_outbox_done",
            "created_at",
            sqlite_where=sa.text("status <> 'pending'"),
            postgresql_where=sa.text("status <> 'pending'"),
        ),
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
_TURN = sa.select(sa.func.pg_advisory_xact_lock(sa.literal_column(str(0x1A7D))))


def _is_of(*kinds: str) -> sa.ColumnElement[bool]:
    """Written out, as the statement is compiled without values."""
    return sa.or_(*(_TABLE.c.kind == sa.literal_column(f"'{kind}'") for kind in kinds))


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


def _next_receiver(*, is_in_trouble: bool) -> sa.Select[Any]:
    """The one that has waited longest of those that nobody is busy with: where something waits that
    did not arrive, or where nothing does."""
    waiting, in_hand, tried = map(_TABLE.alias, ("waiting", "in_hand", "tried"))
    busy = sa.select(in_hand.c.client_id).where(
        sa.text("in_hand.locked_until > 0"),  # as the index has it
        in_hand.c.status == PENDING,
        in_hand.c.locked_until >= _NOW,
        in_hand.c.client_id.is_not(None),
    )
    troubled = sa.select(tried.c.client_id).where(
        tried.c.status == PENDING, tried.c.last_error.is_not(None), tried.c.client_id.is_not(None)
    )
    was_in_vain = waiting.c.client_id.in_(troubled)
    return (
        sa.select(waiting.c.client_id)
        .where(
            *(_due(waiting), waiting.c.client_id.is_not(None), waiting.c.client_id.not_in(busy)),
            # as IN alone, PostgreSQL would look for each row anew
            was_in_vain.is_(sa.true() if is_in_trouble else sa.false()),
        )
        .order_by(waiting.c.run_at)
        .limit(1)
    )


_NEXT_RECEIVER = _next_receiver(is_in_trouble=False)
_NEXT_IN_TROUBLE = _next_receiver(is_in_trouble=True)
_CLAIM_FOR_A_PRODUCT = _claim(_TABLE.c.client_id == _NEXT_RECEIVER.scalar_subquery())
_CLAIM_FOR_ONE_IN_TROUBLE = _claim(_TABLE.c.client_id == _NEXT_IN_TROUBLE.scalar_subquery())
_FOR_NOBODY_ELSE = _TABLE.c.client_id.is_(None)
_CLAIM_LETTERS = _claim(sa.and_(_FOR_NOBODY_ELSE, _is_of(LETTER)))
_CLAIM_CODES = _claim(sa.and_(_FOR_NOBODY_ELSE, _is_of(CODE)))
_CLAIM_TEXTS = _claim(sa.and_(_FOR_NOBODY_ELSE, _is_of(TEXT)))
_CLAIM_LOGOS = _claim(sa.and_(_FOR_NOBODY_ELSE, _is_of(LOGO)))
_CLAIM_ERRANDS = _claim(sa.and_(_FOR_NOBODY_ELSE, ~_is_of(LETTER, CODE, TEXT, LOGO)))
_IN_HAND = (  # of whoever claimed it, and has not been given up for lost
    _TABLE.c.id == sa.bindparam("message_id"),
    _TABLE.c.status == PENDING,
    _TABLE.c.attempts == sa.bindparam("attempt"),
)
_FINISH = (
    sa.update(_TABLE)
    .where(*_IN_HAND)
    .values(
        status=sa.bindparam("new_status"),
        last_error=sa.bindparam("error"),
        run_at=sa.bindparam("again_at", type_=sa.Double),
        locked_until=0.0,
        finished_at=sa.bindparam("done_at", type_=sa.Double),
    )
)
_FORGET = sa.delete(_TABLE).where(*_IN_HAND)
_PUT_OFF = (
    sa.update(_TABLE)
    .where(*_IN_HAND)
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


def message_of(kind: str, payload: Mapping[str, Any], now: float) -> OutboxMessage:
    """The same, for who writes rows."""
    return OutboxMessage(
        id=new_id(),
        kind=kind,
        payload=dict(payload),
        status=PENDING,
        attempts=0,
        created_at=now,
        run_at=now,
        locked_until=0.0,
    )


def to_products(database: Database, now: float) -> list[Message]:
    """Claims a few, all to one product that takes what it is sent, or has been sent nothing."""
    return _to_one(database, _NEXT_RECEIVER, _CLAIM_FOR_A_PRODUCT, now)


def to_products_again(database: Database, now: float) -> list[Message]:
    """Claims a few, all to one product that something did not reach."""
    return _to_one(database, _NEXT_IN_TROUBLE, _CLAIM_FOR_ONE_IN_TROUBLE, now)


def _to_one(
    database: Database, next_receiver: sa.Select[Any], claim: sa.Update, now: float
) -> list[Message]:
    """Whoever claims takes a turn, or two could choose the same receiver; not even that where there
    is nothing to do."""
    with database.connection() as db:
        if db.row(next_receiver, now=now) is None:
            return []
    with database.transaction() as db:
        if not database.is_sqlite:
            db.rows(_TURN)
        return _messages(db.rows(claim, now=now))


def letters(database: Database, now: float) -> list[Message]:
    """Claims a few letters."""
    with database.connection() as db:
        return _messages(db.rows(_CLAIM_LETTERS, now=now))


def codes(database: Database, now: float) -> list[Message]:
    """Claims a few codes by mail, which wait for no letter."""
    with database.connection() as db:
        return _messages(db.rows(_CLAIM_CODES, now=now))


def texts(database: Database, now: float) -> list[Message]:
    """Claims a few text messages."""
    with database.connection() as db:
        return _messages(db.rows(_CLAIM_TEXTS, now=now))


def logos(database: Database, now: float) -> list[Message]:
    """Claims a few logos of clients, to be fetched from any host."""
    with database.connection() as db:
        return _messages(db.rows(_CLAIM_LOGOS, now=now))


def errands(database: Database, now: float) -> list[Message]:
    """Claims a few of what is for nobody else."""
    with database.connection() as db:
        return _messages(db.rows(_CLAIM_ERRANDS, now=now))


Lane = Callable[[Database, float], list[Message]]
LANES: tuple[Lane, ...] = (errands, codes, texts, letters, to_products, to_products_again, logos)


def finish(
    db: Connection, message: Message, status: str, error: str, again_at: float, now: float
) -> bool:
    """How a try went. False for a claim that was given up for lost: somebody else has it."""
    if status != PENDING and message.payload.get(LEAVES_NOTHING):
        return bool(db.run(_FORGET, message_id=message.id, attempt=message.attempts))
    return bool(
        db.run(
            _FINISH,
            message_id=message.id,
            attempt=message.attempts,
            new_status=status,
            error=error or None,
            again_at=again_at,
            done_at=None if status == PENDING else now,
        )
    )


def put_off(db: Connection, message: Message, again_at: float) -> None:
    """Not tried, so no try is counted."""
    db.run(_PUT_OFF, message_id=message.id, attempt=message.attempts, again_at=again_at)


def _messages(rows: Iterable[tuple[Any, ...]]) -> list[Message]:
    return [_message(row) for row in rows]


def _message(row: tuple[Any, ...]) -> Message:
    message = Message._make(row)
    return message._replace(payload=orjson.loads(row[2]))
