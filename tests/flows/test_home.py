"""The provider's own front page, signed in."""

from __future__ import annotations

import re

from tests.world import BEN, PRIYA, World, sent_back


def tiles(text: str) -> list[str]:
    return re.findall(r'class="launch-tile product-([a-z-]+)"', text)


def test_the_front_page_shows_what_one_may_open_in_the_session_s_company(world: World) -> None:
    browser = world.browser()
    browser.tokens(BEN)
    assert tiles(browser.get("/").text) == ["lms"]


def test_another_company_of_one_s_own_can_be_looked_at(world: World) -> None:
    browser = world.browser()
    browser.tokens(PRIYA, tenant="northwind")
    assert tiles(browser.get("/").text) == ["lms"]
    assert tiles(browser.get("/?tenant=harbor").text) == ["lms", "payments"]
    assert sent_back(browser.authorize(prompt="none"))["code"], "nothing was switched by looking"
    assert tiles(browser.get("/").text) == ["lms"]


def test_a_company_that_one_is_not_in_is_not_shown(world: World) -> None:
    browser = world.browser()
    browser.tokens(BEN)
    page = browser.get("/?tenant=harbor").text
    assert tiles(page) == ["lms"]
    assert "Harbor" not in page


def test_the_company_that_is_no_more_ones_own_is_not_named_where_nothing_opens(
    world: World,
) -> None:
    world.run(
        "UPDATE memberships SET status = 'disabled' WHERE tenant_id ="
        " (SELECT id FROM tenants WHERE slug = 'harbor')"
    )
    page = world.browser().sign_in(PRIYA, client_id="payments")
    assert page.status_code == 403
    assert "Your roles at Northwind Lending do not open Secure Payments." in page.text


def test_every_link_of_the_menu_leads_somewhere(world: World) -> None:
    browser = world.browser()
    browser.tokens(PRIYA, tenant="northwind")
    links = re.findall(r'href="([^"]*)"', browser.get("/").text)
    assert "None" not in links
    assert "/?tenant=harbor" in links
