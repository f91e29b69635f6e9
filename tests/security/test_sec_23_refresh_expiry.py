"""S23: a refresh token dies of disuse, and of age."""

from __future__ import annotations

import pytest

from tests.security.protocol import (
    KEEPING,
    SPA,
    Party,
    is_refused,
    refresh,
    refreshed,
    register,
    tokens_for,
)
from tests.world import World

DAY = 86400
BOTH = pytest.mark.parametrize("party", [SPA, KEEPING], ids=["rotating", "kept"])


@BOTH
def test_sec_23_a_fortnight_unused_is_the_end(world: World, party: Party):
    register(world, party)
    token = tokens_for(world, party)["refresh_token"]
    world.clock.move(14 * DAY - 1)
    token = refreshed(world, party, token)["refresh_token"]
    world.clock.move(14 * DAY)
    assert is_refused(refresh(world, party, token), "invalid_grant")


@BOTH
def test_sec_23_ninety_days_are_the_end_however_busy(world: World, party: Party):
    register(world, party)
    token = tokens_for(world, party)["refresh_token"]
    for _ in range(8):
        world.clock.move(11 * DAY)
        token = refreshed(world, party, token)["refresh_token"]
    world.clock.move(2 * DAY - 3)
    token = refreshed(world, party, token)["refresh_token"]
    world.clock.move(5)
    assert is_refused(refresh(world, party, token), "invalid_grant")


@BOTH
def test_sec_23_without_offline_access_it_ends_with_the_session(world: World, party: Party):
    register(world, party)
    token = tokens_for(world, party, scope="openid")["refresh_token"]
    world.clock.move(DAY - 10)
    token = refreshed(world, party, token)["refresh_token"]
    world.clock.move(10)
    assert is_refused(refresh(world, party, token), "invalid_grant")


def test_sec_23_a_replay_does_not_keep_it_alive(world: World):
    """The grace answers again; it does not count as use."""
    register(world, SPA)
    first = tokens_for(world, SPA)["refresh_token"]
    second = refreshed(world, SPA, first)["refresh_token"]
    before = world.run("SELECT idle_expires_at FROM grants")
    world.clock.move(5)
    refreshed(world, SPA, first)
    assert world.run("SELECT idle_expires_at FROM grants") == before
    world.clock.move(14 * DAY - 5)
    assert is_refused(refresh(world, SPA, second), "invalid_grant")
