"""Links that prove an e-mail address to whoever wants another password (product.md P5, P6).

For one person and one purpose there is one: a newer one takes its place. It is good for an hour,
once, and no longer than all that was proven before it: what moves `users.sessions_valid_after`, or
the address, ends it (security.md S56, S57). Opening one changes nothing.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection
from idp.directory import users
from idp.directory.users import User
from idp.secret_values import LETTER_SECRET, SecretKeys, fingerprint
from idp.statements import Upsert

RESET, CHANGE = "reset", "change"
LIFETIME_MINUTES = 60


class PasswordLink(Base):
    """`email` is the canonical address that the letter went to."""

    __tablename__ = "password_links"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    purpose: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str]
    created_at: Mapped[float]
    expires_at: Mapped[float]


class Opened(NamedTuple):
    """Whose link it is."""

    user_id: str
    email: str
    name: str


_TABLE: Any = PasswordLink.__table__
_COLUMNS = tuple(_TABLE.c.keys())
_MAKE = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values({name: sa.bindparam(name) for name in _COLUMNS})
        .on_conflict_do_update(
            index_elements=["user_id", "purpose"],
            set_={name: sa.bindparam(name) for name in _COLUMNS[2:]},
        )
    )
)
_IS_GOOD = (
    _TABLE.c.token_hash == sa.bindparam("hashed"),
    _TABLE.c.purpose == sa.bindparam("wanted"),
    _TABLE.c.expires_at > sa.bindparam("now", type_=sa.Double),
    User.id == _TABLE.c.user_id,
    User.status == sa.literal_column(f"'{users.ACTIVE}'"),
    User.email_canonical == _TABLE.c.email,
    User.sessions_valid_after <= _TABLE.c.created_at,
)
_LOOK = sa.select(User.id, User.email, User.name).where(*_IS_GOOD)
_SPEND = (
    sa.delete(_TABLE)
    .where(_TABLE.c.token_hash == sa.bindparam("hashed"), sa.exists().where(*_IS_GOOD))
    .returning(_TABLE.c.user_id)
)


def make(
    db: Connection, keys: SecretKeys, user_id: str, email: str, purpose: str, path: str, now: float
) -> str:
    """The sealed link for a letter to the canonical address `email`: `path`, and a token of 256
    bits. An older one is dead."""
    secret = token_hex(32)
    db.run(
        _MAKE,
        user_id=user_id,
        purpose=purpose,
        token_hash=fingerprint(secret),
        email=email,
        created_at=now,
        expires_at=now + LIFETIME_MINUTES * 60.0,
    )
    return keys.encrypt(f"{path}{secret}".encode(), LETTER_SECRET)


def look(db: Connection, claimed_token: str, purpose: str, now: float) -> Opened | None:
    row = db.row(_LOOK, hashed=fingerprint(claimed_token), wanted=purpose, now=now)
    return Opened._make(row) if row else None


def spend(db: Connection, claimed_token: str, purpose: str, now: float) -> str | None:
    """Whose it was, for one of all who come at once; None for the others."""
    row = db.row(_SPEND, hashed=fingerprint(claimed_token), wanted=purpose, now=now)
    return str(row[0]) if row else None
