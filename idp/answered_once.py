"""Requests that were given a name by who sent them, so that sending one again changes nothing more.

The name is claimed, and the answer kept, in the transaction that does the work: of many who ask at
once one does it, and the others wait and get its answer. Answers are sealed, since one may hold a
secret that is shown once.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection
from idp.errors import Busy, PageRefusal, told
from idp.secret_values import SecretKeys, fingerprint
from idp.statements import Upsert

PURPOSE = "answer {name_hash}"
KEPT_FOR = 86400.0  # seconds


class AnsweredRequest(Base):
    """`request_hash` tells whether it is the same request again. Kept until `expires_at`."""

    __tablename__ = "answered_requests"

    name_hash: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    answer: Mapped[str] = mapped_column(default="")
    expires_at: Mapped[float] = mapped_column(index=True)


class ReusedName(PageRefusal):
    def __init__(self) -> None:
        super().__init__(
            "idempotency_key_reused",
            told("This Idempotency-Key was sent with another request before."),
            "another body under the same key",
            422,
        )


_TABLE: Any = AnsweredRequest.__table__
_NAME = _TABLE.c.name_hash == sa.bindparam("name_hash")


def _claim(insert: Any) -> sa.Executable:
    row = insert(_TABLE).values(
        name_hash=sa.bindparam("name_hash"),
        request_hash=sa.bindparam("request_hash"),
        answer="",
        expires_at=sa.bindparam("expires_at"),
    )
    claimed: sa.Executable = row.on_conflict_do_update(
        index_elements=["name_hash"],
        set_={
            "request_hash": row.excluded.request_hash,
            "answer": "",
            "expires_at": row.excluded.expires_at,
        },
        where=_TABLE.c.expires_at <= sa.bindparam("now", type_=sa.Double),
    ).returning(_TABLE.c.name_hash)
    return claimed


_CLAIM = Upsert(_claim)
_FIND = sa.select(_TABLE.c.request_hash, _TABLE.c.answer).where(_NAME)
_KEEP = sa.update(_TABLE).values(answer=sa.bindparam("answer")).where(_NAME)
_FORGET = sa.delete(_TABLE).where(_NAME)


def claim(db: Connection, keys: SecretKeys, name: str, request: str, now: float) -> bytes | None:
    """None for the one who has to do the work; the kept answer for everybody after. Raises
    ReusedName for another request of that name, Busy while the first waits for the network."""
    name_hash, request_hash = fingerprint(name), fingerprint(request)
    claimed = db.row(
        _CLAIM,
        name_hash=name_hash,
        request_hash=request_hash,
        expires_at=now + KEPT_FOR,
        now=now,
    )
    if claimed:
        return None
    row = db.row(_FIND, name_hash=name_hash)
    if row is None or row[0] != request_hash:
        raise ReusedName
    if not row[1]:
        raise Busy("the same request is being answered")
    return keys.decrypt(row[1], PURPOSE.format(name_hash=name_hash))


def keep(db: Connection, keys: SecretKeys, name: str, answer: bytes) -> None:
    """In the transaction that claimed the name."""
    name_hash = fingerprint(name)
    sealed = keys.encrypt(answer, PURPOSE.format(name_hash=name_hash))
    db.run(_KEEP, name_hash=name_hash, answer=sealed)


def forget(db: Connection, name: str) -> None:
    """Nothing was done, so whoever asks again may try."""
    db.run(_FORGET, name_hash=fingerprint(name))
