"""S16: a step-up is never satisfied by less than what was asked for."""

from __future__ import annotations

import json
import re

import pytest

from tests.credentials.proving import code_of, enrol_app, enrol_code, newest_code
from tests.flows.test_second_factor_pages import choose, claims, enter, methods_offered
from tests.security.second_factors import demand_a_second_factor
from tests.world import DANA, Visitor, World, sent_back

ESSENTIAL = json.dumps({"id_token": {"acr": {"essential": True, "values": ["aal2"]}}})
ASKED = {"essential": {"claims": ESSENTIAL}, "a wish": {"acr_values": "aal2"}}


@pytest.fixture
def strict(world: World) -> World:
    """Secure Payments takes any second factor, and texts and mails go to the demo's inbox."""
    demand_a_second_factor(world)
    object.__setattr__(world.settings, "demo_inbox", True)
    return world


def by_mail(world: World, browser: Visitor) -> None:
    """Into the product by a code that was mailed."""
    page = browser.sign_in(DANA, client_id="payments")
    if "email" in methods_offered(page):
        page = choose(browser, page, "email")
    page = browser.follow(enter(browser, page, action="send"))
    told = claims(world, browser, enter(browser, page, code=newest_code(world)))
    assert (told["acr"], told["amr"]) == ("aal1", ["mfa", "otp", "pwd"])


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED.keys())
def test_sec_16_a_mailed_code_opens_the_product_and_satisfies_no_step_up(
    strict: World, asked: dict[str, str]
) -> None:
    enrol_code(strict, "email", DANA)
    secret = enrol_app(strict, DANA)
    browser = strict.browser()
    by_mail(strict, browser)
    assert sent_back(browser.authorize("payments", prompt="none", **asked))["error"]
    page = browser.follow(browser.authorize("payments", **asked))
    assert "Enter the code that your authenticator app shows." in page.text
    assert "email" not in methods_offered(page)
    forced = enter(browser, page, method="email", action="send")
    again = browser.follow(forced)
    assert "Enter the code that your authenticator app shows." in again.text
    strict.clock.move(30)
    told = claims(strict, browser, enter(browser, again, code=code_of(secret, strict.clock())))
    assert told["acr"] == "aal2"


def test_sec_16_a_lesser_class_in_the_address_of_a_step_changes_nothing(strict: World) -> None:
    enrol_code(strict, "email", DANA)
    enrol_app(strict, DANA)
    browser = strict.browser()
    by_mail(strict, browser)
    step = browser.authorize("payments", claims=ESSENTIAL).headers["Location"]
    attempt = re.findall(r"attempt=([^&]+)", step)[0]
    for tampered in ("acr_values=aal1", "claims=", "method=email"):
        answer = browser.get(f"/authorize?attempt={attempt}&{tampered}")
        assert answer.headers["Location"].startswith("/login/second_factor?")
