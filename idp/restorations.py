"""When the database was put back to an earlier state: nothing counts that was made before then.

What has a row is ended in it by the restore itself (`backups/epoch.py`). What has none is held
against these times, in the very statement that decides about it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection
from idp.secret_values import new_id


class Restoration(Base):
    """`made_at` is when its backup was made, `restored_at` the whole second after it: what is dated
    by the second of the restore may be of before."""

    __tablename__ = "restorations"

    id: Mapped[str] = mapped_column(primary_key=True)
    made_at: Mapped[float]
    restored_at: Mapped[float]


class Times(NamedTuple):
    made_at: float
    restored_at: float


_TABLE: Any = Restoration.__table__
_ADD = sa.insert(_TABLE).values(
    {name: sa.bindparam(name) for name in ("id", "made_at", "restored_at")}
)
_LATEST = (
    sa.select(_TABLE.c.made_at, _TABLE.c.restored_at).order_by(_TABLE.c.restored_at.desc()).limit(1)
)


def is_after(bound_name: str) -> sa.ColumnElement[bool]:
    """Whether there was one later than the time that is bound by this name."""
    made_at = sa.bindparam(bound_name, type_=sa.Double)
    return sa.exists().where(_TABLE.c.restored_at > made_at)


def add(db: Connection, times: Times) -> None:
    db.run(_ADD, id=new_id(), **times._asdict())


def find_latest(db: Connection) -> Times | None:
    row = db.row(_LATEST)
    return Times(*row) if row else None
