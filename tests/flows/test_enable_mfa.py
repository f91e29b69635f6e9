"""Enable MFA: who has skipped a second factor is offered it, signed out, and asked again (M4)."""

from __future__ import annotations

from typing import Any

import orjson

from tests.world import BEN, World


def test_m4_who_has_skipped_is_offered_it_and_enrols_at_the_next_sign_in(
    either_world: World,
) -> None:
    optional = orjson.dumps({"second_factor": {"staff": {"mode": "optional"}}}).decode()
    either_world.run("UPDATE tenants SET policy = :p WHERE slug = 'northwind'", p=optional)
    browser = either_world.browser()
    enrol = browser.enter("/account", BEN)
    assert enrol.request.path == "/login/enrol"
    account = browser.follow(browser.submit(enrol, "/login/enrol", action="skip"))
    assert account.request.path == "/account", account.text
    assert "Enable MFA" in account.text
    assert browser.enter("/account", BEN).request.path == "/account"  # it is remembered
    page = browser.get("/account/enable")
    assert browser.follow(browser.submit(page, "/account/enable")).request.path == "/logout/done"
    either_world.clock.move(1)
    assert browser.enter("/account", BEN).request.path == "/login/enrol"


def test_m4_products_are_told_of_it_for_their_menus_while_it_is_skipped(
    either_world: World,
) -> None:
    token = either_world.browser().tokens(BEN, scope="openid")["access_token"]
    assert offered(either_world, token) is None
    either_world.run("UPDATE memberships SET second_factor_skipped_at = 1")
    url = offered(either_world, token)
    assert url == f"{either_world.settings.issuer}/account/enable"
    browser = either_world.browser()
    page = browser.enter(url.removeprefix(either_world.settings.issuer), BEN)
    browser.submit(page, "/account/enable")
    assert offered(either_world, either_world.browser().tokens(BEN)["access_token"]) is None


def offered(world: World, token: str) -> Any:
    answer = world.get("/switcher", Authorization=f"Bearer {token}")
    return (answer.json or {})["enable_mfa_url"]


def test_m4_who_has_not_skipped_is_not_offered_it(world: World) -> None:
    assert "Enable MFA" not in world.browser().enter("/account", BEN).text
