"""An account's move to another e-mail address: its record, and the one write that does it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from idp.credentials.sent_code import SentCode
from idp.database import Base, Connection
from idp.directory import former_addresses, person_words
from idp.directory.users import User, canonical_email
from idp.errors import PageRefusal, told


class EmailChange(Base):
    """It waits until it is confirmed, withdrawn, or its time is over. The old address can be given
    back by `undo_hash` until `undo_until`, unless `undone_at` is set: it was, or may not be."""

    __tablename__ = "email_changes"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    old_email: Mapped[str]
    new_email: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[float]
    expires_at: Mapped[float]
    withdrawn_at: Mapped[float | None]
    confirmed_at: Mapped[float | None]
    undo_hash: Mapped[str | None] = mapped_column(unique=True)
    undo_until: Mapped[float | None]
    undone_at: Mapped[float | None]


class LinkOver(PageRefusal):
    """Unknown, used, replaced, expired, of another account, or for an address that has an account:
    all the same to whoever has it."""

    def __init__(self, detail: str = "no such change") -> None:
        super().__init__(
            "address_link_over",
            told("This link can't be used any more. Ask for a new one on your account page."),
            detail,
            404,
        )


_TABLE: Any = EmailChange.__table__
_NOW = sa.bindparam("now", type_=sa.Double)
WAITS = (
    _TABLE.c.user_id == sa.bindparam("owner_id", type_=sa.Text),
    _TABLE.c.confirmed_at.is_(None),
    _TABLE.c.withdrawn_at.is_(None),
)
_WITHDRAW = sa.update(_TABLE).where(*WAITS).values(withdrawn_at=_NOW)
_DROP_CODES = sa.delete(SentCode).where(SentCode.user_id == sa.bindparam("owner_id"))


def withdraw(db: Connection, user_id: str, now: float) -> None:
    """Of the one that waits, the link is dead."""
    db.run(_WITHDRAW, owner_id=user_id, now=now)


def move(
    rows: Session, db: Connection, user_id: str, email: str, now: float, *conditions: Any
) -> bool:
    """One conditional write, which the database refuses where somebody else has the address. Codes
    that are on their way to the old one are dead; people find the account by the new one; and the
    person's companies know that the old one was theirs."""
    old = rows.scalar(sa.select(User.email_canonical).where(User.id == user_id).with_for_update())
    change = (
        sa.update(User)
        .where(User.id == user_id, *conditions)
        .values(email=email, email_canonical=canonical_email(email), email_verified_at=now)
        .values(updated_at=now)
        .returning(User.id)
    )
    try:
        with rows.begin_nested():
            moved = rows.execute(change, execution_options={"synchronize_session": False})
            is_moved = moved.first() is not None
    except sa.exc.IntegrityError:
        return False
    if is_moved and old is not None:
        former_addresses.keep(db, user_id, old)
        db.run(_DROP_CODES, owner_id=user_id)
        person_words.keep(db, user_id)
    return is_moved
