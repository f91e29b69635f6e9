"""The commands that verify the log and its exports, also where the provider is not at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from idp import audit
from idp.commands import idp, mistakes_told
from idp.provider import Provider, provider
from idp.settings import Settings
from tests.house.test_docs import OPERATE, blocks, section
from tests.rules.exporting import FORGERIES, Lines, exported, northwind
from tests.storage.test_audit_chain import drop_triggers
from tests.world import ISSUER, START, World

__all__ = ["northwind"]


COMMAND = [sys.executable, "-m", "idp.commands", "audit"]


def command(world: World, *arguments: str) -> tuple[int, str]:
    """Its exit code and what it said; in this process, since to start one takes long."""
    environment = {
        "LATCHKEY_ISSUER": ISSUER,
        "LATCHKEY_DATABASE_URL": world.settings.database_url,
        "LATCHKEY_KEYS_DIR": str(world.settings.keys_dir),
    }
    with (
        ExitStack() as opened,
        pytest.MonkeyPatch.context() as patch,
        CliRunner().isolation(env=environment) as (_, _, said),
    ):
        patch.setattr("idp.commands.audit.provider", partial(_provider, opened))
        with pytest.raises(SystemExit) as ended, mistakes_told():
            idp(["audit", *arguments], prog_name="idp")
        sys.stdout.flush()
        return int(ended.value.code or 0), said.getvalue().decode()


def _provider(opened: ExitStack, settings: Settings) -> Provider:
    """A command leaves it to the end of its process to close what it has opened."""
    held = provider(settings)
    opened.callback(held.database.close)
    return held


def run(program: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    outcome = subprocess.run(
        program, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return outcome.returncode, outcome.stdout + outcome.stderr


def test_the_command_says_that_every_chain_is_whole(either_world: World, northwind: str) -> None:
    code, said = command(either_world, "verify")
    assert code == 0
    assert "✓ northwind: 8 events, whole\n" in said
    assert "✓ platform: " in said
    code, said = command(either_world, "verify", "--tenant", "northwind")
    assert (code, said) == (0, "✓ northwind: 8 events, whole\n")
    code, said = command(either_world, "verify", "--tenant", "nobody")
    assert code != 0
    assert "There is no tenant nobody" in said


def test_a_chain_that_was_set_back_with_its_seal_is_found_by_heads_kept_elsewhere(
    either_world: World, northwind: str
) -> None:
    world, file = either_world, either_world.folder / "heads.jsonl"
    at_first = world.run("SELECT seq, digest, mac FROM audit_chains WHERE chain = :c", c=northwind)
    with world.held.database.transaction() as db:
        audit.record(db, "tenant.ended", START + 9, tenant=northwind)
    code, said = command(world, "heads")
    assert (code, len(said.splitlines())) == (0, 2), said
    file.write_text(said)
    code, said = command(world, "verify", "--heads", str(file))
    assert code == 0
    assert "✓ northwind: event 9 is as it was kept\n" in said
    drop_triggers(world.held.database)
    world.run("DELETE FROM audit_events WHERE chain = :c AND seq = 9", c=northwind)
    ((seq, digest, mac),) = at_first
    back = "UPDATE audit_chains SET seq = :s, digest = :d, mac = :m WHERE chain = :c"
    world.run(back, s=seq, d=digest, m=mac, c=northwind)
    assert command(world, "verify")[0] == 0
    code, said = command(world, "verify", "--heads", str(file))
    assert code == 1
    assert "✗ northwind: event 9 is not the one that was kept" in said


@pytest.mark.parametrize("text", ["", "{}", "no JSON", '{"chain":"platform","seq":"x"}', "[]"])
def test_what_is_no_file_of_heads_vouches_for_nothing(world: World, text: str) -> None:
    file = world.folder / "heads.jsonl"
    file.write_text(text)
    assert command(world, "verify", "--heads", str(file))[0] != 0


def test_the_command_names_what_was_done_and_ends_with_1(
    either_world: World, northwind: str
) -> None:
    drop_triggers(either_world.held.database)
    either_world.run("UPDATE audit_events SET tag = 'x' WHERE chain = :c AND seq = 6", c=northwind)
    code, said = command(either_world, "verify")
    assert code == 1
    [fault] = [line for line in said.splitlines() if line.startswith("✗")]
    assert fault.startswith("✗ northwind: event 6 (id ")
    assert "✓ platform: " in said
    assert command(either_world, "verify", "--tenant", "harbor")[0] == 0


def test_the_commands_export_and_verify_with_nothing_of_the_database(
    world: World, tmp_path: Path
) -> None:
    [(tenant_id,)] = world.run("SELECT id FROM tenants WHERE slug = 'northwind'")
    with world.held.database.transaction() as db:
        audit.record(db, "tenant.chosen", START, tenant=tenant_id)
    file, keys = tmp_path / "log.jsonl", tmp_path / "jwks.json"
    code, written = command(world, "export", "--tenant", "northwind")
    assert code == 0
    file.write_text(written)
    keys.write_text(world.get("/jwks").text)
    alone = tmp_path / "somewhere else"
    alone.mkdir()
    verify = [*COMMAND, "verify", str(file), "--jwks", str(keys)]
    code, said = run(verify, alone, os.environ)
    assert (code, said[:38]) == (0, "✓ northwind: events 1 to 1, signed by ")
    file.write_text(written.replace("tenant.chosen", "session.ended"))
    code, said = run(verify, alone, os.environ)
    assert (code, said[:20]) == (1, "✗ northwind: event 1")
    assert list(alone.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["FILE"], ["--jwks", "FILE"], ["FILE", "--jwks", "FILE", "--tenant", "northwind"]]
)
def test_a_file_is_verified_with_keys_and_the_log_without(
    world: World, tmp_path: Path, arguments: list[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("{}")
    named = [str(file) if each == "FILE" else each for each in arguments]
    code, said = command(world, "verify", *named)
    assert (code, "--jwks" in said) == (2, True)


def test_the_documentation_s_own_program_verifies_an_export(
    either_world: World, northwind: str, tmp_path: Path
) -> None:
    """Ten lines of somebody else's, which know of nothing but the documented form."""
    file = tmp_path / "log.jsonl"
    program = blocks(section(OPERATE, "The audit log"), "python")[0]

    def outcome(lines: Lines) -> str:
        file.write_bytes(b"".join(lines))
        return run([sys.executable, "-c", program, str(file)], tmp_path, os.environ)[1]

    lines = exported(either_world, northwind)
    assert outcome(lines) == "whole\n"
    for forgery, (forge, _) in FORGERIES.items():
        assert outcome(forge(lines)) != "whole\n", forgery
