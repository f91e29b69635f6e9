"""Where codes are sent: to a phone by SMS, to the person's address by e-mail, once enrolled.

A number is verified by a code before it is kept, and another number is another authenticator.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import Origin
from idp.credentials import second_factor_tries
from idp.credentials.enrolled import Factor
from idp.credentials.phone_numbers import masked
from idp.database import Base, Connection
from idp.secret_values import new_id
from idp.statements import Upsert

SMS, EMAIL = "sms", "email"


class SentCodeFactor(Base):
    """`number` is E.164; None for e-mail, which goes to whatever address the person then has."""

    __tablename__ = "sent_code_factors"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    channel: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    number: Mapped[str | None]
    enrolled_at: Mapped[float]
    last_used_at: Mapped[float | None]


class Enrolled(NamedTuple):
    id: str
    number: str | None
    enrolled_at: float


_TABLE: Any = SentCodeFactor.__table__
_OF_USER = _TABLE.c.user_id == sa.bindparam("user_id", type_=sa.Text)
_LIST = sa.select(
    *(_TABLE.c[n] for n in ("channel", "id", "number", "enrolled_at", "last_used_at"))
).where(_OF_USER)
_ONE = sa.select(*(_TABLE.c[name] for name in Enrolled._fields)).where(
    _OF_USER, _TABLE.c.channel == sa.bindparam("channel", type_=sa.Text)
)
_USED = (
    sa.update(_TABLE)
    .where(_TABLE.c.id == sa.bindparam("factor_id", type_=sa.Text))
    .values(last_used_at=sa.bindparam("now", type_=sa.Double))
)
_REMOVE = (
    sa.delete(_TABLE)
    .where(_OF_USER, _TABLE.c.id == sa.bindparam("factor_id", type_=sa.Text))
    .returning(_TABLE.c.id)
)


def _replace(insert: Any) -> Any:
    names = ("user_id", "channel", "id", "number", "enrolled_at")
    row = insert(_TABLE).values({name: sa.bindparam(name) for name in names})
    replaced = {name: row.excluded[name] for name in names[2:]}
    return row.on_conflict_do_update(
        index_elements=["user_id", "channel"], set_={**replaced, "last_used_at": sa.null()}
    )


_REPLACE = Upsert(_replace)


def factors(db: Connection, user_id: str) -> list[Factor]:
    return [
        Factor(channel, factor_id, masked(number) if number else "", enrolled_at, last_used_at)
        for channel, factor_id, number, enrolled_at, last_used_at in db.rows(_LIST, user_id=user_id)
    ]


def find(db: Connection, user_id: str, channel: str) -> Enrolled | None:
    row = db.row(_ONE, user_id=user_id, channel=channel)
    return Enrolled._make(row) if row else None


def store(
    db: Connection, user_id: str, channel: str, destination: str, now: float, origin: Origin
) -> None:
    """What a code has just proven, in place of what there was."""
    replaced = find(db, user_id, channel)
    if replaced:
        second_factor_tries.forget(db, replaced.id)
    number = destination if channel == SMS else None
    about = {"user_id": user_id, "channel": channel}
    db.run(_REPLACE, **about, id=new_id(), number=number, enrolled_at=now)
    audit.record(
        *(db, "factor.enrolled", now, origin),
        actor=user_id,
        method=channel,
        replaces=replaced is not None,
    )


def tell_use(db: Connection, factor_id: str, now: float) -> None:
    """When it was last used."""
    db.run(_USED, factor_id=factor_id, now=now)


def remove(db: Connection, user_id: str, factor_id: str) -> bool:
    """False if it is not theirs."""
    return db.row(_REMOVE, user_id=user_id, factor_id=factor_id) is not None
