"""S20, S22: a spent refresh token is recognised for ever, but for one narrow grace."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from idp.grants.refresh_token import MAX_GRACE_USES
from idp.provider import provider
from tests.security.protocol import (
    KEEPING,
    ROTATING,
    SPA,
    Party,
    is_active,
    is_refused,
    of_people,
    refresh,
    refreshed,
    register,
    revoke,
    tokens_for,
)
from tests.world import World, claims_of

OTHER_SPA = of_people("other-spa", "none")


def chain(world: World, party: Party, length: int = 3) -> list[dict[str, Any]]:
    """So many generations, all in one second."""
    generations = [tokens_for(world, party)]
    while len(generations) < length:
        generations.append(refreshed(world, party, generations[-1]["refresh_token"]))
    assert len({tokens["refresh_token"] for tokens in generations}) == length
    return generations


def is_dead(world: World, party: Party, generations: list[dict[str, Any]]) -> bool:
    for tokens in generations:
        assert not is_active(world, tokens["access_token"])
        assert is_refused(refresh(world, party, tokens["refresh_token"]), "invalid_grant")
    return True


@pytest.mark.parametrize("party", [SPA, ROTATING], ids=["public", "confidential"])
def test_sec_20_the_replay_of_an_ancestor_ends_the_family(either_world: World, party: Party):
    world = either_world
    register(world, party)
    generations = chain(world, party)
    replayed = refresh(world, party, generations[0]["refresh_token"])
    assert is_refused(replayed, "invalid_grant")
    assert is_dead(world, party, generations)
    assert [e["client"] for e in world.audit("refresh_token.replayed")] == [party.client_id]


def test_sec_20_the_replay_is_seen_after_a_restart_and_an_empty_redis(either_world: World):
    world = either_world
    register(world, SPA)
    generations = chain(world, SPA)
    if world.settings.redis_url:
        redis.Redis.from_url(world.settings.redis_url).flushall()
    restarted = World(provider(world.settings, world.clock), world.clock, world.folder)
    replayed = refresh(restarted, SPA, generations[0]["refresh_token"])
    assert is_refused(replayed, "invalid_grant")
    assert is_dead(restarted, SPA, generations)
    assert is_dead(world, SPA, generations)
    restarted.held.database.close()


def test_sec_20_the_replay_is_seen_weeks_later(world: World):
    register(world, SPA)
    generations = chain(world, SPA)
    world.clock.move(13 * 86400)
    newest = refreshed(world, SPA, generations[-1]["refresh_token"])
    world.clock.move(13 * 86400)
    assert is_refused(refresh(world, SPA, generations[0]["refresh_token"]), "invalid_grant")
    assert is_refused(refresh(world, SPA, newest["refresh_token"]), "invalid_grant")


def test_sec_20_one_family_ends_and_no_other(world: World):
    register(world, SPA)
    generations, another = chain(world, SPA), chain(world, SPA)
    refresh(world, SPA, generations[0]["refresh_token"])
    assert is_active(world, another[-1]["access_token"])
    assert refresh(world, SPA, another[-1]["refresh_token"]).status_code == 200


def test_sec_20_the_database_alone_makes_no_refresh_token(world: World):
    """What is stored is a hash, and a generation can't be counted up by whoever holds one."""
    register(world, SPA)
    tokens = chain(world, SPA)
    kept = str(world.run("SELECT * FROM grants"))
    for token in tokens:
        assert token["refresh_token"] not in kept
        assert token["refresh_token"][:43] not in kept
    first, last = tokens[0]["refresh_token"], tokens[-1]["refresh_token"]
    mixed = last[:49] + first[49:]
    assert is_refused(refresh(world, SPA, mixed), "invalid_grant")
    assert is_active(world, tokens[-1]["access_token"])


def test_sec_22_a_lost_answer_may_be_asked_for_again_within_ten_seconds(either_world: World):
    world = either_world
    register(world, SPA)
    first = tokens_for(world, SPA)["refresh_token"]
    second = refreshed(world, SPA, first)["refresh_token"]
    world.clock.move(9)
    again = refreshed(world, SPA, first)
    assert again["refresh_token"] == second
    assert refresh(world, SPA, second).status_code == 200


def test_sec_22_after_ten_seconds_it_is_a_replay(world: World):
    register(world, SPA)
    for seconds in (10, 11, 3600):
        generations = chain(world, SPA, 2)
        world.clock.move(seconds)
        replayed = refresh(world, SPA, generations[0]["refresh_token"])
        assert is_refused(replayed, "invalid_grant"), seconds
        assert is_dead(world, SPA, generations), seconds


def test_sec_22_using_the_grace_does_not_lengthen_it(world: World):
    register(world, SPA)
    generations = chain(world, SPA, 2)
    world.clock.move(9)
    refreshed(world, SPA, generations[0]["refresh_token"])
    world.clock.move(2)
    assert is_refused(refresh(world, SPA, generations[0]["refresh_token"]), "invalid_grant")
    assert is_dead(world, SPA, generations)


def test_sec_22_an_older_ancestor_has_no_grace(world: World):
    register(world, SPA)
    generations = chain(world, SPA, 3)
    assert is_refused(refresh(world, SPA, generations[0]["refresh_token"]), "invalid_grant")
    assert is_dead(world, SPA, generations)


def test_sec_22_the_grace_is_counted(world: World):
    register(world, SPA)
    generations = chain(world, SPA, 2)
    for _ in range(MAX_GRACE_USES):
        refreshed(world, SPA, generations[0]["refresh_token"])
    assert is_refused(refresh(world, SPA, generations[0]["refresh_token"]), "invalid_grant")
    assert is_dead(world, SPA, generations)


def test_sec_22_after_a_revocation_there_is_none(world: World):
    register(world, SPA)
    generations = chain(world, SPA, 2)
    assert revoke(world, SPA, generations[1]["refresh_token"]).status_code == 200
    assert is_dead(world, SPA, generations)


def test_sec_22_another_client_has_none_and_ends_nothing(world: World):
    register(world, SPA, OTHER_SPA, KEEPING)
    generations = chain(world, SPA, 2)
    for stranger in (OTHER_SPA, KEEPING):
        for tokens in generations:
            refused = refresh(world, stranger, tokens["refresh_token"])
            assert is_refused(refused, "invalid_grant")
    assert refresh(world, SPA, generations[0]["refresh_token"]).status_code == 200


def test_sec_22_a_confidential_client_needs_none(world: World):
    register(world, ROTATING)
    generations = chain(world, ROTATING, 2)
    assert is_refused(refresh(world, ROTATING, generations[0]["refresh_token"]), "invalid_grant")
    assert is_dead(world, ROTATING, generations)


def test_sec_22_without_rotation_the_token_stays_the_same(world: World):
    register(world, KEEPING)
    token = tokens_for(world, KEEPING)["refresh_token"]
    given = [refreshed(world, KEEPING, token) for _ in range(3)]
    assert {tokens["refresh_token"] for tokens in given} == {token}
    assert len({claims_of(tokens["access_token"])["jti"] for tokens in given}) == 3
