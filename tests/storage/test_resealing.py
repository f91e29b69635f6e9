"""A key that encrypts what is kept is replaced: all of it, in the middle of writes, after any
crash, and nobody starts without a key that something still needs."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from idp import resealing, secret_values
from idp.answered_once import PURPOSE, AnsweredRequest
from idp.commands.keys import keys as command
from idp.commands.serve import prepare
from idp.database import Base, Database
from idp.errors import SetupMistake
from idp.provider import provider
from idp.resealing import SEALED, SealedColumn
from idp.secret_values import SecretKeys, make_sealing_key, secret_keys
from idp.tokens.signing_keys import load_key_ring
from tests.storage.conftest import fresh_database
from tests.world import World

ROOT = Path(__file__).parents[2]
NOW = 1_795_000_000.0
ANSWERS: Any = AnsweredRequest.__table__
KEPT = {
    "idp/answered_once.py": "answered_requests",
    "idp/credentials/totp.py": "totp_authenticators",
    "idp/directory/company_providers.py": "company_providers",
    "idp/directory/documents.py": "documents",
    "idp/registration/identity_providers.py": "identity_providers",
    "idp/tokens/signing_keys.py": "signing_keys",
    **dict.fromkeys(
        (
            *("idp/credentials/password_links.py", "idp/credentials/sent_code.py"),
            *("idp/credentials/sign_up_links.py", "idp/credentials/unlocking.py"),
            *("idp/directory/invitations.py", "idp/login/email_change.py"),
            "idp/login/resetting.py",
        ),
        "outbox",
    ),
}
GIVEN_OUT = {
    *("idp/directory/paging.py", "idp/tokens/opaque_tokens.py", "idp/web/manage/multi_factor.py"),
    "idp/sealed.py",
}  # and values that expire
_ENCRYPTING = re.compile(r"keys\.encrypt\(")


def test_whatever_is_encrypted_and_kept_is_known() -> None:
    """Each place that encrypts says where it goes; one that is new has to be entered above."""
    places = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "idp").rglob("*.py")
        if _ENCRYPTING.search(path.read_text())
    }
    assert places == set(KEPT) | GIVEN_OUT | {"idp/resealing.py"}
    assert {column.table.name for column in SEALED} == set(KEPT.values())
    called_so = {
        table.name
        for table in Base.metadata.tables.values()
        if any("sealed" in column.name for column in table.columns)
    }
    assert called_so <= set(KEPT.values())


def write(database: Database, keys: SecretKeys, name: str, text: str) -> None:
    sealed = keys.encrypt(text.encode(), PURPOSE.format(name_hash=name))
    with database.connection(durable=False) as db:
        db.run(_WRITE, name=name, sealed=sealed)


def read(database: Database, keys: SecretKeys) -> dict[str, str]:
    with database.connection() as db:
        return {
            name: keys.decrypt(sealed, PURPOSE.format(name_hash=name)).decode()
            for name, sealed in db.rows(_ALL)
        }


_WRITE = (
    sa.update(ANSWERS)
    .where(ANSWERS.c.name_hash == sa.bindparam("name"))
    .values(answer=sa.bindparam("sealed"))
)
_ALL = sa.select(ANSWERS.c.name_hash, ANSWERS.c.answer)


def fill(database: Database, keys: SecretKeys, count: int) -> None:
    with database.engine.begin() as connection:
        for number in range(count):
            name = f"{number:03}"
            sealed = keys.encrypt(b"first", PURPOSE.format(name_hash=name))
            connection.execute(
                ANSWERS.insert(),
                {"name_hash": name, "request_hash": "", "answer": sealed, "expires_at": NOW},
            )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With two keys that seal by a name."""
    secret_keys(tmp_path / "keys")
    for name in ("a", "b"):
        make_sealing_key(tmp_path / "keys", name)
    return tmp_path / "keys"


@pytest.mark.parametrize("steps", [("", "a"), ("a", "b"), ("a", "")])
def test_everything_is_encrypted_by_the_next_key_and_once(
    database: Database, folder: Path, steps: tuple[str, str]
) -> None:
    before, after = (secret_keys(folder, name) for name in steps)
    resealing.check_keys(database, before, NOW)
    fill(database, before, 45)
    resealing.check_keys(database, after, NOW)
    assert resealing.count_others(database, after) == 45
    assert resealing.reencrypt(database, after, NOW) == {"answered_requests": 45}
    assert resealing.count_others(database, after) == 0
    assert resealing.reencrypt(database, after, NOW) == {}
    assert set(read(database, after).values()) == {"first"}
    if steps[0]:
        (folder / f"sealing-{steps[0]}.key").unlink()
    left = secret_keys(folder, steps[1])
    resealing.check_keys(database, left, NOW)
    assert set(read(database, left).values()) == {"first"}


def test_of_each_table_every_value_is(either_world: World) -> None:
    """Also what was sealed before messages had keys of their own, and letters that wait."""
    database, keys = either_world.held.database, either_world.held.secret_keys
    rows = {column: row_of(database, keys, column) for column in SEALED[1:]}
    make_sealing_key(either_world.settings.keys_dir, "next")
    chosen = secret_keys(either_world.settings.keys_dir, "next")
    done = resealing.reencrypt(database, chosen, NOW)
    assert set(done) == set(KEPT.values())
    assert resealing.count_others(database, chosen) == 0
    assert resealing.count_by(database, "next") == done.total()
    with database.connection() as db:
        for column, identifier in rows.items():
            ((sealed,),) = db.rows(column._read, identifier=identifier)
            if column.table.name == "outbox":
                members = orjson.loads(sealed)
                assert members["name"] == LETTER["name"]
                sealed = members["sealed_link"]
            assert chosen.decrypt(sealed, purpose_of(column, identifier)) == b"secret"
    assert load_key_ring(database, chosen, 600.0).keys
    (event,) = either_world.audit("sealing_key.in_use")
    assert (event["key"], event["values"]) == ("next", done.total())


LETTER = {"name": '"sealed_link":"3.next.', "template": "x"}
VALUES: dict[type, Any] = {str: "x", int: 0, float: 0.0, bool: False}


def row_of(database: Database, keys: SecretKeys, column: SealedColumn) -> str:
    """One more, which refers to whatever is there; its key."""
    with database.engine.begin() as connection:
        values = {
            each.name: connection.scalar(sa.select(next(iter(each.foreign_keys)).column))
            if each.foreign_keys
            else VALUES.get(each.type.python_type, {})
            for each in column.table.columns
            if not each.nullable
        }
        identifier = str(values[column._key.name])
        purpose = purpose_of(column, identifier)
        if column.table.name == "outbox":
            values["payload"] = {**LETTER, "sealed_link": keys.encrypt(b"secret", purpose)}
        elif column.table.name == "documents":
            values["sealed"] = of_old(keys, purpose)
        else:
            values[column.name] = keys.encrypt(b"secret", purpose)
        connection.execute(column.table.insert(), values)
    return identifier


def purpose_of(column: SealedColumn, identifier: str) -> str:
    return column._purpose.format(**{column._key.name: identifier})


def of_old(keys: SecretKeys, purpose: str) -> str:
    nonce = bytes(secret_values.NONCE_BYTES)
    sealed = AESGCM(keys.first_sealing).encrypt(nonce, b"secret", purpose.encode())
    return secret_values.encode(nonce + sealed)


def test_after_a_kill_in_the_middle_it_goes_on_where_it_was(
    database: Database, schema_url: str, folder: Path
) -> None:
    before, after = secret_keys(folder, "a"), secret_keys(folder, "b")
    resealing.check_keys(database, before, NOW)
    fill(database, before, 45)
    process = multiprocessing.get_context("fork").Process(
        target=reencrypt_and_die, args=(schema_url, folder)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert resealing.count_others(database, after) == 25
    assert set(read(database, after).values()) == {"first"}
    with pytest.raises(SetupMistake, match=r"sealing-a\.key"):
        without(folder, "a", lambda keys: resealing.check_keys(database, keys, NOW))
    assert resealing.reencrypt(database, after, NOW).total() == 25
    assert resealing.count_others(database, after) == 0


def reencrypt_and_die(url: str, folder: Path) -> None:
    """In the second batch."""
    keys, opened = secret_keys(folder, "b"), iter(range(100))

    class Dying(SecretKeys):
        def decrypt(self, sealed: str, purpose: str) -> bytes:
            if next(opened) == 30:
                os.kill(os.getpid(), signal.SIGKILL)
            return keys.decrypt(sealed, purpose)

    fields = [getattr(keys, name) for name in SecretKeys.__slots__ if name != "by_name"]
    dying = Dying(*fields, by_name=keys.by_name)
    with closing(Database(url, seal=keys.seal)) as database:
        resealing.check_keys(database, dying, NOW)
        resealing.reencrypt(database, dying, NOW)


def without(folder: Path, name: str, then: Any) -> None:
    path = folder / f"sealing-{name}.key"
    text = path.read_text()
    path.unlink()
    try:
        then(secret_keys(folder, "b"))
    finally:
        path.write_text(text)
        path.chmod(0o600)


def test_who_writes_meanwhile_with_either_key_loses_nothing(
    database: Database, schema_url: str, folder: Path
) -> None:
    """Two processes that write and encrypt anew in turn, while we encrypt anew again and again."""
    before, after = secret_keys(folder, "a"), secret_keys(folder, "b")
    resealing.check_keys(database, before, NOW)
    fill(database, before, 45)
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=write_and_reencrypt, args=(schema_url, folder, name))
        for name in ("007", "030")
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        resealing.reencrypt(database, after, NOW)
    assert [writer.exitcode for writer in writers] == [0, 0]
    resealing.reencrypt(database, after, NOW)
    assert resealing.count_others(database, after) == 0
    found = read(database, after)
    assert (found.pop("007"), found.pop("030")) == ("29", "29")
    assert set(found.values()) == {"first"}


def write_and_reencrypt(url: str, folder: Path, name: str) -> None:
    keys = (secret_keys(folder, "a"), secret_keys(folder, "b"))
    with closing(Database(url, seal=keys[1].seal)) as database:
        for turn in range(30):
            write(database, keys[turn % 2], name, str(turn))
            if turn % 10 == 9:
                resealing.reencrypt(database, keys[1], NOW)


def test_who_writes_between_the_reading_and_the_writing_of_a_value_wins(
    request: pytest.FixtureRequest, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL, which lets two write at once."""
    before, after = secret_keys(folder, "a"), secret_keys(folder, "b")
    anew = SealedColumn._anew

    def slowly(column: SealedColumn, keys: SecretKeys, identifier: str, old: str) -> str:
        with closing(Database(url)) as other:
            write(other, before, identifier, "second")
        return anew(column, keys, identifier, old)

    monkeypatch.setattr(SealedColumn, "_anew", slowly)
    url = fresh_database(request, "postgresql", tmp_path)
    with closing(Database(url, seal=after.seal)) as database:
        resealing.check_keys(database, before, NOW)
        fill(database, before, 1)
        assert resealing.reencrypt(database, after, NOW) == {}
        assert read(database, after) == {"000": "second"}
        with pytest.raises(SetupMistake, match=r"sealing-a\.key"):
            without(folder, "a", lambda keys: resealing.check_keys(database, keys, NOW))


def test_nobody_starts_without_a_key_that_something_needs_or_with_another(
    database: Database, folder: Path
) -> None:
    resealing.check_keys(database, secret_keys(folder, "a"), NOW)
    without_a = folder / "sealing-a.key"
    text = without_a.read_text()
    without_a.unlink()
    for chosen in ("", "b"):
        with pytest.raises(SetupMistake, match=r"no .*sealing-a\.key.*idp keys reencrypt"):
            resealing.check_keys(database, secret_keys(folder, chosen), NOW)
    make_sealing_key(folder, "a")
    for chosen in ("", "a", "b"):
        with pytest.raises(SetupMistake, match="another one"):
            resealing.check_keys(database, secret_keys(folder, chosen), NOW)
    without_a.write_text(text)
    resealing.check_keys(database, secret_keys(folder, "a"), NOW)


def test_a_key_that_is_not_there_or_is_badly_kept_is_refused(folder: Path) -> None:
    with pytest.raises(SetupMistake, match=r"no .*sealing-c\.key"):
        secret_keys(folder, "c")
    for name in ("", "../a", "A", "a.b", "a" * 33):
        with pytest.raises(SetupMistake, match="named by"):
            make_sealing_key(folder, name)
    with pytest.raises(SetupMistake, match="already"):
        make_sealing_key(folder, "a")
    (folder / "sealing-a.key").chmod(0o640)
    with pytest.raises(SetupMistake, match="chmod 600"):
        secret_keys(folder)


def test_a_key_opens_what_it_sealed_for_the_same_purpose_alone(folder: Path) -> None:
    sealed = secret_keys(folder, "a").encrypt(b"text", "purpose")
    assert secret_keys(folder, "b").decrypt(sealed, "purpose") == b"text"
    moved = sealed.replace("3.a.", "3.b.")
    for damaged, purpose in ((sealed, "other"), (moved, "purpose"), (sealed[:-2], "purpose")):
        with pytest.raises(SetupMistake):
            secret_keys(folder).decrypt(damaged, purpose)


def test_who_runs_finds_a_key_that_was_added_and_looks_no_oftener_than_once_a_second(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = [100.0]
    monkeypatch.setattr(secret_values, "monotonic", lambda: time[0])
    running = secret_keys(folder)
    make_sealing_key(folder, "new")
    sealed = secret_keys(folder, "new").encrypt(b"text", "purpose")
    with pytest.raises(SetupMistake, match="sealing-new"):
        running.decrypt(sealed, "purpose")
    time[0] += secret_values.LOOK_AGAIN + 0.1
    assert running.decrypt(sealed, "purpose") == b"text"
    for name in ("../../etc/passwd", ""):
        with pytest.raises(SetupMistake, match="named by"):
            running.decrypt(f"3.{name}.{sealed}", "purpose")


def test_by_commands_a_key_is_made_and_everything_encrypted_by_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = world.settings
    for name in ("issuer", "database_url", "keys_dir"):
        monkeypatch.setenv(f"LATCHKEY_{name.upper()}", str(getattr(settings, name)))
    said = CliRunner().invoke(command, ["make-sealing-key", "next"], catch_exceptions=False).output
    assert "LATCHKEY_SEALING_KEY=next" in said
    monkeypatch.setenv("LATCHKEY_SEALING_KEY", "next")
    said = CliRunner().invoke(command, ["reencrypt"], catch_exceptions=False).output
    assert "signing_keys: " in said
    assert "Everything" in said
    file = settings.keys_dir / "sealing-next.key"
    file.rename(settings.keys_dir / "kept")
    with pytest.raises(SetupMistake, match=r"sealing-next\.key"):
        prepare(provider(settings, world.clock))
    (settings.keys_dir / "kept").rename(file)
    prepare(provider(settings, world.clock))
