"""Not me: on a page that asks somebody to prove again who they are, another person signs in."""

from __future__ import annotations

from werkzeug.test import TestResponse

from tests.world import AMARA, BEN, PASSWORD, Visitor, World

CHIP = 'class="person"'


def asked_again(browser: Visitor) -> TestResponse:
    browser.code(AMARA)
    return browser.follow(browser.authorize(prompt="login"))


def not_me(browser: Visitor, page: TestResponse) -> TestResponse:
    return browser.get(f"{page.request.path}?{page.request.query_string.decode()}&other=1")


def test_who_is_known_is_named_until_they_say_that_it_is_not_them(world: World) -> None:
    browser = world.browser()
    page = asked_again(browser)
    assert CHIP in page.text
    assert CHIP not in not_me(browser, page).text


def test_after_a_wrong_password_it_is_still_not_them(world: World) -> None:
    browser = world.browser()
    page = not_me(browser, asked_again(browser))
    for wrong in ("wrong", ""):
        page = browser.submit(page, email=BEN, password=wrong)
        assert page.status_code == 400
        assert CHIP not in page.text
        assert f'value="{BEN}"' in page.text
    answer = browser.follow(browser.submit(page, email=BEN, password=PASSWORD))
    assert "code=" in answer.headers["Location"]
