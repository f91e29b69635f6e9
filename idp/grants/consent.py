"""Consent: what a person has allowed a client that is not first-party to see."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import Origin
from idp.database import Base, Connection, Upsert
from idp.directory.clients import Client
from idp.grants import grant


class Consent(Base):
    """`scope` is separated by spaces. Withdrawing deletes the row and ends what rested on it."""

    __tablename__ = "consents"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    client_id: Mapped[str] = mapped_column(
        sa.ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True
    )
    scope: Mapped[str]
    given_at: Mapped[float]


class GivenConsent(NamedTuple):
    client_id: str
    client_name: str
    scope: str
    given_at: float


_TABLE: Any = Consent.__table__
_FIND = sa.select(_TABLE.c.scope).where(
    _TABLE.c.user_id == sa.bindparam("user_id"), _TABLE.c.client_id == sa.bindparam("client_id")
)
_GIVE = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values(
            user_id=sa.bindparam("user_id"),
            client_id=sa.bindparam("client_id"),
            scope=sa.bindparam("scope"),
            given_at=sa.bindparam("given_at"),
        )
        .on_conflict_do_update(
            index_elements=["user_id", "client_id"],
            set_={"scope": sa.bindparam("scope"), "given_at": sa.bindparam("given_at")},
        )
    )
)
_WITHDRAW = (
    sa.delete(_TABLE)
    .where(
        _TABLE.c.user_id == sa.bindparam("user_id"),
        _TABLE.c.client_id == sa.bindparam("client_id"),
    )
    .returning(_TABLE.c.scope)
)
_OF_PERSON = (
    sa.select(Client.client_id, Client.client_name, Consent.scope, Consent.given_at)
    .select_from(Consent)
    .join(Client, Client.client_id == Consent.client_id)
    .where(Consent.user_id == sa.bindparam("user_id"))
    .order_by(Client.client_name)
)


def find(db: Connection, user_id: str, client_id: str) -> frozenset[str]:
    """The scopes that the person has allowed the client; none at all is an empty set."""
    row = db.row(_FIND, user_id=user_id, client_id=client_id)
    return frozenset(str(row[0]).split()) if row else frozenset()


def give(
    db: Connection, user_id: str, client_id: str, scope: frozenset[str], now: float, origin: Origin
) -> None:
    db.run(
        _GIVE,
        user_id=user_id,
        client_id=client_id,
        scope=" ".join(sorted(scope)),
        given_at=now,
    )
    audit.record(
        db,
        "consent.given",
        now,
        origin,
        actor=user_id,
        client=client_id,
        scope=sorted(scope),
    )


def withdraw(db: Connection, user_id: str, client_id: str, now: float, origin: Origin) -> bool:
    """Forget it and end the client's grants for the person; False if there was none."""
    if db.row(_WITHDRAW, user_id=user_id, client_id=client_id) is None:
        return False
    grant.end_for_client(db, user_id, client_id, now)
    audit.record(db, "consent.withdrawn", now, origin, actor=user_id, client=client_id)
    return True


def given_by(db: Connection, user_id: str) -> list[GivenConsent]:
    return [GivenConsent._make(row) for row in db.rows(_OF_PERSON, user_id=user_id)]
