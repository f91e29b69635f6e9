"""S84: whoever has signed in before is told by mail when it happens in a browser that is not known
as theirs."""

from __future__ import annotations

from typing import Any

import pytest

from idp.app import create_pages
from idp.web import letters as writing
from tests.console.people_of import letters, user_id
from tests.world import AMARA, BEN, Visitor, World

DAY = 86400
ADDRESS = "198.51.100.4"
DEVICE = "latchkey-device"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0 (<b>mine</b>)"


def told_of(world: World) -> list[dict[str, Any]]:
    return [each for each in letters(world) if each["template"] == "sign_in/new_device"]


def later(world: World, days: int) -> None:
    """With passwords that are not too old meanwhile."""
    world.clock.move(days * DAY)
    world.run("UPDATE passwords SET changed_at = :now", now=world.clock())


def sign_in_anew(browser: Visitor, email: str = AMARA) -> None:
    """With no session left, and whatever device the browser has."""
    browser.client.delete_cookie("latchkey-session")
    browser.code(email)


@pytest.fixture
def known(either_world: World) -> Visitor:
    """Amara's first browser."""
    browser = either_world.browser()
    browser.code(AMARA)
    return browser


def test_sec_84_a_first_sign_in_and_those_in_the_same_browser_are_not_told(
    either_world: World, known: Visitor
) -> None:
    later(either_world, 89)
    sign_in_anew(known)
    later(either_world, 89)
    sign_in_anew(known)
    assert told_of(either_world) == []
    assert either_world.audit("sign_in.new_device") == []


def test_sec_84_the_first_in_another_browser_is_told_once_by_which_and_from_where(
    either_world: World, known: Visitor
) -> None:
    app = either_world.app
    either_world.app = lambda environ, start: app({**environ, "REMOTE_ADDR": ADDRESS}, start)
    other = either_world.browser()
    other.headers = {**other.headers, "User-Agent": FIREFOX}
    for _ in range(2):
        sign_in_anew(other)
    (letter,) = told_of(either_world)
    assert letter["to"] == AMARA
    text = writing.write(create_pages(either_world.held), letter).body
    for words in ("Firefox on Windows", ADDRESS, "/account/sessions"):
        assert words in text
    assert "mine" not in text


def test_sec_84_a_device_of_somebody_else_is_none_of_theirs(
    either_world: World, known: Visitor
) -> None:
    bens = either_world.browser()
    bens.code(BEN)
    sign_in_anew(bens, AMARA)
    assert [letter["to"] for letter in told_of(either_world)] == [AMARA]


@pytest.mark.parametrize("loss", ["forged", "ninety days", "all sessions ended"])
def test_sec_84_a_device_that_is_recognised_no_more_is_told_of(
    either_world: World, known: Visitor, loss: str
) -> None:
    cookie = known.client.get_cookie(DEVICE)
    assert cookie
    if loss == "forged":
        known.client.set_cookie(DEVICE, cookie.value[:-1] + "~")
    elif loss == "ninety days":
        later(either_world, 90)
    else:
        either_world.clock.move(1)
        moved = "UPDATE users SET sessions_valid_after = :now WHERE id = :id"
        either_world.run(moved, now=either_world.clock(), id=user_id(either_world, AMARA))
    sign_in_anew(known)
    assert len(told_of(either_world)) == 1


def test_sec_84_tries_that_do_not_get_in_are_not_told(either_world: World, known: Visitor) -> None:
    assert either_world.browser().sign_in(AMARA, "wrong").status_code == 400
    assert told_of(either_world) == []


def test_sec_84_proving_it_again_in_an_open_session_is_no_new_device(
    either_world: World, known: Visitor
) -> None:
    known.client.delete_cookie(DEVICE)
    known.sign_in(AMARA, prompt="login")
    assert len(either_world.audit("sign_in.succeeded")) == 2
    assert told_of(either_world) == []


def test_sec_84_a_wrong_password_before_the_first_sign_in_is_no_sign_in(
    either_world: World,
) -> None:
    browser = either_world.browser()
    assert browser.sign_in(AMARA, "not-the-password-at-all").status_code == 400
    browser.code(AMARA)
    assert told_of(either_world) == []
