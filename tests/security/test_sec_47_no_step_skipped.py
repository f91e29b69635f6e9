"""S47: with a password proven, and a second factor wanted, nothing is open but that step."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from tests.credentials.proving import enrol_app
from tests.security.browsing import every_address
from tests.security.second_factors import demand_a_second_factor
from tests.world import BEN, DANA, PASSWORD, Visitor, World, sent_back

SESSION = "latchkey-session"
SECRETS = ("code=", "access_token", "id_token", "refresh_token")
FIELDS = {
    "product": "payments",
    "decision": "allow",
    "tenant": "northwind",
    "tenant_id": "northwind",
    "code": "",
    "method": "",
    "answer": "yes",
    "skip": "1",
    "saved": "1",
    "continue": "1",
    "turn_back": "",
}


@pytest.fixture
def strict(world: World) -> World:
    demand_a_second_factor(world)
    return world


class HalfWay:
    """A browser whose password is proven, at what is wanted next: by default the second factor of
    Secure Payments."""

    def __init__(
        self,
        world: World,
        email: str = DANA,
        password: str = PASSWORD,
        client_id: str = "payments",
    ) -> None:
        self.browser: Visitor = world.browser()
        page = self.browser.follow(self.browser.authorize(client_id))
        self.csrf = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
        answer = self.browser.submit(page, email=email, password=password)
        self.attempt = answer.headers["Location"].partition("attempt=")[2]

    def resume(self) -> TestResponse:
        return self.browser.get(f"/authorize?attempt={self.attempt}")

    def try_out(self, method: str, path: str) -> TestResponse:
        if method == "GET":
            return self.browser.get(f"{path}?attempt={self.attempt}")
        form = {**FIELDS, "attempt": self.attempt, "csrf_token": self.csrf}
        return self.browser.client.open(path, method=method, data=form)

    def is_nobody(self) -> bool:
        return self.browser.client.get_cookie(SESSION) is None


def given(answer: TestResponse) -> Iterator[str]:
    """What only a finished sign-in may have in it."""
    location = answer.headers.get("Location", "")
    yield from (word for word in SECRETS if word in location)
    yield from (c for c in answer.headers.getlist("Set-Cookie") if c.startswith(f"{SESSION}="))
    if answer.is_json and isinstance(answer.json, dict):
        yield from (word for word in SECRETS[1:] if word in answer.json)


@pytest.mark.parametrize("seed", range(4))
def test_sec_47_no_address_in_any_order_gives_anything(strict: World, seed: int) -> None:
    enrol_app(strict, DANA)
    half = HalfWay(strict)
    addresses = every_address(strict.held)
    random.Random(seed).shuffle(addresses)
    for method, path in addresses:
        answer = half.try_out(method, path)
        assert not list(given(answer)), (method, path)
        assert answer.status_code < 500, (method, path)
        answer.close()
        assert half.is_nobody(), (method, path)


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
