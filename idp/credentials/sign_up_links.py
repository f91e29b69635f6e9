"""Links that prove an e-mail address of somebody who has no account yet (product.md S5).

There is one for an address: a newer one takes its place. It is good for an hour, and once. Opening
it changes nothing, and nobody is made before it is spent.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection
from idp.secret_values import LETTER_SECRET, SecretKeys, fingerprint
from idp.statements import Upsert

LIFETIME_MINUTES = 60


class SignUpLink(Base):
    """`email` is canonical, and what the letter went to. `product_key` is where the person was
    going, `locale` their language."""

    __tablename__ = "sign_up_links"

    email: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    product_key: Mapped[str]
    locale: Mapped[str]
    expires_at: Mapped[float]


class Opened(NamedTuple):
    email: str
    product_key: str
    locale: str


_TABLE: Any = SignUpLink.__table__
_COLUMNS = tuple(_TABLE.c.keys())
_TOLD = tuple(_TABLE.c[name] for name in Opened._fields)
_MAKE = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values({name: sa.bindparam(name) for name in _COLUMNS})
        .on_conflict_do_update(
            index_elements=["email"],
            set_={name: sa.bindparam(name) for name in _COLUMNS[1:]},
        )
    )
)
_IS_GOOD = (
    _TABLE.c.token_hash == sa.bindparam("hashed"),
    _TABLE.c.expires_at > sa.bindparam("now", type_=sa.Double),
)
_LOOK = sa.select(*_TOLD).where(*_IS_GOOD)
_SPEND = sa.delete(_TABLE).where(*_IS_GOOD).returning(*_TOLD)


def make(
    db: Connection,
    keys: SecretKeys,
    email: str,
    product_key: str,
    locale: str,
    path: str,
    now: float,
) -> str:
    """The sealed link for a letter to the canonical address `email`: `path`, and a token of 256
    bits. An older one is dead."""
    secret = token_hex(32)
    db.run(
        _MAKE,
        email=email,
        token_hash=fingerprint(secret),
        product_key=product_key,
        locale=locale,
        expires_at=now + LIFETIME_MINUTES * 60.0,
    )
    return keys.encrypt(f"{path}{secret}".encode(), LETTER_SECRET)


def look(db: Connection, claimed_token: str, now: float) -> Opened | None:
    row = db.row(_LOOK, hashed=fingerprint(claimed_token), now=now)
    return Opened._make(row) if row else None


def spend(db: Connection, claimed_token: str, now: float) -> Opened | None:
    """For one of all who come at once; None for the others."""
    row = db.row(_SPEND, hashed=fingerprint(claimed_token), now=now)
    return Opened._make(row) if row else None
