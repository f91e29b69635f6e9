"""S21: refreshing and revoking at once come out as if one had waited for the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from idp.grants import grant, refresh_token
from tests.security.protocol import (
    KEEPING,
    ROTATING,
    SPA,
    Party,
    is_active,
    is_refused,
    refresh,
    register,
    revoke,
    statuses,
    together,
    tokens_for,
)
from tests.world import World

AT_ONCE = 16


def test_sec_21_many_refreshes_of_one_token_are_one_rotation_and_a_replay(either_world: World):
    """A confidential client that rotates has no grace: one wins, and the family ends."""
    world = either_world
    register(world, ROTATING)
    token = tokens_for(world, ROTATING)["refresh_token"]
    answers = together(AT_ONCE, lambda _: refresh(world, ROTATING, token))
    assert statuses(answers) == [200] + [400] * (AT_ONCE - 1)
    (won,) = [answer.json for answer in answers if answer.status_code == 200]
    assert won
    assert is_refused(refresh(world, ROTATING, won["refresh_token"]), "invalid_grant")
    assert not is_active(world, won["access_token"])


def test_sec_21_within_the_grace_all_get_the_one_successor(either_world: World):
    world = either_world
    register(world, SPA)
    token = tokens_for(world, SPA)["refresh_token"]
    answers = together(8, lambda _: refresh(world, SPA, token))
    assert statuses(answers) == [200] * 8
    assert len({(answer.json or {})["refresh_token"] for answer in answers}) == 1
    assert world.run("SELECT generation, grace_uses FROM grants") == [(2, 7)]


def test_sec_21_more_than_the_grace_bears_end_the_family(either_world: World):
    world = either_world
    register(world, SPA)
    token = tokens_for(world, SPA)["refresh_token"]
    answers = together(20, lambda _: refresh(world, SPA, token))
    assert set(statuses(answers)) == {200, 400}
    assert statuses(answers).count(200) <= 1 + refresh_token.MAX_GRACE_USES
    for answer in answers:
        if answer.status_code == 200:
            assert not is_active(world, (answer.json or {})["access_token"])
    assert is_refused(refresh(world, SPA, token), "invalid_grant")


def test_sec_21_after_a_revocation_nothing_of_the_family_is_alive(either_world: World):
    """Whatever was minted in the race, before or beside the revocation."""
    world = either_world
    register(world, SPA)
    for _ in range(4):
        tokens = tokens_for(world, SPA)

        def refresh_or_revoke(number: int, token: str = tokens["refresh_token"]) -> Any:
            return (revoke if number == 3 else refresh)(world, SPA, token)

        answers = together(7, refresh_or_revoke)
        assert set(statuses(answers)) <= {200, 400}
        assert answers[3].status_code == 200
        minted = [(answer.json or {}).get("access_token") for answer in answers if answer.data]
        for access_token in filter(None, [*minted, tokens["access_token"]]):
            assert not is_active(world, access_token)


def in_between(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], Any]
) -> None:
    """Let something happen just before a refresh reaches that step."""
    step = getattr(module, name)

    def after_something_happened(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(module, name, step)
        act()
        return step(*given, **named)

    monkeypatch.setattr(module, name, after_something_happened)


@pytest.mark.parametrize("party", [SPA, ROTATING, KEEPING], ids=lambda party: party.client_id)
@pytest.mark.parametrize(
    ("module", "name"),
    [(grant, "check_alive"), (refresh_token, "_rotate"), (refresh_token, "_keep")],
)
def test_sec_21_a_revocation_between_reading_and_writing_wins(
    world: World, monkeypatch: pytest.MonkeyPatch, party: Party, module: Any, name: str
):
    register(world, party)
    tokens = tokens_for(world, party)
    token = tokens["refresh_token"]
    in_between(monkeypatch, module, name, lambda: revoke(world, party, token))
    answer = refresh(world, party, token)
    never_reached = name == ("_keep" if party is not KEEPING else "_rotate")
    assert answer.status_code == (200 if never_reached else 400)
    monkeypatch.undo()
    revoke(world, party, token)
    assert not is_active(world, tokens["access_token"])
    assert is_refused(refresh(world, party, token), "invalid_grant")


def test_sec_21_a_refresh_between_reading_and_writing_is_not_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    register(world, ROTATING)
    token = tokens_for(world, ROTATING)["refresh_token"]
    won = []
    in_between(
        monkeypatch,
        refresh_token,
        "_rotate",
        lambda: won.append(refresh(world, ROTATING, token).status_code),
    )
    assert is_refused(refresh(world, ROTATING, token), "invalid_grant")
    assert won == [200]
    assert world.run("SELECT generation FROM grants") == [(2,)]
