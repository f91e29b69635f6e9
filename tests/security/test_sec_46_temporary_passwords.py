"""S46: a temporary password is good once, for a day, the newest alone, and for one thing: setting
another one."""

from __future__ import annotations

from werkzeug.test import TestResponse

from tests.mailed import NEW, temporary_for
from tests.security.choosing import is_right
from tests.world import AMARA, BEN, PASSWORD, Visitor, World, sent_back

HOUR = 3600.0
ASKED = "The password that you signed in with was a temporary one."


def begun(world: World, temporary: str) -> tuple[Visitor, TestResponse]:
    """A browser at the page that asks for another one."""
    world.clock.move(1)
    browser = world.browser()
    page = browser.sign_in(AMARA, temporary)
    assert ASKED in page.text
    return browser, page


def test_sec_46_it_is_used_once(either_world: World) -> None:
    temporary = temporary_for(either_world)
    begun(either_world, temporary)
    assert either_world.browser().sign_in(AMARA, temporary).status_code == 400
    assert either_world.browser().sign_in(AMARA, PASSWORD).status_code == 400


def test_sec_46_it_is_good_for_a_day(either_world: World) -> None:
    temporary = temporary_for(either_world)
    either_world.clock.move(24 * HOUR)
    assert either_world.browser().sign_in(AMARA, temporary).status_code == 400
    another = temporary_for(either_world)
    either_world.clock.move(24 * HOUR - 2)
    begun(either_world, another)


def test_sec_46_the_newest_alone_counts(either_world: World) -> None:
    older, newer = temporary_for(either_world), temporary_for(either_world)
    assert older != newer
    assert either_world.browser().sign_in(AMARA, older).status_code == 400
    begun(either_world, newer)


def test_sec_46_it_opens_nothing_but_the_page_for_another_one(either_world: World) -> None:
    world = either_world
    browser, page = begun(world, temporary_for(world))
    attempt = page.request.args["attempt"]
    assert browser.client.get_cookie("latchkey-session") is None
    assert sent_back(browser.authorize(prompt="none"))["error"] == "login_required"
    for path in ("/account", "/account/password", "/manage/northwind/people"):
        assert 'name="password"' in browser.follow(browser.get(path)).text, path
    for step in ("consent", "enrol", "second_factor"):
        ahead = browser.follow(browser.get(f"/login/{step}?attempt={attempt}"))
        assert ASKED in ahead.text, step
    assert ASKED in browser.follow(browser.get(f"/authorize?attempt={attempt}")).text
    assert world.run("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(0,)]


def test_sec_46_it_can_not_become_the_password(either_world: World) -> None:
    temporary = temporary_for(either_world)
    browser, page = begun(either_world, temporary)
    refused = browser.submit(page, password=temporary)
    assert refused.status_code == 422
    assert "used this password before" in refused.text
    assert either_world.audit("password.changed") == []
    assert sent_back(browser.follow(browser.submit(page, password=NEW)))["code"]
    either_world.clock.move(1)
    assert not is_right(either_world, temporary)


def test_sec_46_whoever_turns_back_before_changing_it_is_not_signed_in(
    either_world: World,
) -> None:
    """Ben may not open Secure Payments, and is told so before any other step."""
    world = either_world
    temporary = temporary_for(world, BEN)
    world.clock.move(1)
    browser = world.browser()
    page = browser.sign_in(BEN, temporary, client_id="payments")
    assert page.status_code == 403
    answer = browser.follow(browser.submit(page, decision="back"))
    assert sent_back(answer)["error"] == "access_denied"
    assert browser.client.get_cookie("latchkey-session") is None
    assert sent_back(browser.authorize(prompt="none"))["error"] == "login_required"
    assert world.run("SELECT count(*) FROM sessions") == [(0,)]
    [refused] = world.audit("sign_in.refused")
    assert refused["client"] == "payments"


def test_sec_46_whoever_turns_back_with_a_password_of_their_own_is_signed_in(
    world: World,
) -> None:
    browser = world.browser()
    page = browser.sign_in(BEN, client_id="payments")
    browser.follow(browser.submit(page, decision="back"))
    assert sent_back(browser.authorize(prompt="none"))["code"]
