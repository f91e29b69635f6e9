"""Argon2id with bounded concurrency, of what a key outside of the database makes of the password.

The pepper (HMAC-SHA-256, `secret_values`) comes before the hash, so that a stolen database alone
can't be guessed at (security.md S39). A stored hash that was made with it begins with PEPPERED; one
without is older, and is renewed at the next sign-in like one of other parameters.
"""

from __future__ import annotations

import os
import sys
import threading
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from secrets import token_bytes

import argon2

from idp.credentials.fair_queue import FairQueue, NoPlace
from idp.directory import domain_names
from idp.directory.users import canonical_email
from idp.errors import Busy
from idp.measures import MEASURES
from idp.settings import Settings
from idp.traces import TRACES

HASH_WAIT = 10.0
NICENESS = 5  # added: about a third of the share of a thread that answers a request
PEPPERED = "hmac-sha256"


class PasswordHasher:
    """Argon2id in at most `argon2_slots` threads at once; `argon2_queue` more may wait, and each
    domain of an e-mail address has its turn. They are threads of its own, since the memory of a
    hash stays with the thread that computed one.

    `verifications` counts the comparisons with a real person's hash.
    """

    def __init__(self, settings: Settings, pepper: Callable[[str], str]) -> None:
        self._argon2 = argon2.PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
        )
        self._pepper = pepper
        self._queue = FairQueue(settings.argon2_slots, settings.argon2_queue)
        self._threads = ThreadPoolExecutor(settings.argon2_slots, "argon2", _give_way)
        self._nobody = PEPPERED + _hash_of_nothing(self._argon2)
        self._counting = threading.Lock()
        self.verifications = 0

    def hash(self, password: str, email: str = "") -> str:
        """`email` is whose it is going to be. Raises Busy."""
        with self.slot(email):
            text = self._pepper(_normalized(password))
            return PEPPERED + self._threads.submit(self._argon2.hash, text).result()

    def compare(self, stored: str | None, password: str) -> bool:
        """Whether it is the password; the same work when there is none to compare with. Asked
        within `slot`, so that a try is only counted when it can be evaluated."""
        if stored is not None:
            with self._counting:
                self.verifications += 1
        kept, text = self._nobody if stored is None else stored, _normalized(password)
        if kept.startswith(PEPPERED):
            kept, text = kept.removeprefix(PEPPERED), self._pepper(text)
        try:
            self._threads.submit(self._argon2.verify, kept, text).result()
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """For other parameters than today's, or no pepper."""
        kept = stored.removeprefix(PEPPERED)
        return kept == stored or self._argon2.check_needs_rehash(kept)

    @contextmanager
    def slot(self, claimed_email: str = "") -> Iterator[None]:
        """Room for one computation. Raises Busy when the queue is full or too slow."""
        with MEASURES.timed("password_hash"), TRACES.part("argon2", {}):
            try:
                with self._queue.turn(_group(claimed_email), HASH_WAIT):
                    yield
            except NoPlace as why:
                MEASURES.count("passwords_refused")
                raise Busy(f"password hashing: {why}") from None


def _group(claimed_email: str) -> str:
    """Whom somebody shares their turns with: their domain, or nobody where anybody can have an
    address there. It is in what was sent; a tenant would say who exists (security.md S44)."""
    email = canonical_email(claimed_email) or ""
    domain = email.rpartition("@")[2]
    return email if domain_names.is_public_mailbox(domain) else domain


def _give_way() -> None:
    """Where there is less of the processor than is asked for, tokens and keys go before passwords
    (security.md R18). A thread has a niceness of its own on Linux alone (sched(7)); and where a
    sandbox allows it none, a hash goes beside the others."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.nice(NICENESS)


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
