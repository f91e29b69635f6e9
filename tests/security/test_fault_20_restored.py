"""R20: what was ended, used up or taken back since a backup does not come back with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from idp import outbox
from idp.backups import backup_file, restoring
from idp.credentials import unlocking
from idp.ephemeral_redis import RedisEphemeral
from idp.sessions import logout
from idp.worker import senders_of
from tests.console.administering import administering
from tests.console.people_of import letters, member_id
from tests.security.browsing import reopened
from tests.security.choosing import is_right
from tests.security.protocol import register
from tests.security.test_sec_42_devices import lock
from tests.security.test_sec_42_unlocking import token
from tests.security.things_issued import KINDS, PARTIES
from tests.storage.backups_of import backup_of
from tests.world import BEN, DANA, OLU, PASSWORD, World

LATER = 0.5  # within the same second
AHEAD = 61.0  # after which nothing new is taken for something that a clock ahead of ours has dated
WITHOUT_A_ROW = (
    *("a machine's token", "a machine's opaque token"),
    *("an assertion", "a proof of possession"),
)


@pytest.fixture
def furnished(either_world: World) -> World:
    register(either_world, *PARTIES)
    payments = {"key": "payments", "name": "Secure Payments", "access_token_format": "opaque"}
    either_world.apply(products=[payments])
    either_world.clock.move(2.2)
    return either_world


def restored(world: World, file: Path, url: str) -> World:
    """Another provider of the same address and keys, on what is in the backup."""
    keys = world.held.secret_keys
    made = reopened(world, replace(world.settings, database_url=url))
    redis_url = world.settings.redis_url
    redis = RedisEphemeral(redis_url) if redis_url else None
    with backup_file.opened(file, keys) as opened:
        restoring.restore(made.held.database, keys, opened, world.clock, redis=redis)
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
    file = backup_of(furnished, tmp_path)
    for name, kind in KINDS.items():
        assert kind.is_good(furnished, used[name]), name
    furnished.clock.move(LATER)
    url = another_database(furnished, tmp_path, request)
    after = restored(furnished, file, url)
    for issued in (unused, used):
        alive = [name for name, kind in KINDS.items() if kind.is_good(after, issued[name])]
        assert alive == []
    after.clock.move(AHEAD)
    anew = {name: KINDS[name].issue(after, KINDS[name].people[0]) for name in WITHOUT_A_ROW}
    for name in WITHOUT_A_ROW:
        assert KINDS[name].is_good(after, anew[name]), name
    after.held.database.close()


def test_fault_20_a_pause_goes_on_without_its_link_and_a_later_one_is_forgotten(
    world: World, tmp_path: Path
) -> None:
    lock(world, BEN)
    link = f"/unlock?token={token(world)}"
    file = backup_of(world, tmp_path)
    assert world.get(link).status_code == 200
    lock(world, DANA)
    after = restored(world, file, f"sqlite:///{tmp_path / 'restored.db'}")
    assert after.get(link).status_code == 404
    assert not is_right(after, PASSWORD, BEN)
    assert is_right(after, PASSWORD, DANA)
    with administering(after) as admin:
        unlocking.unlock(admin, member_id(after, BEN))
    assert is_right(after, PASSWORD, BEN)


def test_fault_20_of_what_waited_sign_outs_are_sent_and_no_letters(
    world: World, tmp_path: Path
) -> None:
    with world.held.database.transaction() as db:
        for kind in senders_of(world.held):
            outbox.enqueue(db, kind, {}, world.clock())
    file = backup_of(world, tmp_path)
    after = restored(world, file, f"sqlite:///{tmp_path / 'restored.db'}")
    kinds = {kind for (kind,) in after.run("SELECT kind FROM outbox WHERE status = 'pending'")}
    assert kinds == {logout.MESSAGE, outbox.LOGO, "audit_event"}
    told = {(letter["to"], letter["template"]) for letter in letters(after)}
    of_the_restore = ("database/restored", "signing_key/revoked")
    assert told == {(OLU, template) for template in of_the_restore}
