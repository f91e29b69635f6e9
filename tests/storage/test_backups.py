"""A backup is the whole database at one moment, and goes back into either kind of database, whole
or not at all."""

from __future__ import annotations

import gzip
import json
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from idp import migrations, used_once
from idp.backups import backup_file, epoch, restoring, rows
from idp.backups.backup_file import Table
from idp.commands import idp, mistakes_told
from idp.credentials.password import MOST_WRONG
from idp.database import Base, Connection, Database
from idp.ephemeral_redis import RedisEphemeral
from idp.errors import SetupMistake
from idp.schema_version import HEAD
from idp.secret_values import MASTER_KEY_FILE
from tests.machine.processes import free_port
from tests.storage.backups_of import backup_of, restore, tallies
from tests.world import AMARA, BEN, ISSUER, START, World

OLDER = "0051"


@pytest.fixture
def other_url(either_world: World, request: pytest.FixtureRequest) -> str:
    """An empty database of the kind that the world does not have."""
    if either_world.held.database.is_sqlite:
        return str(request.getfixturevalue("postgres_url")())
    return str(request.getfixturevalue("sqlite_url"))


# Tables whose rows a restore leaves as they are, since none of them is good for anything to whoever
# holds it: what people, companies and products are, what happened, and what waits for a decision.
LEFT_ALONE = {
    *("access_requests", "answered_requests", "attempt_limits", "audit_chains"),
    *("authenticator_failures", "branding", "catalog_changes", "client_logos"),
    *("client_registrations", "client_secrets", "client_sessions", "clients", "company_providers"),
    *("documents", "domains"),
    *("factor_resets", "former_addresses", "former_passwords", "identity_providers"),
    *("inbox_messages", "join_requests", "linked_accounts", "membership_roles", "memberships"),
    *("oldest_version",),
    *("passkey_handles", "passkeys", "password_reminders", "passwords", "people_import_lines"),
    *("people_imports", "permissions", "person_words", "products", "recovery_sets"),
    *("revoked_tokens", "role_permissions", "roles", "routed_domains", "sealing_keys"),
    *("sent_code_factors",),
    *("tenant_ending_files", "tenant_endings", "tenant_sign_outs", "tenants", "used_names"),
}
WRITTEN_TO = {"audit_events", "restorations", "signing_keys"}
LEFT_OUT = {"ephemeral_values"}


def test_every_table_is_ended_or_left_alone_by_a_restore() -> None:
    ended = {str(statement.table) for statement in (*epoch._ENDED, epoch._ANOTHER_VERSION)}
    decided = [ended, LEFT_ALONE, WRITTEN_TO, LEFT_OUT]
    assert sum(map(len, decided)) == len(Base.metadata.tables)
    assert set().union(*decided) == set(Base.metadata.tables)


def test_everything_arrives_on_the_other_kind_and_looks_as_the_models_say(
    either_world: World, other_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epoch, "begin", lambda *_: None)
    before = tallies(either_world.held.database)
    restored = restore(either_world, backup_of(either_world, tmp_path), other_url)
    assert restored.rows == sum(int(count) for count, _ in before.values())
    with closing(Database(other_url)) as database:
        assert tallies(database) == before
        assert migrations.differences(database) == []
        with pytest.raises(sa.exc.DBAPIError), database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE audit_events SET at = 0")


def test_a_backup_is_of_one_moment(
    either_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, names = either_world.held.database, rows.names

    def names_while_others_write(connection: sa.Connection) -> list[str]:
        with database.transaction() as db:
            assert used_once.spend(db, "written meanwhile", START + 9, START)
        return names(connection)

    monkeypatch.setattr(rows, "names", names_while_others_write)
    file = backup_of(either_world, tmp_path)
    told = json.loads(gzip.decompress(file.read_bytes()).splitlines()[-1])["tables"]
    assert told["used_names"][0] == 0
    assert either_world.run("SELECT count(*) FROM used_names") == [(1,)]


def test_a_backup_of_an_older_schema_is_brought_to_the_newest(
    world: World, sqlite_url: str, tmp_path: Path
) -> None:
    keys = world.held.secret_keys
    with closing(Database(f"sqlite:///{tmp_path / 'older.db'}", seal=keys.seal)) as older:
        with migrations.changing(older) as connection:
            migrations.upgrade_within(connection, keys.seal, OLDER)
        file = backup_of(world, tmp_path, older)
    restore(world, file, sqlite_url)
    with closing(Database(sqlite_url)) as database:
        migrations.check_schema(database)
        assert migrations.differences(database) == []


Spoil = Callable[[bytes], bytes]
DAMAGES: dict[str, Spoil] = {
    "cut off": lambda packed: packed[: len(packed) // 2],
    "a byte changed": lambda packed: packed[:5000] + bytes([packed[5000] ^ 1]) + packed[5001:],
    "a row that can't be read": lambda packed: _repacked(
        packed, lambda lines: [*lines[:2], b"[\n", *lines[3:]]
    ),
    "without its end": lambda packed: _repacked(packed, lambda lines: lines[:-1]),
    "with something after it": lambda packed: _repacked(packed, lambda lines: [*lines, b"[1]\n"]),
    "a row changed": lambda packed: _repacked(
        packed, lambda lines: [line.replace(b"Amara", b"Mallory") for line in lines]
    ),
    "a row taken out": lambda packed: _repacked(packed, lambda lines: [*lines[:3], *lines[4:]]),
    "its end written anew": lambda packed: _repacked(
        packed, lambda lines: [*lines[:-1], lines[-1].replace(b'"users":[', b'"users":[1')]
    ),
    "no gzip": lambda _: b"SQLite format 3",
    "empty": lambda _: b"",
    "something else": lambda _: gzip.compress(b'{"format": "another"}\n'),
}


def _repacked(packed: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    return gzip.compress(b"".join(change(gzip.decompress(packed).splitlines(keepends=True))), 1)


def test_a_damaged_backup_is_known_as_such(world: World, tmp_path: Path) -> None:
    file = backup_of(world, tmp_path)
    whole = file.read_bytes()
    read_through(world, file)
    for damage, spoil in DAMAGES.items():
        file.write_bytes(spoil(whole))
        with pytest.raises(SetupMistake, match=r"damaged or not whole|no backup"):
            read_through(world, file)
        assert file.read_bytes() != whole, damage


def read_through(world: World, file: Path) -> None:
    with backup_file.opened(file, world.held.secret_keys) as opened:
        for table in opened.tables():
            deque(table.rows, maxlen=0)


def test_nothing_is_left_of_a_restore_that_does_not_come_to_its_end(
    world: World, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = backup_of(world, tmp_path)
    file.write_bytes(DAMAGES["without its end"](file.read_bytes()))
    with pytest.raises(SetupMistake, match="not whole"):
        restore(world, file, sqlite_url)
    assert is_empty(sqlite_url)
    file, load = backup_of(world, tmp_path), rows.load
    monkeypatch.setattr(rows, "load", lambda at, table: load(at, _without_last(table)))
    with pytest.raises(SetupMistake, match="did not arrive"):
        restore(world, file, sqlite_url)
    assert is_empty(sqlite_url)


def test_nothing_is_restored_without_the_keys_that_something_is_encrypted_by(
    world: World, sqlite_url: str, tmp_path: Path
) -> None:
    world.run("INSERT INTO sealing_keys (name, fingerprint, since) VALUES ('gone', 'f', 1)")
    with pytest.raises(SetupMistake, match=r"sealing-gone\.key"):
        restore(world, backup_of(world, tmp_path), sqlite_url)
    assert is_empty(sqlite_url)


def _without_last(table: Table) -> Table:
    return table._replace(rows=(lines[:-1] for lines in table.rows))


def test_a_database_that_is_not_empty_is_kept_unless_it_is_to_be_replaced(
    either_world: World, tmp_path: Path
) -> None:
    """Its own backup, which is older by a row."""
    database, file = either_world.held.database, backup_of(either_world, tmp_path)
    with database.transaction() as db:
        assert used_once.spend(db, "written since", START + 9, START)
    with pytest.raises(SetupMistake, match="is not empty"):
        restore(either_world, file, either_world.settings.database_url)
    assert either_world.run("SELECT count(*) FROM used_names") == [(1,)]
    restore(either_world, file, either_world.settings.database_url, replace=True)
    assert either_world.run("SELECT count(*) FROM used_names") == [(0,)]
    either_world.clock.move(2)
    assert either_world.browser().tokens()


def test_redis_is_emptied_of_ours_by_a_restore_and_by_none_that_was_refused(
    world: World, redis_url: str, tmp_path: Path
) -> None:
    redis = RedisEphemeral(redis_url)
    redis.put("half a sign-in", "value", 60.0, START)
    file, url = backup_of(world, tmp_path), world.settings.database_url
    with pytest.raises(SetupMistake, match="is not empty"):
        restore(world, file, url, redis=redis)
    assert redis.read("half a sign-in", START) == "value"
    restore(world, file, url, redis=redis, replace=True)
    assert redis.read("half a sign-in", START) is None


def test_nothing_is_restored_where_redis_can_not_be_emptied(
    world: World, sqlite_url: str, tmp_path: Path
) -> None:
    away = RedisEphemeral(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(SetupMistake, match="Redis can't be emptied"):
        restore(world, backup_of(world, tmp_path), sqlite_url, redis=away)
    assert is_empty(sqlite_url)


def test_a_backup_of_a_newer_version_is_refused(
    world: World, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = backup_of(world, tmp_path)
    monkeypatch.setattr(restoring, "HEAD", OLDER)
    with pytest.raises(SetupMistake, match=f"newer version .schema {HEAD}"):
        restore(world, file, sqlite_url)
    assert is_empty(sqlite_url)


def test_passwords_can_be_made_to_open_nothing(world: World) -> None:
    with world.held.database.transaction() as db:
        assert epoch.wear_out(db, BEN)
        assert not epoch.wear_out(db, "gone@northwind.example")
    assert opening(world) == [AMARA]
    [(all_of_them,)] = world.run("SELECT count(*) FROM passwords")
    with world.held.database.transaction() as db:
        assert epoch.wear_out_all(db) == all_of_them
    assert opening(world) == []


def opening(world: World) -> list[str]:
    """Whose password still does."""
    told = {email: world.browser().sign_in(email).text for email in (AMARA, BEN)}
    return [email for email, text in told.items() if "could not sign you in" not in text]


def test_the_commands_say_what_they_did_and_touch_nothing_without_the_key(
    world: World, tmp_path: Path
) -> None:
    file, keys_dir, target = tmp_path / "b", world.settings.keys_dir, tmp_path / "target.db"
    code, said = command(world.settings.database_url, keys_dir, "backup", str(file))
    assert (code, file.stat().st_mode & 0o777) == (0, 0o600), said
    fresh = tmp_path / "fresh"
    for key, complaint in ((None, "There is no"), ("A" * 43, "another master.key")):
        if key:
            fresh.mkdir()
            (fresh / MASTER_KEY_FILE).write_text(key)
            (fresh / MASTER_KEY_FILE).chmod(0o600)
        code, said = command(f"sqlite:///{target}", fresh, "restore", str(file))
        assert (code, complaint in said, target.exists()) == (2, True, False), said
        assert (fresh / MASTER_KEY_FILE).exists() is bool(key)
    people = tmp_path / "people"
    people.write_text(f"{BEN.upper()}\nnobody@northwind.example\n")
    options = ("--new-passwords", str(people))
    code, said = command(f"sqlite:///{target}", keys_dir, "restore", str(file), *options)
    assert code == 0, said
    for sentence in ("Restored: ", "1 passwords have to be", "nobody@northwind.example had a"):
        assert sentence in said
    code, said = command(f"sqlite:///{target}", keys_dir, "doctor")
    assert "· Restored on " in said
    with closing(Database(f"sqlite:///{target}")) as database, database.connection() as db:
        assert worn_out(db) == 1


def command(url: str, keys_dir: Path, *arguments: str) -> tuple[int, str]:
    environment = {
        "LATCHKEY_ISSUER": ISSUER,
        "LATCHKEY_DATABASE_URL": url,
        "LATCHKEY_KEYS_DIR": str(keys_dir),
    }
    runner = CliRunner()
    with runner.isolation(env=environment) as (out, _, said):
        with pytest.raises(SystemExit) as ended, mistakes_told():
            idp([*arguments], prog_name="idp")
        del out
        return int(ended.value.code or 0), said.getvalue().decode()


def worn_out(db: Connection) -> int:
    [(found,)] = db.rows(sa.text(f"SELECT count(*) FROM passwords WHERE failures = {MOST_WRONG}"))
    return int(found)


def is_empty(url: str) -> bool:
    with closing(Database(url)) as database, database.engine.connect() as held:
        return sa.inspect(held).get_table_names() == []
