"""Passwords: what is the same one, what work is done for it, and what is kept."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import argon2
import pytest

from idp.audit import NOWHERE
from idp.credentials import hashing, password
from idp.credentials.hashing import NICENESS, PEPPERED, PasswordHasher
from idp.credentials.password import MAX_PASSWORD_BYTES, SignInRefused
from idp.errors import Busy
from idp.secret_values import SecretKeys
from idp.settings import Settings
from tests.world import AMARA, CHEAP, PASSWORD, VICTOR, World

COMPOSED, DECOMPOSED = "contrase\u00f1a-42", "contrasen\u0303a-42"


KEYS = SecretKeys(*(bytes([number]) * 32 for number in range(8)))


def cheap(**changed: int) -> PasswordHasher:
    values: dict[str, Any] = {**CHEAP, **changed}
    return PasswordHasher(Settings(**values), KEYS.pepper)


@pytest.fixture(scope="module")
def hasher() -> PasswordHasher:
    return cheap()


@pytest.mark.parametrize(
    ("typed_once", "typed_again"),
    [
        (COMPOSED, DECOMPOSED),
        ("\uff50\uff41\uff53\uff53-0123456789", "pass-0123456789"),
        ("\ufb01ne-0123456789", "fine-0123456789"),
        ("\u2460-0123456789", "1-0123456789"),
    ],
)
def test_the_same_keys_on_another_keyboard_are_the_same_password(
    hasher: PasswordHasher, typed_once: str, typed_again: str
) -> None:
    assert hasher.compare(hasher.hash(typed_once), typed_again)
    assert hasher.compare(hasher.hash(typed_again), typed_once)


@pytest.mark.parametrize(
    "other",
    ["Correct horse 42", " correct horse 42", "correct horse 42 ", "correct horse 4", "", "\x00"],
)
def test_case_and_spaces_count(hasher: PasswordHasher, other: str) -> None:
    assert not hasher.compare(hasher.hash("correct horse 42"), other)


@pytest.mark.parametrize("place", [72, 127, 500, MAX_PASSWORD_BYTES - 1])
def test_no_character_is_too_far_behind_to_count(hasher: PasswordHasher, place: int) -> None:
    long = "a" * MAX_PASSWORD_BYTES
    changed = long[:place] + "b" + long[place + 1 :]
    assert not hasher.compare(hasher.hash(long), changed)


def test_every_hash_has_a_salt_of_its_own(hasher: PasswordHasher) -> None:
    assert len({hasher.hash(PASSWORD) for _ in range(5)}) == 5


def test_the_shipped_parameters_are_owasp_s() -> None:
    made = argon2.extract_parameters(
        PasswordHasher(Settings(), KEYS.pepper).hash(PASSWORD).removeprefix(PEPPERED)
    )
    assert (made.type, made.memory_cost, made.time_cost) == (argon2.Type.ID, 19 * 1024, 2)


@pytest.mark.parametrize("stored", ["", "not a hash", "$argon2id$v=19$m=64,t=1,p=1$x$y", "\x00"])
def test_a_damaged_hash_is_nobody_s_password(hasher: PasswordHasher, stored: str) -> None:
    assert not hasher.compare(stored, PASSWORD)
    assert not hasher.compare(stored, "nobody's password")


def test_nobody_has_nobody_s_password(hasher: PasswordHasher) -> None:
    assert not hasher.compare(None, "nobody's password")


def test_nobody_gets_in_by_what_nobody_s_hash_is_of() -> None:
    made = cheap()
    made._nobody = made.hash(PASSWORD)
    assert made.compare(made._nobody, PASSWORD)
    assert not made.compare(None, PASSWORD)


def test_each_parameter_is_the_setting_s() -> None:
    settings = Settings(
        argon2_memory_kib=96, argon2_time_cost=3, argon2_parallelism=2, argon2_slots=1
    )
    stored = PasswordHasher(settings, KEYS.pepper).hash(PASSWORD).removeprefix(PEPPERED)
    made = argon2.extract_parameters(stored)
    assert (made.memory_cost, made.time_cost, made.parallelism) == (96, 3, 2)


@pytest.mark.parametrize("changed", ["argon2_memory_kib", "argon2_time_cost"])
def test_other_parameters_ask_for_a_new_hash(hasher: PasswordHasher, changed: str) -> None:
    stored = hasher.hash(PASSWORD)
    stronger = cheap(**{changed: CHEAP[changed] * 2})
    assert not hasher.needs_rehash(stored)
    assert stronger.needs_rehash(stored)
    assert stronger.compare(stored, PASSWORD)


def of_world(world: World, **changed: Any) -> PasswordHasher:
    settings = replace(world.settings, **changed)
    return PasswordHasher(settings, world.held.secret_keys.pepper)


class Counting(PasswordHasher):
    """Counts the computations, whatever they were for."""

    def __init__(self, world: World) -> None:
        super().__init__(world.settings, world.held.secret_keys.pepper)
        self.computed = 0
        self._argon2 = CountedArgon2(self, self._argon2)  # type: ignore[assignment]


class CountedArgon2:
    def __init__(self, counter: Counting, argon2_hasher: argon2.PasswordHasher) -> None:
        self._counter = counter
        self._argon2 = argon2_hasher

    def verify(self, *arguments: str) -> bool:
        self._counter.computed += 1
        return self._argon2.verify(*arguments)

    def check_needs_rehash(self, stored: str) -> bool:
        return self._argon2.check_needs_rehash(stored)


def sign_in(world: World, hasher: PasswordHasher, email: str, claimed: str) -> str:
    """The person's id, or why not."""
    held = world.held
    given = (held.database, hasher, held.secret_keys, held.settings, email, claimed)
    try:
        return password.verify(*given, world.clock(), NOWHERE).id
    except SignInRefused as refusal:
        return refusal.detail


def stored_hash(world: World) -> str:
    [(found,)] = world.run(
        "SELECT hash FROM passwords JOIN users ON id = user_id WHERE email = :email", email=AMARA
    )
    return str(found)


@pytest.mark.parametrize(
    ("email", "claimed", "reason"),
    [
        (AMARA, "wrong", "wrong password"),
        ("nobody@northwind.example", PASSWORD, "unknown address"),
        ("no address", PASSWORD, "unknown address"),
        (VICTOR, PASSWORD, "disabled"),
    ],
)
def test_whatever_is_wrong_the_work_is_the_same(
    world: World, email: str, claimed: str, reason: str
) -> None:
    counting = Counting(world)
    assert sign_in(world, counting, email, claimed) == reason
    assert counting.computed == 1


def test_a_paused_sign_in_does_the_same_work_and_evaluates_nothing(world: World) -> None:
    counting = Counting(world)
    reasons = [sign_in(world, counting, AMARA, "wrong") for _ in range(7)]
    assert reasons == ["wrong password"] * 5 + ["paused"] * 2
    assert (counting.computed, counting.verifications) == (7, 5)
    assert sign_in(world, counting, AMARA, PASSWORD) == "paused"
    assert counting.verifications == 5


def test_a_password_that_is_too_long_is_not_computed_at_all(world: World) -> None:
    counting = Counting(world)
    too_long = "é" * (MAX_PASSWORD_BYTES // 2) + "a"
    assert sign_in(world, counting, AMARA, too_long) == "password too long"
    assert counting.computed == 0


def test_signing_in_renews_a_hash_of_other_parameters(world: World) -> None:
    before = stored_hash(world)
    stronger = of_world(world, argon2_time_cost=2)
    assert sign_in(world, stronger, AMARA, "wrong") == "wrong password"
    assert stored_hash(world) == before
    sign_in(world, stronger, AMARA, PASSWORD)
    assert not stronger.needs_rehash(stored_hash(world))
    assert stronger.compare(stored_hash(world), PASSWORD)


def test_signing_in_leaves_a_hash_of_the_same_parameters(world: World) -> None:
    before = stored_hash(world)
    sign_in(world, world.held.hasher, AMARA, PASSWORD)
    assert stored_hash(world) == before


@pytest.fixture
def full(hasher: PasswordHasher) -> Iterator[PasswordHasher]:
    """One slot, no queue, and the slot is taken."""
    busy = cheap(argon2_slots=1, argon2_queue=0)
    with busy.slot():
        yield busy


def test_more_work_than_there_is_room_for_is_refused_at_once(full: PasswordHasher) -> None:
    with pytest.raises(Busy) as refusal:
        full.hash(PASSWORD)
    assert refusal.value.status == 503


def test_whoever_has_waited_too_long_is_refused_and_the_room_is_free_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hashing, "HASH_WAIT", 0.01)
    busy = cheap(argon2_slots=1, argon2_queue=1)
    with busy.slot():
        for _ in range(3):
            with pytest.raises(Busy, match="waited too long"):
                busy.hash(PASSWORD)
    assert busy.hash(PASSWORD)


def test_a_busy_provider_counts_no_try(world: World, full: PasswordHasher) -> None:
    for _ in range(10):
        with pytest.raises(Busy):
            sign_in(world, full, AMARA, "wrong")
    assert world.run("SELECT count(*) FROM attempt_limits") == [(0,)]
    assert world.audit("sign_in.failed") == []


def test_room_is_given_back_even_after_a_failure(hasher: PasswordHasher) -> None:
    only = cheap(argon2_slots=1, argon2_queue=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            fail_within(only)
    assert only.hash(PASSWORD)


def fail_within(hasher: PasswordHasher) -> None:
    with hasher.slot():
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("claimed", "is_heard"),
    [
        ("amara@quiet.example", True),
        ("nobody@quiet.example", True),
        (" Amara@QUIET.example. ", True),
        ("nobody@noisy.example", False),
        ("Amara@NOISY.example.", False),
        ("amara\uff20noisy.example", False),
        ("amara@n\u00f6isy.example", True),
        ("amara", True),
    ],
)
def test_fault_19_a_domain_that_asks_for_much_leaves_room_for_others(
    claimed: str, is_heard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = cheap(argon2_slots=1, argon2_queue=2)
    with ThreadPoolExecutor(2) as askers:
        with busy.slot("one@noisy.example"):
            asked = [askers.submit(busy.hash, PASSWORD, f"{n}@noisy.example") for n in range(2)]
            while busy._queue.waiting < 2:
                wait(asked, 0.01)
            monkeypatch.setattr(hashing, "HASH_WAIT", 0.01)
            with pytest.raises(Busy, match="waited too long" if is_heard else "queue is full"):
                busy.hash(PASSWORD, claimed)
        refused = [each for each in asked if isinstance(each.exception(), Busy)]
    assert len(refused) == is_heard


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("amara@firm.example", "ben@firm.example", True),
        ("amara@firm.example", "ben@other.example", False),
        ("amara@gmail.com", "ben@gmail.com", False),
        ("Amara@gmail.com", "amara@GMAIL.com", True),
        ("amara", "ben", True),
    ],
)
def test_who_shares_turns_is_said_by_the_address_alone(
    one: str, other: str, together: bool
) -> None:
    """Where anybody can have an address, nobody has anything in common."""
    assert (hashing._group(one) == hashing._group(other)) == together


def test_fault_18_hashing_gives_way_to_whoever_answers_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasher, own = cheap(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    hashing_at, verify = set[int](), argon2.PasswordHasher.verify

    def watched(*given: Any) -> bool:
        hashing_at.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return verify(*given)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", watched)
    assert hasher.compare(hasher.hash(PASSWORD), PASSWORD)
    assert hashing_at == {min(own + NICENESS, 19)}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
def test_where_a_sandbox_allows_no_niceness_passwords_work(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_more: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "nice", refuse)
    hasher = cheap()
    assert hasher.compare(hasher.hash(PASSWORD), PASSWORD)


def test_as_many_as_there_are_slots_compute_at_once(hasher: PasswordHasher) -> None:
    two = cheap(argon2_slots=2, argon2_queue=1)
    with ExitStack() as taken:
        taken.enter_context(two.slot())
        taken.enter_context(two.slot())
        third = threading.Thread(target=two.hash, args=(PASSWORD,))
        third.start()
        assert third.is_alive()
    third.join(30)
    assert not third.is_alive()


def test_the_memory_of_a_hash_stays_with_as_few_threads_as_there_are_slots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasher, computed_by = cheap(argon2_slots=2, argon2_queue=4), set()
    verify = argon2.PasswordHasher.verify

    def watched(*given: Any) -> bool:
        computed_by.add(threading.get_ident())
        return verify(*given)

    stored = hasher.hash(PASSWORD)
    monkeypatch.setattr(argon2.PasswordHasher, "verify", watched)
    askers = [threading.Thread(target=hasher.compare, args=(stored, PASSWORD)) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert 1 <= len(computed_by) <= 2
