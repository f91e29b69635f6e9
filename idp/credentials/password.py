"""Passwords: Argon2id with bounded concurrency, behind an exact limit on wrong tries.

Whatever is wrong (address unknown, password wrong, paused, disabled, of no tenant), the answer is
the same words after the same work: one reservation, one Argon2 computation (product.md S9, P4, P7).
"""

from __future__ import annotations

import threading
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_bytes

import argon2
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit, limits
from idp.audit import Origin
from idp.database import Base, Connection, Database, Upsert
from idp.directory import users
from idp.directory.users import Person, canonical_email
from idp.errors import Busy, Refusal
from idp.secret_values import SecretKeys
from idp.settings import Settings

MIN_PASSWORD_LETTERS = 10
MAX_PASSWORD_BYTES = 1024
HASH_WAIT = 10.0
FAILED_WORDS = "We could not sign you in. Check your details, or reset your password."


class Password(Base):
    """`must_change` is why another one has to be chosen at the next sign-in, empty if it need
    not."""

    __tablename__ = "passwords"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    hash: Mapped[str]
    changed_at: Mapped[float]
    must_change: Mapped[str] = mapped_column(server_default="")


_HASH_OF = sa.select(Password.hash).where(Password.user_id == sa.bindparam("user_id"))
_STATE = sa.select(Password.changed_at, Password.must_change).where(
    Password.user_id == sa.bindparam("user_id")
)
_REHASH = (
    sa.update(Password)
    .where(Password.user_id == sa.bindparam("owner_id"), Password.hash == sa.bindparam("old_hash"))
    .values(hash=sa.bindparam("new_hash"))
)


_SET_FIRST = Upsert(
    lambda insert: (
        insert(Password.__table__)
        .values({name: sa.bindparam(name) for name in ("user_id", "hash", "changed_at")})
        .on_conflict_do_nothing(index_elements=["user_id"])
        .returning(Password.user_id)
    )
)


class SignInRefused(Refusal):
    """The one answer to every failed sign-in."""

    def __init__(self, reason: str) -> None:
        super().__init__("sign_in_failed", FAILED_WORDS, reason)


class PasswordHasher:
    """Argon2id in at most `argon2_slots` threads at once; `argon2_queue` more may wait.

    `verifications` counts the comparisons with a real person's hash.
    """

    def __init__(self, settings: Settings) -> None:
        self._argon2 = argon2.PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
        )
        self._slots = threading.BoundedSemaphore(settings.argon2_slots)
        self._room = threading.BoundedSemaphore(settings.argon2_slots + settings.argon2_queue)
        self._nobody = _hash_of_nothing(self._argon2)
        self._counting = threading.Lock()
        self.verifications = 0

    def hash(self, password: str) -> str:
        with self.slot():
            return self._argon2.hash(_normalized(password))

    def compare(self, stored: str | None, password: str) -> bool:
        """Whether it is the password; the same work when there is none to compare with. Asked
        within `slot`, so that a try is only counted when it can be evaluated."""
        if stored is not None:
            with self._counting:
                self.verifications += 1
        try:
            self._argon2.verify(self._nobody if stored is None else stored, _normalized(password))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return stored is not None

    def needs_rehash(self, stored: str) -> bool:
        return self._argon2.check_needs_rehash(stored)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Room for one computation. Raises Busy when the queue is full or too slow."""
        if not self._room.acquire(blocking=False):
            raise Busy("password hashing: the queue is full")
        try:
            if not self._slots.acquire(timeout=HASH_WAIT):
                raise Busy("password hashing: waited too long")
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._room.release()


def _hash_of_nothing(argon2_: argon2.PasswordHasher) -> str:
    """It costs as much to compare with as any other, and nothing to make when a process starts."""
    salt, digest = (
        b64encode(token_bytes(length)).decode().rstrip("=")
        for length in (argon2_.salt_len, argon2_.hash_len)
    )
    cost = f"m={argon2_.memory_cost},t={argon2_.time_cost},p={argon2_.parallelism}"
    return f"$argon2id$v={argon2.low_level.ARGON2_VERSION}${cost}${salt}${digest}"


def _normalized(password: str) -> str:
    """NFKC (product.md P1), so that the same keys on another keyboard are the same password."""
    return unicodedata.normalize("NFKC", password)


def limit_key(secret_keys: SecretKeys, claimed_email: str) -> str:
    """One counter for all spellings of an address, existing or not (security.md S41)."""
    return "password:" + secret_keys.blind(canonical_email(claimed_email) or claimed_email.strip())


def verify(
    database: Database,
    hasher: PasswordHasher,
    secret_keys: SecretKeys,
    settings: Settings,
    claimed_email: str,
    claimed_password: str,
    now: float,
    origin: Origin,
) -> Person:
    """The person whose password it is. Raises SignInRefused, or Busy."""
    if len(claimed_password.encode()) > MAX_PASSWORD_BYTES:
        raise SignInRefused("password too long")
    key = limit_key(secret_keys, claimed_email)
    with hasher.slot():
        with database.transaction() as db:
            person = users.find_by_email(db, canonical_email(claimed_email) or "")
            stored = find_hash(db, person.id if person else "")
            tried = limits.reserve(
                db, key, now, settings.lockout_threshold, settings.lockout_duration
            )
        right = hasher.compare(stored if tried else None, claimed_password)
    reason = _why_not(person, tried, right)
    with database.transaction() as db:
        if reason or person is None:
            is_last = tried == settings.lockout_threshold
            _record_failure(db, person, reason, is_last, now, settings, origin)
            raise SignInRefused(reason)
        limits.clear(db, key)
    if stored and hasher.needs_rehash(stored):
        _rehash(database, hasher, person.id, stored, claimed_password)
    return person


def _why_not(person: Person | None, tried: int | None, right: bool) -> str:
    if tried is None:
        return "paused"
    if person is None:
        return "unknown address"
    if not right:
        return "wrong password"
    return "" if person.status == users.ACTIVE else "disabled"


def _record_failure(
    db: Connection,
    person: Person | None,
    reason: str,
    is_last: bool,
    now: float,
    settings: Settings,
    origin: Origin,
) -> None:
    actor = person.id if person else None
    audit.record(db, "sign_in.failed", now, origin, actor=actor, reason=reason)
    if not is_last:
        return
    audit.record(
        *(db, "sign_in.locked", now, origin),
        actor=actor,
        tries=settings.lockout_threshold,
        until=now + settings.lockout_duration,
    )


def _rehash(
    database: Database, hasher: PasswordHasher, user_id: str, stored: str, password: str
) -> None:
    new_hash = hasher.hash(password)
    with database.connection() as db:
        db.run(_REHASH, owner_id=user_id, old_hash=stored, new_hash=new_hash)


def is_too_short(password: str) -> bool:
    """product.md P1: letters and digits of any script count, and everything else is allowed."""
    text = unicodedata.normalize("NFKC", password)
    return sum(character.isalnum() for character in text) < MIN_PASSWORD_LETTERS


def is_too_long(password: str) -> bool:
    return len(password.encode()) > MAX_PASSWORD_BYTES


def set_first(db: Connection, user_id: str, password_hash: str, now: float) -> bool:
    """False for a person who has a password, which stays."""
    return db.row(_SET_FIRST, user_id=user_id, hash=password_hash, changed_at=now) is not None


def find_hash(db: Connection, user_id: str) -> str | None:
    row = db.row(_HASH_OF, user_id=user_id)
    return str(row[0]) if row else None


def find_state(db: Connection, user_id: str) -> tuple[float, str] | None:
    """When the password was last changed and why it has to be (`Password`), or None for a person
    who has none."""
    row = db.row(_STATE, user_id=user_id)
    return (float(row[0]), str(row[1])) if row else None
