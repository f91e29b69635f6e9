"""S71, R12: what is at a client's `jwks_uri` is asked for with every guard, seldom, and by one of
all processes; where nothing sound is there, the client is nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from idp import outgoing
from idp.oidc import jwks_uri
from idp.oidc.jwks_uri import AGAIN_AFTER, FRESH_FOR, KEPT_FOR
from idp.secret_values import encode
from tests.security.browsing import at_once, reopened
from tests.security.client_host import HANGS, MOVED, NOT_THERE, SOUND, Host
from tests.security.protocol import is_refused, register, statuses
from tests.security.publishing import (
    FIRST,
    SECOND,
    ask_by,
    key_set,
    machine,
    new_key,
    published,
)
from tests.world import World

PRIVATE = FIRST.as_dict(private=True)
WEAK = {"kty": "RSA", "kid": "first", "n": encode(b"\xc1" * 128), "e": "AQAB"}
UNUSABLE: dict[str, bytes] = {
    "/no-json": b"{",
    "/list": json.dumps([FIRST.as_dict(private=False)]).encode(),
    "/no-keys": b"{}",
    "/none": key_set(),
    "/number": b'{"keys": 5}',
    "/too-many": key_set(*[FIRST] * 51),
    "/large": key_set(FIRST) + b" " * 65536,
    "/private": key_set(PRIVATE),
    "/secret": key_set(OctKey.generate_key(256, {"kid": "first"}).as_dict()),
    "/weak": key_set(WEAK),
    "/another-curve": key_set(ECKey.generate_key("P-384", {"kid": "first"})),
    "/text": b'{"keys": ["first"]}',
    "/to-encrypt": key_set({**FIRST.as_dict(private=False), "use": "enc"}),
}
NOWHERE = (MOVED, NOT_THERE, HANGS)


@pytest.fixture
def host() -> Iterator[Host]:
    with Host.running() as running:
        running.bodies = {SOUND: key_set(FIRST), **UNUSABLE}
        yield running


@pytest.fixture
def other_process(either_world: World) -> Iterator[World]:
    """The same provider once more: what it holds in memory is its own."""
    opened = reopened(either_world, either_world.settings)
    yield opened
    opened.held.database.close()


def test_a_client_proves_itself_by_what_is_at_its_address(either_world: World, host: Host) -> None:
    party = published(either_world, host, {"kty": "of tomorrow"}, PRIVATE, SECOND)
    assert ask_by(either_world, party, SECOND).status_code == 200
    assert ask_by(either_world, party, SECOND).status_code == 200
    assert host.asked == [SOUND]
    assert is_refused(ask_by(either_world, party, FIRST), "invalid_client", 401)


def test_sec_71_what_is_there_is_small_and_soon_there_and_leads_nowhere_else(
    world: World, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "PATIENCE", 0.2)
    waits: list[float] = []
    monkeypatch.setattr(jwks_uri, "sleep", waits.append)
    paths = [*UNUSABLE, *NOWHERE]
    parties = [machine(host, f"at-{path[1:]}", path) for path in paths]
    register(world, *parties)
    for path, party in zip(paths, parties, strict=True):
        host.asked.clear()
        assert is_refused(ask_by(world, party, FIRST), "invalid_client", 401), path
        assert is_refused(ask_by(world, party, FIRST), "invalid_client", 401), path
        assert host.asked == [path]
    assert waits == []  # nobody waits for what has failed already


def test_sec_71_what_stands_in_a_key_beside_it_is_not_kept(either_world: World, host: Host) -> None:
    """Nested more deeply than we could write it down, nobody who waits would hear of it."""
    nested: Any = []
    for _ in range(300):
        nested = [nested]
    party = published(either_world, host, {**FIRST.as_dict(private=False), "ext": nested})
    assert ask_by(either_world, party, FIRST).status_code == 200
    assert ask_by(either_world, party, FIRST).status_code == 200
    assert host.asked == [SOUND]


def test_sec_71_nobody_inside_is_asked(world: World, host: Host) -> None:
    party = published(world, host, FIRST)
    guarded = reopened(world, replace(world.settings, outgoing_networks=""))
    assert is_refused(ask_by(guarded, party, FIRST), "invalid_client", 401)
    assert host.asked == []
    guarded.held.database.close()


def test_a_new_key_is_known_at_once_and_an_old_one_goes(either_world: World, host: Host) -> None:
    world, party = either_world, published(either_world, host, FIRST)
    assert ask_by(world, party, FIRST).status_code == 200
    world.clock.move(AGAIN_AFTER)
    host.bodies[SOUND] = key_set(SECOND)
    assert ask_by(world, party, FIRST).status_code == 200
    assert ask_by(world, party, SECOND).status_code == 200
    assert is_refused(ask_by(world, party, FIRST), "invalid_client", 401)
    assert len(host.asked) == 2
    host.bodies[SOUND] = key_set(new_key("third"))
    world.clock.move(FRESH_FOR - 1)
    assert ask_by(world, party, SECOND).status_code == 200
    world.clock.move(1)
    assert is_refused(ask_by(world, party, SECOND), "invalid_client", 401)


def test_a_new_key_may_have_the_name_of_the_old_one(world: World, host: Host) -> None:
    party = published(world, host, FIRST)
    assert ask_by(world, party, FIRST).status_code == 200
    renewed = new_key("first")
    host.bodies[SOUND] = key_set(renewed)
    world.clock.move(AGAIN_AFTER)
    assert ask_by(world, party, renewed).status_code == 200


def test_sec_71_unknown_keys_make_us_ask_seldom(
    either_world: World, other_process: World, host: Host
) -> None:
    """Whatever is sent, to whichever process, by however many at once."""
    party = published(either_world, host, FIRST)
    worlds = (either_world, other_process)
    for turn in range(3):
        forged = [lambda at=at: ask_by(at, party, SECOND) for at in worlds for _ in range(5)]
        assert set(statuses(at_once(forged))) <= {401, 503}
        assert len(host.asked) == turn + 1
        assert ask_by(either_world, party, FIRST).status_code == 200
        either_world.clock.move(AGAIN_AFTER)


def test_sec_71_all_processes_ask_once(
    either_world: World, other_process: World, host: Host
) -> None:
    """Whoever comes at the same time hears of what one of them has fetched."""
    party = published(either_world, host, FIRST)
    worlds = (either_world, other_process)
    asking = [lambda at=at: ask_by(at, party, FIRST) for at in worlds for _ in range(3)]
    assert statuses(at_once(asking)) == [200] * 6
    either_world.clock.move(AGAIN_AFTER)
    restarted = reopened(either_world, either_world.settings)
    assert ask_by(restarted, party, FIRST).status_code == 200
    restarted.held.database.close()
    assert host.asked == [SOUND]
    either_world.clock.move(FRESH_FOR)
    assert statuses(at_once(asking)) == [200] * 6
    assert host.asked == [SOUND, SOUND]


def test_sec_71_while_nothing_comes_the_last_keys_are_good_for_an_hour(
    either_world: World, host: Host
) -> None:
    world, party = either_world, published(either_world, host, FIRST)
    assert ask_by(world, party, FIRST).status_code == 200
    host.bodies[SOUND] = b"<html>"
    world.clock.move(KEPT_FOR - 1)
    assert ask_by(world, party, FIRST).status_code == 200
    restarted = reopened(world, world.settings)
    assert ask_by(restarted, party, FIRST).status_code == 200
    assert len(host.asked) == 2
    world.clock.move(1)
    for at in (world, restarted):
        assert is_refused(ask_by(at, party, FIRST), "invalid_client", 401)
    restarted.held.database.close()
    host.bodies[SOUND] = key_set(FIRST)
    world.clock.move(AGAIN_AFTER)
    assert ask_by(world, party, FIRST).status_code == 200


def test_sec_71_nobody_but_us_says_what_is_there(
    world: World, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write where processes keep it together can take it away, and no more."""
    monkeypatch.setattr(outgoing, "PATIENCE", 0.2)
    party = published(world, host, FIRST)
    assert ask_by(world, party, FIRST).status_code == 200
    told = json.dumps([json.loads(key_set(SECOND)), world.clock(), world.clock(), ""])
    world.run("UPDATE ephemeral_values SET value = :told WHERE value != ''", told=told)
    restarted = reopened(world, world.settings)
    assert is_refused(ask_by(restarted, party, SECOND), "invalid_client", 401)
    world.clock.move(AGAIN_AFTER)
    assert ask_by(restarted, party, FIRST).status_code == 200
    restarted.held.database.close()


def test_fault_12_those_who_wait_for_clients_keys_are_few(world: World, host: Host) -> None:
    """A client's slow server holds its product's share, stops no client whose keys are known, and
    costs nobody the next try."""
    slow, quick = machine(host, "slow", "/slow"), published(world, host, FIRST)
    register(world, slow)
    assert ask_by(world, quick, FIRST).status_code == 200
    whom, turns = "clients of lms", world.held.turns
    with turns.wait_for(whom), turns.wait_for(whom):
        assert is_refused(ask_by(world, slow, FIRST), "temporarily_unavailable", 503)
        assert ask_by(world, quick, FIRST).status_code == 200
        world.clock.move(FRESH_FOR)
        assert ask_by(world, quick, FIRST).status_code == 200
        with turns.wait_for("somebody else"):
            pass
    assert ask_by(world, slow, FIRST).status_code == 200
    assert host.asked == [SOUND, "/slow"]


def test_another_address_is_asked_at_once(world: World, host: Host) -> None:
    party: Any = published(world, host, FIRST)
    assert ask_by(world, party, FIRST).status_code == 200
    host.bodies["/moved-here"] = key_set(SECOND)
    register(world, machine(host, path="/moved-here"))
    assert ask_by(world, party, SECOND).status_code == 200
    assert is_refused(ask_by(world, party, FIRST), "invalid_client", 401)
    given = {**party.described(), "jwks": json.loads(key_set(FIRST))}
    del given["jwks_uri"]
    world.apply(clients=[given])
    world.clock.move(2)
    assert ask_by(world, party, FIRST).status_code == 200
    assert is_refused(ask_by(world, party, SECOND), "invalid_client", 401)
