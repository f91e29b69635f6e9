"""How often a second factor may be tried: one counter for each account, one for each authenticator.

All methods, places and attempts share the account's: five wrong codes pause the second factor, and
neither another method nor a new code, attempt or session starts it anew (security.md S41, S50). A
hundred wrong ones in a row, with no right one between, switch the authenticator off for good (NIST
SP 800-63B-4 section 3.2.2). A try is taken before it is evaluated, in the transaction that does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit, limits
from idp.audit import Origin
from idp.database import Base, Connection
from idp.errors import Refusal, told
from idp.settings import Settings
from idp.statements import Upsert

MOST_IN_A_ROW = 100

WRONG = "wrong code"
PAUSED = "paused"
OFF = "switched off"
MISSING = "not enrolled"


class AuthenticatorFailures(Base):
    """Wrong tries since the last right one; no row means none."""

    __tablename__ = "authenticator_failures"

    authenticator_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    failed: Mapped[int]


class Authenticator(NamedTuple):
    """What is tried. `id` is empty where there is none, or none yet."""

    user_id: str
    method: str
    id: str


class SecondFactorRefused(Refusal):
    """The one answer to every try that failed; `reason` is for the audit."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "second_factor_failed",
            told("That code did not work. Check it, or ask for another way."),
            reason,
        )
        self.reason = reason


_TABLE: Any = AuthenticatorFailures.__table__
_COUNT = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values(
            authenticator_id=sa.bindparam("authenticator_id"),
            user_id=sa.bindparam("user_id"),
            failed=1,
        )
        .on_conflict_do_update(
            index_elements=["authenticator_id"],
            set_={"failed": _TABLE.c.failed + 1},
            where=_TABLE.c.failed < MOST_IN_A_ROW,
        )
        .returning(_TABLE.c.failed)
    )
)
_FORGET = sa.delete(_TABLE).where(_TABLE.c.authenticator_id == sa.bindparam("authenticator_id"))
_FORGET_ALL = sa.delete(_TABLE).where(_TABLE.c.user_id == sa.bindparam("user_id"))


def judge(
    db: Connection,
    settings: Settings,
    tried: Authenticator,
    spend: Callable[[], bool],
    now: float,
    origin: Origin,
    *,
    signs_in: bool = True,
) -> None:
    """Take a try, then ask `spend` whether it was right, which uses it up. One that is right and
    `signs_in` forgets the wrong ones; one that enrols does not. In a transaction. Raises
    SecondFactorRefused."""
    number = limits.reserve(
        *(db, limit_key(tried.user_id), now),
        *(settings.second_factor_threshold, settings.second_factor_pause),
    )
    failed = _take(db, tried) if number and tried.id else 0
    is_there = bool(tried.id) or not signs_in
    reason = _why_not(number, is_there, failed, spend)
    if reason:
        is_last = number == settings.second_factor_threshold
        _record(db, settings, tried, reason, is_last, failed, now, origin)
        raise SecondFactorRefused(reason)
    if not signs_in:
        limits.give_back(db, limit_key(tried.user_id))
        return
    db.run(_FORGET, authenticator_id=tried.id)
    limits.clear(db, limit_key(tried.user_id))


def limit_key(user_id: str) -> str:
    """The account's counter."""
    return f"second factor:{user_id}"


def forget(db: Connection, authenticator_id: str) -> None:
    """With an authenticator that is removed."""
    db.run(_FORGET, authenticator_id=authenticator_id)


def forget_all(db: Connection, user_id: str) -> None:
    """By an admin's reset: the account's counter too."""
    db.run(_FORGET_ALL, user_id=user_id)
    limits.clear(db, limit_key(user_id))


def _take(db: Connection, tried: Authenticator) -> int | None:
    """Which wrong one in a row this would be, None if it is switched off."""
    row = db.row(_COUNT, authenticator_id=tried.id, user_id=tried.user_id)
    return int(row[0]) if row else None


def _why_not(
    number: int | None, is_there: bool, failed: int | None, spend: Callable[[], bool]
) -> str:
    if number is None:
        return PAUSED
    if not is_there:
        return MISSING
    if failed is None:
        return OFF
    return "" if spend() else WRONG


def _record(
    db: Connection,
    settings: Settings,
    tried: Authenticator,
    reason: str,
    is_last: bool,
    failed: int | None,
    now: float,
    origin: Origin,
) -> None:
    about: dict[str, Any] = {"actor": tried.user_id, "method": tried.method}
    audit.record(db, "second_factor.failed", now, origin, reason=reason, **about)
    if is_last:
        pause = settings.second_factor_pause
        tries = settings.second_factor_threshold
        audit.record(
            db, "second_factor.paused", now, origin, tries=tries, until=now + pause, **about
        )
    if failed == MOST_IN_A_ROW:
        audit.record(db, "second_factor.switched_off", now, origin, tries=failed, **about)
