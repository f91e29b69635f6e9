"""S80: access to another company goes stale at once with whatever it rests on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.console.access_story import Story
from tests.flows.test_cross_tenant import assert_nothing_is_open, tokens
from tests.world import BEN, World

ID_OF_BEN = f"(SELECT id FROM users WHERE email = '{BEN}')"
AT_HOME = f"user_id = {ID_OF_BEN} AND source = 'home'"


@pytest.fixture
def story(either_world: World) -> Story:
    return Story(either_world).opened()


ENDINGS: dict[str, Callable[[Story], Any]] = {
    "the company that asked": Story.end,
    "the company that is entered": Story.end_there,
    "an operator": Story.end_as_operator,
    "the asking company is suspended": lambda s: s.world.run(
        "UPDATE tenants SET status = 'suspended' WHERE slug = 'northwind'"
    ),
    "the receiving company is suspended": lambda s: s.world.run(
        "UPDATE tenants SET status = 'suspended' WHERE slug = 'harbor'"
    ),
    "he is disabled at home": lambda s: s.world.run(
        f"UPDATE memberships SET status = 'disabled' WHERE {AT_HOME}"
    ),
    "his time at home is over": lambda s: s.world.run(
        f"UPDATE memberships SET ends_at = :t WHERE {AT_HOME}", t=s.world.clock.now
    ),
    "he is disabled": lambda s: s.world.run(
        f"UPDATE users SET status = 'disabled' WHERE id = {ID_OF_BEN}"
    ),
    "the membership is disabled": lambda s: s.world.run(
        f"UPDATE memberships SET status = 'disabled' WHERE user_id = {ID_OF_BEN}"
        " AND source = 'cross_tenant'"
    ),
    "the request is another person's": lambda s: s.world.run(
        "UPDATE memberships SET access_request_id = 'another' WHERE source = 'cross_tenant'"
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_sec_80_what_an_access_rests_on_ends_it_at_once(story: Story, ending: str) -> None:
    """Refresh, introspection and userinfo, with no clock having moved and no worker at work."""
    answer = tokens(story.world)
    assert story.world.introspect(answer["access_token"])["active"] is True
    ENDINGS[ending](story)
    assert_nothing_is_open(story.world, answer)
