"""S47: with a password proven, and a second factor wanted, nothing is open but that step."""

from __future__ import annotations

import pytest

from tests.credentials.proving import enrol_app
from tests.security.browsing import every_address
from tests.security.half_way import SESSION, HalfWay, given, try_every_address
from tests.security.second_factors import demand_a_second_factor
from tests.world import BEN, DANA, World, sent_back


@pytest.fixture
def strict(world: World) -> World:
    demand_a_second_factor(world)
    return world


@pytest.mark.parametrize("seed", range(4))
def test_sec_47_no_address_in_any_order_gives_anything(strict: World, seed: int) -> None:
    enrol_app(strict, DANA)
    try_every_address(HalfWay(strict), seed)


def test_sec_47_no_address_alone_gets_further(strict: World) -> None:
    """Each from the same place: after it the second factor is still wanted, or the attempt over."""
    enrol_app(strict, DANA)
    for method, path in every_address(strict.held):
        if path.startswith("/api/"):
            continue
        half = HalfWay(strict)
        half.try_out(method, path).close()
        after = half.resume()
        location = after.headers.get("Location", "")
        wants = location.startswith(("/login/second_factor", "/login/password"))
        turned_back = "error=access_denied" in location
        assert wants or turned_back or after.status_code == 400, (method, path, location)
        assert not list(given(after)), (method, path)


def test_sec_47_the_password_alone_is_no_session(strict: World) -> None:
    enrol_app(strict, DANA)
    half = HalfWay(strict)
    assert half.resume().headers["Location"].startswith("/login/second_factor")
    assert half.is_nobody()
    silent = sent_back(half.browser.authorize("payments", prompt="none"))
    assert silent["error"] == "login_required"
    assert 'name="password"' in half.browser.follow(half.browser.get("/account")).text


def test_sec_47_nor_is_it_where_nothing_is_enrolled(strict: World) -> None:
    half = HalfWay(strict)
    assert half.resume().headers["Location"].startswith("/login/enrol")
    assert half.is_nobody()


def test_sec_47_a_session_of_one_factor_opens_no_product_that_wants_two(strict: World) -> None:
    enrol_app(strict, DANA)
    browser = strict.browser()
    assert browser.tokens(DANA, "lms")
    asked = browser.authorize("payments")
    assert asked.headers["Location"].startswith("/login/second_factor")
    silent = sent_back(browser.authorize("payments", prompt="none"))
    assert silent["error"] == "interaction_required"
    assert "code" not in silent


def test_sec_47_turning_back_at_the_second_factor_is_no_way_around_it(strict: World) -> None:
    enrol_app(strict, DANA)
    half = HalfWay(strict)
    asked = half.browser.follow(half.resume())
    for path in ("/login/not_open", "/login/consent"):
        assert "/login/not_open" not in half.browser.get(f"{path}?attempt={half.attempt}").text
        half.browser.follow(half.browser.submit(asked, path, decision="back"))
        half.browser.follow(half.browser.submit(asked, path, decision="deny"))
        assert half.is_nobody(), path
        assert half.resume().headers["Location"].startswith("/login/second_factor"), path


def test_sec_47_nor_is_a_product_that_does_not_open(either_world: World) -> None:
    """Ben's company wants a second factor of each sign-in, and his roles open no payments."""
    world = either_world
    world.run(
        "UPDATE tenants SET policy = :p WHERE slug = 'northwind'",
        p='{"second_factor":{"staff":{"mode":"required","since":0}}}',
    )
    browser = world.browser()
    page = browser.sign_in(BEN, client_id="payments")
    assert page.status_code == 403
    told = sent_back(browser.follow(browser.submit(page, decision="back")))
    assert told["error"] == "access_denied"
    assert browser.client.get_cookie(SESSION) is None
    assert browser.client.get_cookie("latchkey-device") is None
