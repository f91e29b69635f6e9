"""An export of the audit log that an outsider verifies with nothing but the provider's keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from joserfc.jwk import ECKey

from idp import audit, evidence
from idp.audit_chain import PLATFORM
from idp.audit_walk import INSERTED
from idp.canonical_json import canonical_json
from idp.evidence import BadEvidence, Broken, NoEvents
from idp.tokens import signing_keys
from tests.rules.exporting import (
    FORGERIES,
    LENGTH,
    Lines,
    edited,
    exported,
    jwks,
    northwind,
    verified,
)
from tests.storage.test_audit_chain import drop_triggers
from tests.world import ISSUER, START, World

__all__ = ["northwind"]

NO_KEYS: list[dict[str, Any]] = [{"keys": [{}]}, {"keys": "no"}, {"key": []}]


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


def test_a_canonical_form_that_is_not_known_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "FORM", 2)
    lines = exported(world, PLATFORM)
    monkeypatch.undo()
    with pytest.raises(BadEvidence, match="header"):
        verified(world, lines)
