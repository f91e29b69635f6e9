"""S48: what a company wants of its people it gets on every way in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from tests.console.inviting import invite, newest_token
from tests.credentials.proving import enrol_app
from tests.security.second_factors import require_of_staff
from tests.world import AMARA, HANA, PASSWORD, Visitor, World

Way = Callable[[Visitor], TestResponse]


def by_product(browser: Visitor) -> TestResponse:
    return browser.authorize("lms")


def by_tile(browser: Visitor) -> TestResponse:
    return browser.get("/")


def by_console(browser: Visitor) -> TestResponse:
    return browser.get("/manage/northwind")


def by_account(browser: Visitor) -> TestResponse:
    return browser.get("/account")


def by_hint(browser: Visitor) -> TestResponse:
    return browser.authorize("lms", login_hint=AMARA, prompt="login")


WAYS: dict[str, Way] = {
    "a product": by_product,
    "a product, asked to sign in again": by_hint,
    "the home page": by_tile,
    "the console": by_console,
    "the account page": by_account,
}


def invitation_of(world: World, email: str) -> str:
    invite(world, email)
    return newest_token(world)


def signing_in(browser: Visitor, way: Way, email: str) -> str:
    """Where the password leads to."""
    page = browser.follow(way(browser))
    answer = browser.submit(page, email=email, password=PASSWORD, product="lms")
    return str(browser.get(answer.headers["Location"]).headers["Location"])


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("has_app", [False, True], ids=["nothing enrolled", "has an app"])
def test_sec_48_a_password_leads_to_the_second_factor(
    world: World, way: Way, has_app: bool
) -> None:
    require_of_staff(world)
    if has_app:
        enrol_app(world, AMARA)
    browser = world.browser()
    wanted = "/login/second_factor?" if has_app else "/login/enrol?"
    assert signing_in(browser, way, AMARA).startswith(wanted)
    assert browser.client.get_cookie("latchkey-session") is None


@pytest.mark.parametrize("way", [by_product, by_console], ids=["a product", "the console"])
def test_sec_48_a_session_from_before_the_policy_is_asked_too(world: World, way: Way) -> None:
    browser = world.browser()
    browser.tokens(AMARA)
    assert browser.follow(way(browser)).status_code in (200, 303)
    require_of_staff(world)
    answer = way(browser)
    if answer.headers["Location"].startswith("/authorize?attempt="):
        answer = browser.get(answer.headers["Location"])
    assert answer.headers["Location"].startswith("/login/enrol?")


def test_sec_48_an_invitation_into_one_company_is_no_way_around_anothers_policy(
    world: World,
) -> None:
    token = invitation_of(world, HANA)
    require_of_staff(world, "harbor")
    browser = world.browser()
    to_sign_in = browser.follow(browser.submit(browser.get(f"/invitation?token={token}")))
    answer = browser.submit(to_sign_in, email=HANA, password=PASSWORD)
    assert browser.get(answer.headers["Location"]).headers["Location"].startswith("/login/enrol?")
    assert browser.client.get_cookie("latchkey-session") is None


def test_sec_48_a_machine_of_its_own_right_is_asked_for_nothing(world: World) -> None:
    """Its key is its proof; people's second factors are not its own."""
    require_of_staff(world)
    answer = world.post(
        "/token", world.basic("lms-batch"), grant_type="client_credentials", scope="payouts"
    )
    assert answer.status_code == 200
