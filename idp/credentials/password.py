"""Passwords: what is kept of them, and the one way to prove one, behind an exact limit on tries.

Whatever is wrong (address unknown, password wrong, paused, disabled, of no tenant), the answer is
the same words after the same work: one reservation, one Argon2 computation (product.md S9, P4, P7).
How somebody gets another one is `login/new_password.py`.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import Origin
from idp.credentials import blocklist, temporary_passwords, tries, unlocking
from idp.credentials.hashing import PasswordHasher
from idp.credentials.temporary_passwords import StandIn
from idp.credentials.tries import Taken
from idp.database import Base, Connection, Database
from idp.directory import users
from idp.directory.users import Person, canonical_email
from idp.errors import Refusal
from idp.secret_values import SecretKeys
from idp.settings import Settings
from idp.statements import Upsert

MAX_PASSWORD_BYTES = 1024
FORMER_KEPT = 24
MOST_WRONG = 100  # in a row, NIST SP 800-63B-4 section 3.2.2
FAILED_WORDS = "We could not sign you in. Check your details, or reset your password."
COMPROMISED = "compromised"

State = tuple[float, str, float | None]  # changed_at, must_change, reset_by_mail_at


class Password(Base):
    """`must_change` says why another one has to be chosen before anything opens, empty if it need
    not. `failures` are wrong ones in a row: at MOST_WRONG it opens nothing until it is replaced.
    `proven_at` is when it was last proven, `reset_by_mail_at` when a letter last stood in for
    it."""

    __tablename__ = "passwords"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    hash: Mapped[str]
    changed_at: Mapped[float]
    must_change: Mapped[str] = mapped_column(server_default="")
    failures: Mapped[int] = mapped_column(server_default="0")
    proven_at: Mapped[float] = mapped_column(server_default="0")
    reset_by_mail_at: Mapped[float | None]


class FormerPassword(Base):
    """One that somebody had, so that it is not had again."""

    __tablename__ = "former_passwords"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    hash: Mapped[str] = mapped_column(primary_key=True)
    replaced_at: Mapped[float]


_TABLE: Any = Password.__table__
_FORMER: Any = FormerPassword.__table__
_OWN = _TABLE.c.user_id == sa.bindparam("owner_id")
_IS_STILL = _TABLE.c.hash == sa.bindparam("old_hash")
_NOW: Any = sa.bindparam("now", type_=sa.Double)
_HASH_OF = sa.select(_TABLE.c.hash).where(_OWN)
_STATE = sa.select(_TABLE.c.changed_at, _TABLE.c.must_change, _TABLE.c.reset_by_mail_at).where(_OWN)
_RESERVE = (
    sa.update(_TABLE)
    .where(_OWN, _TABLE.c.failures < sa.literal_column(str(MOST_WRONG)))
    .values(failures=_TABLE.c.failures + 1)
    .returning(_TABLE.c.hash, _TABLE.c.failures)
)
_PROVE = (
    sa.update(_TABLE)
    .where(_OWN, _IS_STILL)
    .values(
        failures=0, proven_at=sa.case((_TABLE.c.proven_at < _NOW, _NOW), else_=_TABLE.c.proven_at)
    )
)
_REHASH = sa.update(_TABLE).where(_OWN, _IS_STILL).values(hash=sa.bindparam("new_hash"))
_DEMAND = (
    sa.update(_TABLE)
    .where(_OWN, _TABLE.c.must_change == sa.literal_column("''"))
    .values(must_change=sa.bindparam("reason"))
)
_IS_AS_SEEN = (
    _IS_STILL,
    _TABLE.c.changed_at == sa.bindparam("was_changed_at", type_=sa.Double),
    _TABLE.c.must_change == sa.bindparam("was_due"),
    sa.func.coalesce(_TABLE.c.reset_by_mail_at, sa.literal_column("0.0"))
    == sa.bindparam("was_reset_at", type_=sa.Double),
)
_REPLACE = (
    sa.update(_TABLE)
    .where(_OWN, *_IS_AS_SEEN)
    .values(hash=sa.bindparam("new_hash"), changed_at=_NOW, must_change="", failures=0)
    .returning(_TABLE.c.proven_at)
)
_RESET_BY_MAIL = (
    sa.update(_TABLE)
    .where(_OWN)
    .values(must_change=sa.bindparam("reason"), reset_by_mail_at=_NOW)
    .returning(_TABLE.c.proven_at)
)
_SET_FIRST = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values(user_id=sa.bindparam("owner_id"), hash=sa.bindparam("new_hash"), changed_at=_NOW)
        .on_conflict_do_nothing(index_elements=["user_id"])
        .returning(_TABLE.c.user_id)
    )
)
_FORMER_OF = (
    sa.select(_FORMER.c.hash)
    .where(_FORMER.c.user_id == sa.bindparam("owner_id"))
    .order_by(_FORMER.c.replaced_at.desc(), _FORMER.c.hash)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_REMEMBER = sa.insert(_FORMER).values(
    user_id=sa.bindparam("owner_id"), hash=sa.bindparam("old_hash"), replaced_at=_NOW
)
_FORGET = sa.delete(_FORMER).where(
    _FORMER.c.user_id == sa.bindparam("owner_id"),
    _FORMER.c.hash.not_in(_FORMER_OF.with_only_columns(_FORMER.c.hash).scalar_subquery()),
)


class SignInRefused(Refusal):
    """The one answer to every failed sign-in."""

    def __init__(self, reason: str) -> None:
        super().__init__("sign_in_failed", FAILED_WORDS, reason)


def verify(
    database: Database,
    hasher: PasswordHasher,
    secret_keys: SecretKeys,
    settings: Settings,
    claimed_email: str,
    claimed_password: str,
    now: float,
    origin: Origin,
    claimed_device: str = "",
) -> Person:
    """The person whose password it is, for every form that asks for one. `claimed_device` is the
    browser's cookie (`devices.py`). Raises SignInRefused, TooManyTries, or Busy."""
    if is_too_long(claimed_password):
        raise SignInRefused("password too long")
    whose = (secret_keys, settings, claimed_email)
    with hasher.slot(claimed_email):
        with database.transaction() as db:
            person = users.find_by_email(db, canonical_email(claimed_email) or "")
            stand_in = temporary_passwords.standing_in(db, person.id if person else "", now)
            counts = (claimed_device, stand_in is not None)
            taken = tries.take(db, *whose, person, *counts, now, origin)
            stored, failures = _reserve(db, person, taken, stand_in)
        right = hasher.compare(stored, claimed_password)
    reason = taken.reason or _why_not(person, right, failures)
    with database.transaction() as db:
        if person is None or stored is None or reason:
            _record_failure(db, secret_keys, person, taken, reason, failures, now, settings, origin)
            raise SignInRefused(reason)
        tries.give_back(db, taken, now)
        if stand_in and not temporary_passwords.spend(db, person.id, stored, now):
            raise SignInRefused("the temporary password was used meanwhile")
        kept = stand_in.kept_hash if stand_in else stored
        if not db.run(_PROVE, owner_id=person.id, old_hash=kept, now=now):
            raise SignInRefused("another password meanwhile")
        if blocklist.is_listed(claimed_password):
            demand_change(db, person.id, COMPROMISED)
    if hasher.needs_rehash(stored):
        _rehash(database, hasher, person, stored, claimed_password)
    return person


def _reserve(
    db: Connection, person: Person | None, taken: Taken, stand_in: StandIn | None
) -> tuple[str | None, int]:
    """The hash to compare with, and which wrong one in a row it would be. Nobody's is asked for
    where there is none, so that all do the same work. Where a temporary password stands in, that
    alone opens anything."""
    is_asked = person is not None and not taken.reason and stand_in is None
    row = db.row(_RESERVE, owner_id=person.id if person and is_asked else "")
    if stand_in and not taken.reason:
        return stand_in.hash, 1
    return (str(row[0]), int(row[1])) if row else (None, 0)


def _why_not(person: Person | None, right: bool, failures: int) -> str:
    if person is None:
        return "unknown address"
    if not failures:
        return "no password, or worn out"
    if not right:
        return "wrong password"
    return "" if person.status == users.ACTIVE else "disabled"


def _record_failure(
    db: Connection,
    secret_keys: SecretKeys,
    person: Person | None,
    taken: Taken,
    reason: str,
    failures: int,
    now: float,
    settings: Settings,
    origin: Origin,
) -> None:
    actor = person.id if person else None
    audit.record(db, "sign_in.failed", now, origin, actor=actor, reason=reason)
    if failures == MOST_WRONG:
        audit.record(db, "password.worn_out", now, origin, actor=actor, tries=MOST_WRONG)
    if not taken.is_last:
        return
    most, until = settings.lockout_threshold, now + settings.lockout_duration
    audit.record(db, "sign_in.locked", now, origin, actor=actor, tries=most, until=until)
    if person:
        unlocking.lock(db, secret_keys, person, taken.key, most, until, now)


def _rehash(
    database: Database, hasher: PasswordHasher, person: Person, stored: str, password: str
) -> None:
    new_hash = hasher.hash(password, person.email)
    with database.connection() as db:
        db.run(_REHASH, owner_id=person.id, old_hash=stored, new_hash=new_hash)


def is_too_long(password: str) -> bool:
    """Asked before anything is computed of it (security.md S45)."""
    return len(password.encode()) > MAX_PASSWORD_BYTES


def set_first(db: Connection, user_id: str, new_hash: str, now: float) -> bool:
    """False for a person who has a password, which stays."""
    return db.row(_SET_FIRST, owner_id=user_id, new_hash=new_hash, now=now) is not None


def replace(
    db: Connection,
    user_id: str,
    old_hash: str,
    seen: State,
    new_hash: str,
    now: float,
    history: int,
) -> float | None:
    """When the old one was last proven; None if it is the password no more, or not as it was
    `seen`: somebody who has reset it meanwhile is not to be overtaken. `history` is how many are
    remembered, the new one included."""
    changed_at, must_change, reset_at = seen
    was = {"was_changed_at": changed_at, "was_due": must_change, "was_reset_at": reset_at or 0.0}
    new = {"new_hash": new_hash, "now": now}
    row = db.row(_REPLACE, owner_id=user_id, old_hash=old_hash, **was, **new)
    if row is None:
        return None
    db.run(_REMEMBER, owner_id=user_id, old_hash=old_hash, now=now)
    db.run(_FORGET, owner_id=user_id, most=max(history - 1, 0))
    return float(row[0])


def former_hashes(db: Connection, user_id: str, most: int) -> list[str]:
    """The latest first."""
    return [hashed for (hashed,) in db.rows(_FORMER_OF, owner_id=user_id, most=most)]


def demand_change(db: Connection, user_id: str, reason: str) -> None:
    """Another one has to be chosen; an earlier reason stays."""
    db.run(_DEMAND, owner_id=user_id, reason=reason)


def find_hash(db: Connection, user_id: str) -> str | None:
    row = db.row(_HASH_OF, owner_id=user_id)
    return str(row[0]) if row else None


def reset_by_mail(db: Connection, user_id: str, reason: str, now: float) -> float:
    """A letter stands in for it, and `reason` says whether it has to be changed; when it was last
    proven."""
    row = db.row(_RESET_BY_MAIL, owner_id=user_id, reason=reason, now=now)
    assert row, "who has none gets one by a link"
    return float(row[0])


def find_state(db: Connection, user_id: str) -> State | None:
    """None for a person who has none."""
    row = db.row(_STATE, owner_id=user_id)
    return (float(row[0]), str(row[1]), row[2]) if row else None
