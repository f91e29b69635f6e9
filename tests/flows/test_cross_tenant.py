"""A membership that came across tenants: what it opens, what its tokens carry, when it ends (T7,
N3, S80)."""

from __future__ import annotations

from typing import Any

import pytest

from idp.sessions.logout import MESSAGE
from tests.console.access_story import Story, work
from tests.world import BEN, World, claims_of

HOUR = 3600.0


@pytest.fixture
def story(either_world: World) -> Story:
    """Ben of northwind is in harbor, for LMS and Connections, for an hour."""
    told = Story(either_world).ask(products=("lms", "connections")).submit()
    told.approve(end=either_world.clock.now + HOUR)
    return told.set_up(roles=("agent", "payments_officer"))


@pytest.fixture
def guest(story: Story) -> World:
    return story.world


def tokens(world: World, tenant: str = "harbor") -> dict[str, Any]:
    return world.browser().tokens(BEN, tenant=tenant)


def test_every_token_carries_the_grant(guest: World, story: Story) -> None:
    answer = tokens(guest)
    refreshed = guest.refresh(answer["refresh_token"]).json or {}
    for token in (answer["id_token"], answer["access_token"], refreshed["access_token"]):
        assert claims_of(token)["cross_tenant_grant"] == story.id
    assert (guest.userinfo(answer["access_token"]).json or {})["cross_tenant_grant"] == story.id
    assert guest.introspect(answer["access_token"])["cross_tenant_grant"] == story.id


def test_it_carries_the_other_companys_roles_alone(guest: World) -> None:
    there, home = tokens(guest), tokens(guest, "northwind")
    assert claims_of(there["access_token"])["roles"] == ["agent", "payments_officer"]
    assert claims_of(home["access_token"])["roles"] == ["agent"]


def test_at_home_nothing_is_said_of_a_grant(guest: World) -> None:
    assert "cross_tenant_grant" not in claims_of(tokens(guest, "northwind")["access_token"])


def test_what_the_grant_does_not_name_stays_closed_whatever_the_roles_say(guest: World) -> None:
    """His role there opens Secure Payments; the grant doesn't."""
    browser = guest.browser()
    browser.tokens(BEN, tenant="harbor")
    page = browser.follow(browser.authorize("payments", tenant="harbor"))
    assert page.status_code == 403
    menu = guest.get("/switcher", Authorization=f"Bearer {tokens(guest)['access_token']}").json
    assert [product["key"] for product in (menu or {})["products"]] == ["lms"]


def test_it_ends_by_its_date_with_no_job_having_run(guest: World) -> None:
    answer = tokens(guest)
    guest.clock.move(HOUR - 1)
    assert (
        guest.introspect(answer["access_token"])["active"] is False
    )  # the token's own ten minutes
    kept = guest.refresh(answer["refresh_token"]).json or {}
    assert guest.introspect(kept["access_token"])["active"] is True
    guest.clock.move(1)
    assert_nothing_is_open(guest, kept)


def assert_nothing_is_open(world: World, answer: dict[str, Any]) -> None:
    assert world.introspect(answer["access_token"]) == {"active": False}
    assert world.userinfo(answer["access_token"]).status_code == 401
    assert world.refresh(answer["refresh_token"]).status_code == 400
    page = world.browser().sign_in(BEN, tenant="harbor")
    assert page.status_code in (400, 403)


def test_home_goes_on_when_it_ends(story: Story) -> None:
    answer = tokens(story.world, "northwind")
    story.end_there()
    work(story.world)
    assert story.world.introspect(answer["access_token"])["active"] is True


def test_what_it_granted_stays_dead_when_he_comes_again(story: Story) -> None:
    answer = tokens(story.world)
    story.end()
    Story(story.world).opened()
    assert story.world.refresh(answer["refresh_token"]).status_code == 400
    assert story.world.introspect(answer["access_token"]) == {"active": False}
    assert tokens(story.world)


@pytest.mark.parametrize("roles", [False, True])
def test_the_switch_shows_the_other_company_once_it_has_given_roles(
    either_world: World, roles: bool
) -> None:
    told = Story(either_world).ask().submit().approve()
    if roles:
        told.set_up()
    token = tokens(either_world, "northwind")["access_token"]
    menu = either_world.get("/switcher", Authorization=f"Bearer {token}").json or {}
    slugs = {tenant["slug"] for tenant in menu["tenants"]}
    assert slugs == ({"northwind", "harbor"} if roles else {"northwind"})
    page = either_world.browser().sign_in(BEN, tenant="harbor")
    assert page.status_code == (303 if roles else 403)


def test_a_role_that_was_given_round_the_request_opens_nothing(either_world: World) -> None:
    """Until the receiving company has set it up by the request, the membership is not in force."""
    Story(either_world).ask().submit().approve()
    either_world.run(
        "INSERT INTO membership_roles (membership_id, role_id, tenant_id)"
        " SELECT m.id, r.id, m.tenant_id FROM memberships m JOIN roles r"
        " ON r.tenant_id = m.tenant_id AND r.key = 'agent' WHERE m.source = 'cross_tenant'"
    )
    assert either_world.browser().sign_in(BEN, tenant="harbor").status_code == 403


def told_products(world: World) -> list[str]:
    wanted = "SELECT client_id FROM outbox WHERE kind = :kind ORDER BY client_id"
    return [name for (name,) in world.run(wanted, kind=MESSAGE)]


def test_products_that_he_has_open_there_sign_him_out(story: Story) -> None:
    browser = story.world.browser()
    browser.tokens(BEN, tenant="harbor")
    story.end_there()
    work(story.world)
    assert told_products(story.world) == ["lms"]
    work(story.world)
    assert told_products(story.world) == ["lms"]


def test_a_product_in_which_he_has_switched_home_since_is_left_alone(story: Story) -> None:
    """Its session is one for both companies, and it now shows the other one."""
    browser = story.world.browser()
    browser.tokens(BEN, tenant="harbor")
    story.world.clock.move(1)
    browser.tokens(BEN, tenant="northwind")
    story.end_there()
    work(story.world)
    assert told_products(story.world) == []
