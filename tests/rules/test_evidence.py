"""An export of the audit log that an outsider verifies with nothing but the provider's keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from idp import audit, evidence
from idp.audit_chain import PLATFORM
from idp.audit_walk import CHANGED, CUT, INSERTED, MISPLACED, MISSING
from idp.canonical_json import canonical_json
from idp.evidence import BadEvidence, Broken, NoEvents
from idp.tokens import signing_keys
from tests.house.test_docs import OPERATE, blocks, section
from tests.storage.test_audit_chain import drop_triggers
from tests.world import ISSUER, START, World

NO_KEYS: list[dict[str, Any]] = [{"keys": [{}]}, {"keys": "no"}, {"key": []}]
Lines = list[bytes]
LENGTH = 8
COMMAND = [sys.executable, "-m", "idp.commands", "audit"]


@pytest.fixture
def northwind(either_world: World) -> str:
    """The tenant's id, which has `LENGTH` events."""
    [(tenant_id,)] = either_world.run("SELECT id FROM tenants WHERE slug = 'northwind'")
    with either_world.held.database.transaction() as db:
        for number in range(LENGTH):
            at = START + number / 3
            audit.record(db, "tenant.chosen", at, tenant=tenant_id, name="Zoë 漢", number=number)
    return str(tenant_id)


def exported(world: World, chain: str, first: int = 1, last: int | None = None) -> Lines:
    ring = world.held.key_ring.current(START)
    database, tenant = world.held.database, None if chain == PLATFORM else "northwind"
    return list(evidence.export(database, ring, ISSUER, chain, tenant, START, first, last))


def jwks(world: World) -> dict[str, Any]:
    return dict(world.get("/jwks").json or {})


def verified(world: World, lines: Lines, keys: dict[str, Any] | None = None) -> evidence.Evidence:
    file = world.folder / "export.jsonl"
    file.write_bytes(b"".join(lines))
    return evidence.verify(file, keys or jwks(world))


def test_an_export_is_verified_with_the_keys_alone(either_world: World, northwind: str) -> None:
    lines = exported(either_world, northwind)
    claims, faults = verified(either_world, lines)
    assert faults == []
    assert len(lines) == LENGTH + 2
    assert claims == {
        "iss": ISSUER,
        "iat": int(START),
        "issuer": ISSUER,
        "chain": northwind,
        "tenant": "northwind",
        "form": 1,
        "first": 1,
        "previous": "0" * 64,
        "last": LENGTH,
        "digest": json.loads(lines[-2])["digest"],
    }
    shown = json.loads(lines[1])["event"]
    assert shown["detail"] == {"name": "Zoë 漢", "number": 0}
    assert (shown["seq"], shown["tenant_id"]) == (1, northwind)


def test_the_platform_s_own_chain_is_exported_too(either_world: World, northwind: str) -> None:
    claims, faults = verified(either_world, exported(either_world, PLATFORM))
    assert (claims["tenant"], faults) == (None, [])


@pytest.mark.parametrize(("first", "last"), [(3, 5), (1, 1), (8, 8), (2, None)])
def test_a_part_of_a_chain_is_as_good(
    either_world: World, northwind: str, first: int, last: int | None
) -> None:
    lines = exported(either_world, northwind, first, last)
    claims, faults = verified(either_world, lines)
    assert faults == []
    assert (claims["first"], claims["last"]) == (first, last or LENGTH)
    assert len(lines) == 2 + claims["last"] - first + 1
    if first > 1:
        whole = exported(either_world, northwind)
        assert claims["previous"] == json.loads(whole[first - 1])["digest"]


@pytest.mark.parametrize(
    ("first", "last"), [(0, None), (-1, 2), (5, 4), (9, None), (9, 10), (1, 9)]
)
def test_a_part_that_is_not_there_is_refused(
    either_world: World, northwind: str, first: int, last: int | None
) -> None:
    with pytest.raises(NoEvents, match="the events 1 to 8"):
        exported(either_world, northwind, first, last)


def test_a_chain_without_events_is_refused(world: World) -> None:
    with pytest.raises(NoEvents, match="no events"):
        exported(world, "a" * 32)


def edited(line: bytes, **changed: Any) -> bytes:
    shown = json.loads(line)
    return canonical_json({**shown, "event": {**shown["event"], **changed}}) + b"\n"


FORGERIES: dict[str, tuple[Callable[[Lines], Lines], list[tuple[str, int, int]]]] = {
    "an actor": (
        lambda lines: [*lines[:4], edited(lines[4], actor_id="ben"), *lines[5:]],
        [(CHANGED, 4, 4)],
    ),
    "a detail": (
        lambda lines: [*lines[:4], edited(lines[4], detail={}), *lines[5:]],
        [(CHANGED, 4, 4)],
    ),
    "an event left out": (lambda lines: [*lines[:4], *lines[5:]], [(MISSING, 4, 4)]),
    "the end left out": (lambda lines: [*lines[:7], lines[-1]], [(CUT, 7, 8)]),
    "all left out": (lambda lines: [lines[0], lines[-1]], [(CUT, 1, 8)]),
    "two exchanged": (
        lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
        [(MISPLACED, 4, 4)],
    ),
    "one repeated": (lambda lines: [*lines[:5], *lines[4:]], [(INSERTED, 4, 4)]),
    "one renumbered and added": (
        lambda lines: [*lines[:-1], edited(lines[8], seq=9), lines[-1]],
        [(INSERTED, 9, 9)],
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_was_done_to_an_export_is_found(world: World, forgery: str) -> None:
    chain = fill(world)
    forge, expected = FORGERIES[forgery]
    _, faults = verified(world, forge(exported(world, chain)))
    assert [(fault.kind, fault.first, fault.last) for fault in faults] == expected


def fill(world: World) -> str:
    with world.held.database.transaction() as db:
        for number in range(LENGTH):
            audit.record(db, "tenant.chosen", START, tenant="a" * 32, number=number)
    return "a" * 32


def header(**changed: Any) -> Callable[[Lines], Lines]:
    return lambda lines: [canonical_json({**json.loads(lines[0]), **changed}) + b"\n", *lines[1:]]


UNREADABLE: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "nothing": (lambda _: [], "line 1"),
    "a header alone": (lambda lines: lines[:1], "line 1"),
    "no statement": (lambda lines: lines[:-1], "line 9"),
    "text": (lambda _: [b"once upon a time\n", b"\n"], "line 1"),
    "another first": (header(first=2), "header"),
    "another beginning": (header(previous="f" * 64), "header"),
    "another tenant": (header(tenant="harbor"), "header"),
    "another issuer": (header(issuer="https://evil.example"), "header"),
    "another chain": (header(chain="b" * 32), "header"),
    "an event of another chain": (
        lambda lines: [*lines[:4], edited(lines[4], chain="b" * 32), *lines[5:]],
        "line 5 is no event of this chain",
    ),
    "a member too many": (
        lambda lines: [*lines[:4], edited(lines[4], verdict="fine"), *lines[5:]],
        "line 5 is no event",
    ),
    "a number that is none": (
        lambda lines: [*lines[:4], edited(lines[4], seq="4"), *lines[5:]],
        "line 5 is not in the form",
    ),
    "a member said twice": (
        lambda lines: [
            *lines[:4],
            lines[4].replace(b'"actor_id":', b'"actor_id":"ben","actor_id":'),
            *lines[5:],
        ],
        "line 5 is not in the form",
    ),
    "white space": (
        lambda lines: [*lines[:4], lines[4].replace(b":", b": ", 1), *lines[5:]],
        "line 5 is not in the form",
    ),
    "a line between": (lambda lines: [*lines[:4], b"\n", *lines[4:]], "line 5"),
    "a statement that was not signed": (
        lambda lines: [
            *lines[:-1],
            lines[-1].replace(lines[-1][-10:-6], b"AAAA"),
        ],
        "statement",
    ),
    "no JWS": (lambda lines: [*lines[:-1], b'{"statement":"no"}\n'], "statement"),
    "a number for a JWS": (lambda lines: [*lines[:-1], b'{"statement":7}\n'], "statement"),
}


@pytest.mark.parametrize("forgery", UNREADABLE)
def test_what_is_no_export_of_ours_is_refused(world: World, forgery: str) -> None:
    chain = fill(world)
    forge, why = UNREADABLE[forgery]
    with pytest.raises(BadEvidence, match=why):
        verified(world, forge(exported(world, chain)))


def test_a_statement_of_another_export_is_refused(world: World) -> None:
    chain = fill(world)
    part, whole = exported(world, chain, last=4), exported(world, chain)
    with pytest.raises(BadEvidence, match="header"):
        verified(world, [*exported(world, chain, 2)[:-1], whole[-1]])
    _, faults = verified(world, [*whole[:-1], part[-1]])
    assert [fault.kind for fault in faults] == [INSERTED] * 4


def test_an_id_token_is_no_statement(world: World) -> None:
    """Signed by the same keys."""
    lines = exported(world, fill(world))
    id_token = world.browser().tokens()["id_token"]
    with pytest.raises(BadEvidence, match="no such statement"):
        verified(world, [*lines[:-1], canonical_json({"statement": id_token}) + b"\n"])


def test_a_statement_is_no_token(world: World) -> None:
    statement = json.loads(exported(world, fill(world))[-1])["statement"]
    assert world.userinfo(statement).status_code == 401
    assert world.introspect(statement) == {"active": False}


def test_keys_of_somebody_else_verify_nothing(world: World) -> None:
    lines = exported(world, fill(world))
    kid = next(key["kid"] for key in jwks(world)["keys"] if key["alg"] == "ES256")
    stranger = ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"})
    with pytest.raises(BadEvidence, match="statement"):
        verified(world, lines, {"keys": [stranger.as_dict(private=False)]})
    with pytest.raises(BadEvidence, match="not among these"):
        verified(world, lines, {"keys": [key for key in jwks(world)["keys"] if key["kid"] != kid]})
    for no_keys in NO_KEYS:
        with pytest.raises(BadEvidence, match="keys can't be read"):
            verified(world, lines, no_keys)


def test_an_older_export_is_verified_with_the_keys_that_were_kept_with_it(world: World) -> None:
    lines, kept = exported(world, fill(world)), jwks(world)
    kid = next(key["kid"] for key in kept["keys"] if key["alg"] == "ES256")
    with world.held.database.transaction() as db:
        assert signing_keys.revoke(db, world.held.secret_keys, kid, START)
    world.clock.move(10)
    with pytest.raises(BadEvidence, match="not among these"):
        verified(world, lines)
    assert verified(world, lines, kept).faults == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE audit_events SET actor_id = 'ben' WHERE chain = :c AND seq = 6",
        "DELETE FROM audit_events WHERE chain = :c AND seq = 6",
        "DELETE FROM audit_events WHERE chain = :c AND seq = 8",
        "UPDATE audit_chains SET mac = '' WHERE chain = :c",
        "UPDATE audit_chains SET seq = 7 WHERE chain = :c",
    ],
)
def test_of_a_damaged_chain_nothing_is_signed(
    either_world: World, northwind: str, damage: str
) -> None:
    """Also not a part of it that seems sound: only the end vouches for it."""
    drop_triggers(either_world.held.database)
    either_world.run(damage, c=northwind)
    lines: Lines = []
    for last in (None, 3):
        with pytest.raises(Broken):
            lines.extend(export_of(either_world, northwind, last))
    assert not any(b"statement" in line for line in lines)


def export_of(world: World, chain: str, last: int | None) -> Iterator[bytes]:
    ring = world.held.key_ring.current(START)
    return evidence.export(world.held.database, ring, ISSUER, chain, "northwind", START, last=last)


def command(world: World, *arguments: str) -> tuple[int, str]:
    """Its exit code and what it said."""
    settings = {
        "LATCHKEY_ISSUER": ISSUER,
        "LATCHKEY_DATABASE_URL": world.settings.database_url,
        "LATCHKEY_KEYS_DIR": str(world.settings.keys_dir),
    }
    return run([*COMMAND, *arguments], world.folder, {**os.environ, **settings})


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


def test_a_canonical_form_that_is_not_known_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "FORM", 2)
    lines = exported(world, PLATFORM)
    monkeypatch.undo()
    with pytest.raises(BadEvidence, match="header"):
        verified(world, lines)


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
