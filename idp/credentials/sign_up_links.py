"""Links that prove an e-mail address of somebody who has no account yet (product.md S5).

Of an address the newest two are good, each for an hour: anybody has another one sent to it, and the
owner who is still typing behind theirs keeps it. Both are spent together, once. Opening one changes
nothing, and nobody is made before it is spent.
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
    """`email` is canonical, and what the letters went to. `product_key` is where the person was
    going, `locale` their language; `former_…` are those of the link before the newest."""

    __tablename__ = "sign_up_links"

    email: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    product_key: Mapped[str]
    locale: Mapped[str]
    expires_at: Mapped[float]
    former_token_hash: Mapped[str | None] = mapped_column(unique=True)
    former_product_key: Mapped[str | None]
    former_locale: Mapped[str | None]
    former_expires_at: Mapped[float | None]


class Opened(NamedTuple):
    email: str
    product_key: str
    locale: str


_TABLE: Any = SignUpLink.__table__
_OF_A_LINK = ("token_hash", "product_key", "locale", "expires_at")
_MAKE = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values({name: sa.bindparam(name) for name in ("email", *_OF_A_LINK)})
        .on_conflict_do_update(
            index_elements=["email"],
            set_={
                **{f"former_{name}": _TABLE.c[name] for name in _OF_A_LINK},
                **{name: sa.bindparam(name) for name in _OF_A_LINK},
            },
        )
    )
)
_NOW = sa.bindparam("now", type_=sa.Double)
_IS_NEWEST = _TABLE.c.token_hash == sa.bindparam("hashed")
_IS_GOOD = sa.or_(
    sa.and_(_IS_NEWEST, _TABLE.c.expires_at > _NOW),
    sa.and_(
        _TABLE.c.former_token_hash == sa.bindparam("hashed"), _TABLE.c.former_expires_at > _NOW
    ),
)
_TOLD = (
    _TABLE.c.email,
    *(
        sa.case((_IS_NEWEST, _TABLE.c[name]), else_=_TABLE.c[f"former_{name}"])
        for name in ("product_key", "locale")
    ),
)
_LOOK = sa.select(*_TOLD).where(_IS_GOOD)
_SPEND = sa.delete(_TABLE).where(_IS_GOOD).returning(*_TOLD)


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
    bits. Of older ones the newest stays good."""
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
    """For one of all who come at once, by whichever of the two; None for the others."""
    row = db.row(_SPEND, hashed=fingerprint(claimed_token), now=now)
    return Opened._make(row) if row else None
