"""S39: what is kept of a password: Argon2id of what a key outside of the database makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import argon2

from idp.credentials.hashing import PEPPERED, PasswordHasher
from idp.settings import Settings
from tests.rules.test_password_hashing import stored_hash
from tests.security.choosing import NEW, choose, is_right
from tests.world import CHEAP, PASSWORD, World


def test_sec_39_a_hash_says_how_it_was_made(world: World) -> None:
    shipped = PasswordHasher(Settings(), world.held.secret_keys.pepper)
    hashed = shipped.hash(NEW)
    assert hashed.startswith(PEPPERED)
    made = argon2.extract_parameters(hashed.removeprefix(PEPPERED))
    assert (made.type, made.parallelism) == (argon2.Type.ID, 1)
    assert made.memory_cost >= 19 * 1024
    assert made.time_cost >= 2
    assert made.salt_len >= 16


def test_sec_39_people_with_one_password_have_different_hashes(world: World) -> None:
    hashes = [hashed for (hashed,) in world.run("SELECT hash FROM passwords")]
    assert len(hashes) > 5
    assert len(set(hashes)) == len(hashes)


def test_sec_39_the_database_alone_is_not_enough_to_guess_at(world: World) -> None:
    """Neither plainly, nor with another provider's key."""
    stored = stored_hash(world)
    plain = argon2.PasswordHasher(memory_cost=64, time_cost=1, parallelism=1)
    try:
        plain.verify(stored.removeprefix(PEPPERED), PASSWORD)
    except argon2.exceptions.VerifyMismatchError:
        pass
    else:
        raise AssertionError("no key was needed")
    others = replace(world.held.secret_keys, passwords=bytes(32))
    assert not PasswordHasher(world.settings, others.pepper).compare(stored, PASSWORD)
    assert world.held.hasher.compare(stored, PASSWORD)


def test_sec_39_a_hash_without_the_key_is_renewed_at_sign_in_and_no_sooner(world: World) -> None:
    plain = argon2.PasswordHasher(
        memory_cost=CHEAP["argon2_memory_kib"], time_cost=1, parallelism=1
    ).hash(PASSWORD)
    world.run("UPDATE passwords SET hash = :h", h=plain)
    assert not is_right(world, "wrong")
    assert stored_hash(world) == plain
    assert is_right(world)
    assert stored_hash(world).startswith(PEPPERED)
    assert is_right(world)


def test_sec_39_a_hash_can_not_pass_for_one_without_the_key(world: World) -> None:
    """What the key makes of a password is no password."""
    peppered = world.held.secret_keys.pepper(PASSWORD)
    assert not is_right(world, peppered)


def test_sec_39_no_password_is_kept_anywhere_else(world: World) -> None:
    world.browser().tokens()
    choose(world)
    world.browser().sign_in("nobody@northwind.example", "another-secret-99")
    tables = [t for (t,) in world.run("SELECT name FROM sqlite_master WHERE type = 'table'")]
    everything = "\n".join(str(world.run(f'SELECT * FROM "{table}"')) for table in tables)
    for secret in (PASSWORD, NEW, "another-secret-99"):
        assert secret not in everything
    files = b"".join(path.read_bytes() for path in Path(world.folder).rglob("*") if path.is_file())
    assert PASSWORD.encode() not in files
    assert NEW.encode() not in files
