"""S80: access to another company goes stale at once with whatever it rests on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from idp.directory.acting import Administration
from idp.grants import membership
from idp.operators import ending, tenants
from tests.console.access_story import Story, work
from tests.console.administering import administering
from tests.console.operations import operation
from tests.console.people_of import member_id
from tests.flows.test_cross_tenant import assert_nothing_is_open, tokens, told_products
from tests.world import BEN, HANA, World, claims_of, sent_back

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


def suspend(world: World, slug: str) -> None:
    with operation(world) as operated:
        tenants.suspend(operated, tenants.get_tenant(operated, slug))


def end(world: World, slug: str) -> None:
    with operation(world) as operated:
        ending.end(operated, tenants.get_tenant(operated, slug), slug)


def disable_at_home(world: World) -> None:
    turn_at_home(world, membership.disable)


def turn_at_home(world: World, turn: Callable[[Administration, str], None]) -> None:
    with administering(world) as admin:
        turn(admin, member_id(world, BEN))


def apply_to_tenant(world: World, **changed: str) -> None:
    world.apply(tenants=[{"slug": "northwind", "name": "Northwind Lending", **changed}])


def apply_to_membership(world: World, **changed: str) -> None:
    member = {"tenant": "northwind", **changed}
    world.apply(users=[{"email": BEN, "name": "Ben Castillo", "memberships": [member]}])


FALLS: dict[str, Callable[[World], None]] = {
    "the asking company is suspended": lambda world: suspend(world, "northwind"),
    "the asking company is suspended by a file": lambda world: apply_to_tenant(
        world, status="suspended"
    ),
    "the asking company ends": lambda world: end(world, "northwind"),
    "the receiving company is suspended": lambda world: suspend(world, "harbor"),
    "the receiving company ends": lambda world: end(world, "harbor"),
    "he is disabled at home": disable_at_home,
    "he is disabled at home by a file": lambda world: apply_to_membership(world, status="disabled"),
}


@pytest.mark.parametrize("fall", FALLS)
def test_sec_80_a_product_that_he_has_open_there_hears_of_it(story: Story, fall: str) -> None:
    """Whatever the access rested on, and once."""
    story.world.browser().tokens(BEN, tenant="harbor")
    FALLS[fall](story.world)
    work(story.world)
    assert told_products(story.world) == ["lms"]


@pytest.mark.parametrize("fall", FALLS)
def test_sec_80_a_product_in_which_he_has_moved_on_hears_of_what_it_shows(
    story: Story, fall: str
) -> None:
    """At home last, it is told where home has fallen too, and left alone otherwise."""
    browser = story.world.browser()
    browser.tokens(BEN, tenant="harbor")
    story.world.clock.move(1)
    browser.tokens(BEN, tenant="northwind")
    FALLS[fall](story.world)
    work(story.world)
    has_home_fallen = "receiving" not in fall
    assert told_products(story.world) == (["lms"] if has_home_fallen else [])


COMEBACKS: dict[str, tuple[Callable[[World], None], Callable[[World], None]]] = {
    "in the console": (disable_at_home, lambda world: turn_at_home(world, membership.enable)),
    "by a file": (
        lambda world: apply_to_membership(world, status="disabled"),
        lambda world: apply_to_membership(world, status="active"),
    ),
}


@pytest.mark.parametrize("is_worker_late", [False, True])
@pytest.mark.parametrize("way", COMEBACKS)
def test_sec_80_what_he_held_there_does_not_wake_up_when_he_is_enabled_at_home(
    story: Story, way: str, is_worker_late: bool
) -> None:
    """Offline access outlives its session, and so would a stolen one; he may sign in anew."""
    world, scope = story.world, "openid offline_access"
    companies = ("harbor", "northwind")
    held = [world.browser().tokens(BEN, tenant=each, scope=scope) for each in companies]
    disable, enable = COMEBACKS[way]
    disable(world)
    if not is_worker_late:
        work(world)
    enable(world)
    work(world)
    for given in held:
        assert world.introspect(given["access_token"]) == {"active": False}
        assert world.refresh(given["refresh_token"]).status_code == 400
    assert world.introspect(tokens(world)["access_token"])["active"] is True


@pytest.mark.parametrize("way", COMEBACKS)
@pytest.mark.parametrize("company", ["harbor", "northwind"])
def test_sec_80_no_browser_comes_back_without_a_proof_when_he_is_enabled_at_home(
    story: Story, way: str, company: str
) -> None:
    browser = story.world.browser()
    browser.tokens(BEN, tenant="northwind")
    browser.tokens(BEN, tenant="harbor")
    for turn in COMEBACKS[way]:
        turn(story.world)
    silent = sent_back(browser.authorize(tenant=company, prompt="none"))
    assert silent["error"] == "login_required"
    assert browser.tokens(BEN, tenant=company)


def test_sec_80_what_another_holds_there_is_left_alone(story: Story) -> None:
    given = story.world.browser().tokens(HANA, scope="openid offline_access")
    disable_at_home(story.world)
    assert story.world.refresh(given["refresh_token"]).status_code == 200


def test_sec_80_who_comes_from_elsewhere_hears_nothing_of_it(story: Story) -> None:
    """Hana is at home in the company that is entered."""
    story.world.browser().tokens(HANA)
    suspend(story.world, "northwind")
    work(story.world)
    assert told_products(story.world) == []


@pytest.mark.parametrize("later", [0.0, 200.0, 299.5])
def test_sec_80_no_access_token_outlives_the_date_of_an_access(
    either_world: World, later: float
) -> None:
    """For a product that looks at the token alone."""
    world = either_world
    end = world.clock.now + 300.25
    story = Story(world).ask().submit().approve(end=end)
    story.set_up()
    given = tokens(world)
    world.clock.move(later)
    answer = world.refresh(given["refresh_token"], "lms").json or {}
    for each in (given, answer) if not later else (answer,):
        claims = claims_of(each["access_token"])
        assert claims["exp"] <= end
        assert each["expires_in"] == claims["exp"] - claims["iat"] <= end - world.clock.now + 1
    home = claims_of(world.browser().tokens(HANA)["access_token"])
    assert home["exp"] - home["iat"] == world.settings.access_token_lifetime
