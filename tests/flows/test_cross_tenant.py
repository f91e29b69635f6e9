"""A membership that came across tenants: what it opens, what its tokens carry, when it ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import PRIYA, World, claims_of

GRANT = "g" * 32


@pytest.fixture
def guest(either_world: World) -> World:
    """Priya is in harbor by a cross-tenant grant, for LMS alone, for an hour."""
    (tenant,) = either_world.run("SELECT id FROM tenants WHERE slug = 'harbor'")
    (user,) = either_world.run("SELECT id FROM users WHERE email = :e", e=PRIYA)
    assert (
        either_world.run(
            "UPDATE memberships SET source = 'cross_tenant', access_request_id = :g,"
            " only_products = 'lms connections', ends_at = :t"
            " WHERE user_id = :u AND tenant_id = :x",
            g=GRANT,
            t=either_world.clock.now + 3600,
            u=user[0],
            x=tenant[0],
        )
        == 1
    )
    return either_world


def tokens(world: World) -> dict[str, Any]:
    return world.browser().tokens(PRIYA, tenant="harbor")


def test_every_token_carries_the_grant(guest: World) -> None:
    answer = tokens(guest)
    refreshed = guest.refresh(answer["refresh_token"]).json or {}
    for token in (answer["id_token"], answer["access_token"], refreshed["access_token"]):
        assert claims_of(token)["cross_tenant_grant"] == GRANT
    assert (guest.userinfo(answer["access_token"]).json or {})["cross_tenant_grant"] == GRANT
    assert guest.introspect(answer["access_token"])["cross_tenant_grant"] == GRANT


def test_at_home_nothing_is_said_of_a_grant(guest: World) -> None:
    answer = guest.browser().tokens(PRIYA, tenant="northwind")
    assert "cross_tenant_grant" not in claims_of(answer["access_token"])


def test_what_the_grant_does_not_name_stays_closed_whatever_the_roles_say(guest: World) -> None:
    """Her role there opens Secure Payments; the grant doesn't."""
    browser = guest.browser()
    browser.tokens(PRIYA, tenant="harbor")
    page = browser.follow(browser.authorize("payments", tenant="harbor"))
    assert page.status_code == 403
    menu = guest.get("/switcher", Authorization=f"Bearer {tokens(guest)['access_token']}").json
    assert [product["key"] for product in (menu or {})["products"]] == ["lms"]


def test_it_ends_by_its_date_with_no_job_having_run(guest: World) -> None:
    answer = tokens(guest)
    guest.clock.move(3599)
    assert (
        guest.introspect(answer["access_token"])["active"] is False
    )  # the token's own ten minutes
    kept = guest.refresh(answer["refresh_token"]).json or {}
    assert guest.introspect(kept["access_token"])["active"] is True
    guest.clock.move(1)
    assert guest.introspect(kept["access_token"]) == {"active": False}
    assert guest.userinfo(kept["access_token"]).status_code == 401
    assert guest.refresh(kept["refresh_token"]).status_code == 400
    page = guest.browser().sign_in(PRIYA, tenant="harbor")
    assert page.status_code == 403
