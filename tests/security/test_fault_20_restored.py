"""R20: what was ended, used up or taken back since a backup does not come back with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from idp.backups import backup_file, restoring, taking
from idp.ephemeral_redis import RedisEphemeral
from tests.security.browsing import reopened
from tests.security.protocol import register
from tests.security.things_issued import KINDS, PARTIES
from tests.world import ISSUER, World

LATER = 20.0


@pytest.fixture
def furnished(either_world: World) -> World:
    register(either_world, *PARTIES)
    payments = {"key": "payments", "name": "Secure Payments", "access_token_format": "opaque"}
    either_world.apply(products=[payments])
    either_world.clock.move(2)
    return either_world


def restored(world: World, file: Path, url: str) -> World:
    """Another provider of the same address and keys, on what is in the backup."""
    keys = world.held.secret_keys
    made = reopened(world, replace(world.settings, database_url=url))
    redis_url = world.settings.redis_url
    redis = RedisEphemeral(redis_url) if redis_url else None
    with backup_file.opened(file, keys) as opened:
        restoring.restore(made.held.database, keys, opened, world.clock(), redis=redis)
    return made


def another_database(world: World, folder: Path, request: pytest.FixtureRequest) -> str:
    if world.held.database.is_sqlite:
        return f"sqlite:///{folder / 'restored.db'}"
    return str(request.getfixturevalue("postgres_url")())


def test_fault_20_nothing_that_was_issued_before_is_good(
    furnished: World, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    unused, used = (
        {name: kind.issue(furnished, kind.people[number]) for name, kind in KINDS.items()}
        for number in range(2)
    )
    held, file = furnished.held, tmp_path / "backup"
    taking.take(held.database, held.secret_keys, ISSUER, file, furnished.clock())
    for name, kind in KINDS.items():
        assert kind.is_good(furnished, used[name]), name
    furnished.clock.move(LATER)
    url = another_database(furnished, tmp_path, request)
    after = restored(furnished, file, url)
    for issued in (unused, used):
        alive = [name for name, kind in KINDS.items() if kind.is_good(after, issued[name])]
        assert alive == []
    after.held.database.close()
