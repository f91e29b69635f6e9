"""What a transaction writes at its very end, so that what it locks is locked shortly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, SessionTransaction

LAST_WRITES = "latchkey_last_writes"
Db = TypeVar("Db")
Counts = dict[Any, int]


class LastWrites(Generic[Db]):
    """Each `write` with all its notes, once."""

    def __init__(self) -> None:
        self._notes: dict[Callable[[Db, list[Any]], None], list[Any]] = {}

    def add(self, write: Callable[[Db, list[Any]], None], note: Any) -> None:
        self._notes.setdefault(write, []).append(note)

    def write(self, db: Db) -> None:
        while self._notes:
            write, notes = self._notes.popitem()
            write(db, notes)

    def counts(self) -> Counts:
        return {write: len(notes) for write, notes in self._notes.items()}

    def forget_since(self, counts: Counts) -> None:
        for write, notes in self._notes.items():
            del notes[counts.get(write, 0) :]


class WritingSession(Session):
    """Writes what is left before it commits (`finish`), and forgets what it rolls back. `marks`
    says how much there was of it at each savepoint."""

    def __init__(self, engine: sa.Engine, finish: Callable[[Session], None]) -> None:
        self.last_writes: LastWrites[Any] = LastWrites()
        self.finish = finish
        self.marks: dict[SessionTransaction, Counts] = {}
        super().__init__(engine, info={LAST_WRITES: self.last_writes})


@sa.event.listens_for(WritingSession, "before_commit")
def _write_the_last(session: WritingSession) -> None:
    session.flush()
    if session.last_writes.counts() and not session.in_nested_transaction():
        session.finish(session)


@sa.event.listens_for(WritingSession, "after_transaction_create")
def _mark_savepoint(session: WritingSession, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.marks[transaction] = session.last_writes.counts()


@sa.event.listens_for(WritingSession, "after_rollback")
def _forget(session: WritingSession) -> None:
    """What came since the savepoint, or all of it."""
    savepoint = session.get_nested_transaction()
    session.last_writes.forget_since(session.marks[savepoint] if savepoint else {})
