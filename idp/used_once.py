"""Names that may be used once, like the `jti` of a client's assertion: one conditional insert."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import restorations
from idp.database import Base, Connection
from idp.secret_values import fingerprint
from idp.statements import Upsert


class UsedName(Base):
    """Kept until `expires_at`, when the name could no longer be used anyway."""

    __tablename__ = "used_names"

    name_hash: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[float] = mapped_column(index=True)


_TABLE: Any = UsedName.__table__
_SPEND = Upsert(
    lambda insert: (
        insert(_TABLE)
        .from_select(
            ["name_hash", "expires_at"],
            sa.select(
                sa.bindparam("name_hash", type_=sa.Text),
                sa.bindparam("expires_at", type_=sa.Double),
            ).where(~restorations.is_after("made_at")),
        )
        .on_conflict_do_nothing(index_elements=["name_hash"])
        .returning(_TABLE.c.name_hash)
    )
)


def spend(db: Connection, name: str, expires_at: float, made_at: float) -> bool:
    """True for exactly one of all who use the name, at once or one after the other; False for what
    was made before the database was restored, since nobody knows whether it was used."""
    times = {"expires_at": expires_at, "made_at": made_at}
    return db.row(_SPEND, name_hash=fingerprint(name), **times) is not None
