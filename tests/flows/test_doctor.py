"""What `idp doctor` says of each thing that can be wrong with a set-up, and of a sound one."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from click.testing import CliRunner

from idp import outbox, outgoing, resealing, worker
from idp.commands.doctor import _examined, doctor
from idp.errors import SetupMistake
from idp.operators import surroundings
from idp.outgoing import Unreachable
from idp.provider import Provider
from idp.secret_values import make_sealing_key, secret_keys
from idp.settings import settings_from
from tests.machine.processes import free_port
from tests.storage.test_audit_chain import drop_triggers
from tests.world import AMARA, World

DAY = 86400.0
HTTPS = {"issuer": "https://id.example", "argon2_memory_kib": 19456, "argon2_time_cost": 2}


def faults(held: Provider, serving: bool = False) -> dict[str, str]:
    return {each.name: each.fault for each in _examined(held, serving) if each.fault}


def sound(world: World, **chosen: Any) -> Provider:
    """At an issuer that answers, with a worker that has swept."""
    return replace(world.held, settings=replace(world.settings, **{"demo_inbox": True, **chosen}))


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    body = world.get("/.well-known/openid-configuration").data
    monkeypatch.setattr(outgoing, "fetched", lambda *_: body)


def test_a_sound_set_up_has_no_fault(world: World, answering: None) -> None:
    worker.sweep(world.held)
    assert faults(sound(world), serving=True) == {}


def put(world: World, table: str, **values: object) -> None:
    with world.held.database.engine.begin() as connection:
        connection.execute(sa.table(table, *map(sa.column, values)).insert(), values)


def settings_of(**chosen: Any) -> Callable[[World], Provider]:
    return lambda world: sound(world, **chosen)


def others_may_write_keys(world: World) -> None:
    world.settings.keys_dir.chmod(0o770)


def another_key_is_chosen(world: World) -> Provider:
    make_sealing_key(world.settings.keys_dir, "new")
    return replace(sound(world), secret_keys=secret_keys(world.settings.keys_dir, "new"))


def a_key_is_lost(world: World) -> None:
    put(world, "sealing_keys", name="lost", fingerprint="x", since=0.0)


def nobody_rotates(world: World) -> None:
    world.clock.move(92 * DAY)


def a_chain_is_broken(world: World) -> None:
    with world.held.database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE audit_chains SET mac = 'forged'"))
    world.browser().tokens(AMARA)


def an_event_is_changed(world: World) -> None:
    drop_triggers(world.held.database)
    newest = "SELECT max(id) FROM audit_events"
    world.run(f"UPDATE audit_events SET actor_id = 'ben' WHERE id = ({newest})")


def the_worker_hangs(world: World) -> None:
    with world.held.database.transaction() as db:
        outbox.enqueue(db, "mail", {}, world.clock(), session_id=None, client_id=None)
    world.clock.move(301)


WRONG: dict[str, tuple[Callable[[World], Provider | None], str]] = {
    "proxies": (
        settings_of(**HTTPS, demo_inbox=False, smtp_url="smtp://127.0.0.1"),
        "LATCHKEY_TRUSTED_PROXIES",
    ),
    "inbox": (settings_of(**HTTPS, trusted_proxies="10.0.0.1"), "unset LATCHKEY_DEMO_INBOX"),
    "keys folder": (others_may_write_keys, "chmod go-w"),
    "encryption keys": (another_key_is_chosen, "run `idp keys reencrypt`"),
    "encryption keys, one lost": (a_key_is_lost, "put it back"),
    "age of signing keys": (nobody_rotates, "start `idp worker`"),
    "mail server": (
        settings_of(demo_inbox=False, smtp_url="smtp://127.0.0.1:9"),
        "mend LATCHKEY_SMTP_URL",
    ),
    "audit log": (a_chain_is_broken, "run `idp audit verify`"),
    "audit log, its end": (an_event_is_changed, "let `idp audit verify` say"),
    "worker": (the_worker_hangs, "start `idp worker`"),
    "outbox": (the_worker_hangs, "1 messages wait"),
    "mail": (settings_of(demo_inbox=False), "set LATCHKEY_SMTP_URL"),
}


BESIDES: dict[Any, set[str]] = {
    the_worker_hangs: {"worker", "outbox"},
    nobody_rotates: {"worker"},
    WRONG["proxies"][0]: {"mail server", "issuer"},
    WRONG["inbox"][0]: {"issuer"},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_with_what_to_do(world: World, answering: None, name: str) -> None:
    worker.sweep(world.held)
    breaks, sentence = WRONG[name]
    found = faults(breaks(world) or sound(world), serving=True)
    check = name.partition(",")[0]
    assert sentence in found[check]
    assert set(found) - {check} <= BESIDES.get(breaks, set()), found


def test_every_check_was_seen_to_find_something() -> None:
    elsewhere = {"issuer", "clock", "PostgreSQL", "SQLite", "Redis"}
    seen = {name.partition(",")[0] for name in WRONG}
    assert {*surroundings.OF_SET_UP, *surroundings.OF_SERVING} <= seen | elsewhere


def test_whoever_answers_at_the_issuer_has_to_be_us(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object) -> bytes:
        raise Unreachable("ConnectionRefusedError", may_have_arrived=False)

    monkeypatch.setattr(outgoing, "fetched", nobody)
    assert "whether `idp serve` runs" in (surroundings._issuer(world.held) or "")
    monkeypatch.setattr(outgoing, "fetched", lambda *_: b'{"issuer":"https://other.example"}')
    assert "somebody else answers" in (surroundings._issuer(world.held) or "")


def test_a_disk_that_is_nearly_full_and_another_journal_are_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "LEAST_FREE", shutil.disk_usage(world.folder).total * 2)
    assert "make room" in (surroundings._sqlite(world.held) or "")
    monkeypatch.setattr(surroundings, "_MODE", sa.text("SELECT 'delete'"))
    assert "not wal" in (surroundings._sqlite(world.held) or "")


def test_the_databases_clock_and_its_age_are_looked_at(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = replace(either_world.held, clock=time.time)
    late = replace(either_world.held, clock=lambda: time.time() + 60)
    assert surroundings._clock(held) is None
    assert surroundings._postgres(held) is None
    monkeypatch.setattr(surroundings, "OLDEST_POSTGRES", 99)
    told = [surroundings._clock(late) or "", surroundings._postgres(held) or ""]
    if held.database.is_sqlite:
        assert told == ["", ""]
    else:
        assert "60 seconds apart" in told[0]
        assert "go to 99 or newer" in told[1]


def test_a_redis_that_may_throw_values_away_is_told(world: World, redis_url: str) -> None:
    held, server = sound(world, redis_url=redis_url), redis.Redis.from_url(redis_url)
    assert surroundings._redis(held) is None
    server.config_set("maxmemory", "200mb")
    server.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "maxmemory-policy to noeviction" in (surroundings._redis(held) or "")
        server.config_set("maxmemory-policy", "noeviction")
        assert surroundings._redis(held) is None
    finally:
        server.config_set("maxmemory", "0")
        server.config_set("maxmemory-policy", "noeviction")
        server.close()


def test_a_mail_server_that_answers_is_no_fault(world: World) -> None:
    server = Controller(SimpleNamespace(), port=free_port(), hostname="127.0.0.1")
    server.start()
    try:
        smtp = f"smtp://127.0.0.1:{server.port}"
        assert surroundings._mail_server(sound(world, demo_inbox=False, smtp_url=smtp)) is None
    finally:
        server.stop()


def test_a_key_is_spare_when_nothing_needs_it(world: World) -> None:
    for name in ("old", "next"):
        make_sealing_key(world.settings.keys_dir, name)
    held = sound(world, sealing_key="next")
    old, chosen = (secret_keys(world.settings.keys_dir, name) for name in ("old", "next"))
    assert surroundings.spare_keys(held) == ["old"]
    resealing.check_keys(held.database, old, 0.0)
    assert surroundings.spare_keys(held) == []
    resealing.reencrypt(held.database, old, 0.0)
    assert surroundings.spare_keys(held) == []
    resealing.check_keys(held.database, chosen, 0.0)
    resealing.reencrypt(held.database, chosen, 0.0)
    assert surroundings.spare_keys(held) == ["old"]


def test_the_command_says_it_to_people_and_to_programs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("issuer", "database_url", "keys_dir"):
        monkeypatch.setenv(f"LATCHKEY_{name.upper()}", str(getattr(world.settings, name)))
    monkeypatch.setenv("LATCHKEY_DEMO_INBOX", "1")
    monkeypatch.setattr(surroundings, "OF_SET_UP", {})
    make_sealing_key(world.settings.keys_dir, "spare")
    said = CliRunner().invoke(doctor)
    assert (said.exit_code, said.output[:2]) == (0, "· ")
    assert "✓" in said.output
    monkeypatch.setenv("LATCHKEY_DEMO_INBOX", "0")
    said = CliRunner().invoke(doctor, ["--json"])
    told = json.loads(said.output)
    assert said.exit_code == 1
    assert [each["name"] for each in told["findings"] if each["fault"]] == ["mail"]
    assert "sealing-spare.key" in told["notes"][0]
    monkeypatch.setattr(surroundings, "NEWEST", 1)
    assert "the newest 1 events" in CliRunner().invoke(doctor).output
    world.run("UPDATE alembic_version SET version_num = '9999'")
    said = CliRunner().invoke(doctor)
    assert said.output.startswith("· The database is at revision 9999, newer than this version's")
    world.run("UPDATE oldest_version SET revision = '9998'")
    said = CliRunner().invoke(doctor)
    assert (said.exit_code, "versions that know 9998 may serve it" in said.output) == (1, True)
    world.run("UPDATE alembic_version SET version_num = '0001'")
    said = CliRunner().invoke(doctor)
    assert (said.exit_code, "run `idp db upgrade`" in said.output) == (1, True)


def test_a_misspelt_setting_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(SetupMistake, match=r"LATCHKEY_ISUER \(did you mean LATCHKEY_ISSUER\?\)"):
        settings_from({"LATCHKEY_ISUER": "https://id.example"})
    with pytest.raises(SetupMistake, match=r"LATCHKEY_XQZ$"):
        settings_from({"LATCHKEY_XQZ": "1"})
