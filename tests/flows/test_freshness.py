"""How young a second factor has to be is each product's own, on one session (product.md N2)."""

from __future__ import annotations

import pytest

from idp.directory import catalog_version
from tests.credentials.proving import code_of, enrol_app
from tests.flows.test_second_factor_pages import enter
from tests.world import AMARA, World, claims_of, sent_back

MINUTE = 60.0
MINUTES = {"payments": 15, "connections": 12 * 60}


@pytest.fixture
def strict(either_world: World) -> World:
    """Secure Payments wants a second factor of a quarter of an hour, Connections of half a day;
    sign-ins are good for longer than that."""
    for key, minutes in MINUTES.items():
        either_world.run(
            "UPDATE products SET second_factor = true, second_factor_minutes = :m WHERE key = :k",
            m=minutes,
            k=key,
        )
    with either_world.held.database.transaction() as db:
        catalog_version.touch(db)
    either_world.clock.move(2)
    for name in ("session_idle_lifetime", "session_absolute_lifetime"):
        object.__setattr__(either_world.settings, name, 24 * 60 * MINUTE)
    return either_world


def test_n2_each_product_asks_again_when_the_second_factor_is_too_old_for_it(
    strict: World,
) -> None:
    secret = enrol_app(strict, AMARA)
    browser = strict.browser()
    page = browser.sign_in(AMARA, client_id="payments", tenant="northwind")

    def asked(client_id: str) -> bool:
        page = browser.follow(browser.authorize(client_id, tenant="northwind"))
        assert "code=" in page.headers.get("Location", "") or (
            page.request.path == "/login/second_factor"
        ), page.text
        return page.status_code == 200

    browser.follow(enter(browser, page, code=code_of(secret, strict.clock())))
    begun = strict.clock()
    assert not asked("payments")
    assert not asked("connections")
    strict.clock.move(15 * MINUTE)
    assert not asked("payments")
    strict.clock.move(1)
    assert asked("payments")
    assert not asked("connections")
    strict.clock.move(begun + 12 * 60 * MINUTE - strict.clock())
    assert not asked("connections")
    strict.clock.move(1)
    assert asked("connections")
    assert not asked("lms")


def test_n2_proving_it_again_is_good_for_both_and_the_password_is_not_asked_for(
    strict: World,
) -> None:
    secret = enrol_app(strict, AMARA)
    browser = strict.browser()
    page = browser.sign_in(AMARA, client_id="connections", tenant="northwind")
    browser.follow(enter(browser, page, code=code_of(secret, strict.clock())))
    first = browser.follow(browser.authorize("payments", tenant="northwind"))
    at = claims(strict, sent_back(first)["code"])["auth_time"]
    strict.clock.move(20 * MINUTE)
    page = browser.follow(browser.authorize("payments", tenant="northwind"))
    assert page.request.path == "/login/second_factor"
    assert 'name="password"' not in page.text
    answer = browser.follow(enter(browser, page, code=code_of(secret, strict.clock())))
    assert claims(strict, sent_back(answer)["code"])["auth_time"] == at
    strict.clock.move(12 * 60 * MINUTE - 60)
    assert "code=" in browser.follow(
        browser.authorize("connections", tenant="northwind")
    ).headers.get("Location", "")


def test_m7_a_session_of_one_factor_is_asked_for_the_other_alone(strict: World) -> None:
    """Open with the password alone where that does; the step-up is the second factor's page."""
    secret = enrol_app(strict, AMARA)
    browser = strict.browser()
    browser.code(AMARA, "lms", tenant="northwind")
    page = browser.follow(browser.authorize("payments", tenant="northwind"))
    assert page.request.path == "/login/second_factor"
    assert 'name="password"' not in page.text
    answer = browser.follow(enter(browser, page, code=code_of(secret, strict.clock())))
    told = claims(strict, sent_back(answer)["code"])
    assert (told["acr"], told["amr"]) == ("aal2", ["mfa", "otp", "pwd"])
    silent = browser.authorize("connections", tenant="northwind", prompt="none")
    assert "code=" in silent.headers["Location"]


def claims(world: World, code: str) -> dict[str, object]:
    return claims_of((world.redeem(code, "payments").json or {})["id_token"])
