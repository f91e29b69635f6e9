"""Clients that register themselves (RFC 7591, RFC 7592): what lets them, and what they are held to.

An initial access token lets so many clients register for one product, within its policy. Each of
them has a registration access token, by which it reads, changes and deletes itself. Both are stored
by SHA-256: we generate them with 256 bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.columns import JsonText
from idp.database import Base, Connection
from idp.directory.clients import Client


class InitialAccessToken(Base):
    """`policy` is a RegistrationPolicy's, and never changes. `used` counts towards `uses`."""

    __tablename__ = "initial_access_tokens"

    name: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    product_key: Mapped[str] = mapped_column(sa.ForeignKey("products.key"))
    policy: Mapped[dict[str, Any]] = mapped_column(JsonText)
    uses: Mapped[int]
    used: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[float]
    expires_at: Mapped[float]
    ended_at: Mapped[float | None]

    def is_good(self, now: float) -> bool:
        return self.ended_at is None and self.used < self.uses and self.expires_at > now


class ClientRegistration(Base):
    """Of a client that registered itself, by the initial access token of that name. It stays within
    `policy`, and what `software_statement` says of it stands."""

    __tablename__ = "client_registrations"

    client_id: Mapped[str] = mapped_column(
        sa.ForeignKey("clients.client_id", ondelete="CASCADE"), primary_key=True
    )
    token_hash: Mapped[str]
    initial_token: Mapped[str] = mapped_column(sa.ForeignKey("initial_access_tokens.name"))
    policy: Mapped[dict[str, Any]] = mapped_column(JsonText)
    software_statement: Mapped[str | None]
    created_at: Mapped[float]


class Terms(NamedTuple):
    """What a client may be that registers by this initial access token."""

    initial_token: str
    product: str
    policy: dict[str, Any]


_TOKENS: Any = InitialAccessToken.__table__
_NOW = sa.bindparam("now", type_=sa.Double)
_IS_GOOD = sa.and_(
    _TOKENS.c.ended_at.is_(None), _TOKENS.c.used < _TOKENS.c.uses, _TOKENS.c.expires_at > _NOW
)
_TERMS = sa.select(_TOKENS.c.name, _TOKENS.c.product_key, _TOKENS.c.policy).where(_IS_GOOD)
_BY_HASH = _TERMS.where(_TOKENS.c.token_hash == sa.bindparam("token_hash"))
_BY_NAME = _TERMS.where(_TOKENS.c.name == sa.bindparam("name"))
_SPEND = (
    sa.update(_TOKENS)
    .where(_TOKENS.c.name == sa.bindparam("token_name"), _IS_GOOD)
    .values(used=_TOKENS.c.used + 1)
    .returning(_TOKENS.c.name)
)
_END = (
    sa.update(_TOKENS)
    .where(_TOKENS.c.name == sa.bindparam("token_name"), _TOKENS.c.ended_at.is_(None))
    .values(ended_at=_NOW)
    .returning(_TOKENS.c.name)
)
_STATUS = (
    sa.select(Client.status)
    .join(ClientRegistration, ClientRegistration.client_id == Client.client_id)
    .where(
        Client.client_id == sa.bindparam("client_id"),
        ClientRegistration.token_hash == sa.bindparam("token_hash"),
    )
)


def find_terms(db: Connection, token_hash: str, now: float) -> Terms | None:
    """Of a token that is good for one more client."""
    return _terms(db.row(_BY_HASH, token_hash=token_hash, now=now))


def find_terms_by_name(db: Connection, name: str, now: float) -> Terms | None:
    return _terms(db.row(_BY_NAME, name=name, now=now))


def _terms(row: tuple[Any, ...] | None) -> Terms | None:
    return None if row is None else Terms(row[0], row[1], orjson.loads(row[2]))


def spend(db: Connection, name: str, now: float) -> bool:
    """One use; False if there is none left, or it has ended since it was read."""
    return db.row(_SPEND, token_name=name, now=now) is not None


def end(db: Connection, name: str, now: float) -> bool:
    """Nobody registers by it any more; False if it had ended already."""
    return db.row(_END, token_name=name, now=now) is not None


def find_status(db: Connection, client_id: str, token_hash: str) -> str | None:
    """Of the client that this registration access token is for: ACTIVE or DISABLED."""
    row = db.row(_STATUS, client_id=client_id, token_hash=token_hash)
    return None if row is None else str(row[0])
