"""Changing one's own password: how often a link is sent, what it needs, and what is left open
(product.md P6)."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from tests.mailed import NEW, link_for, mail_for, newest_link
from tests.passkeys_of import Keys
from tests.security.choosing import choose, is_right, user_id
from tests.security.test_sec_42_devices import lock
from tests.security.test_sec_57_overtaken import meanwhile
from tests.world import AMARA, PASSWORD, Visitor, World, claims_of, sent_back

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
PAGE = "/account/password"


@pytest.fixture
def amara(either_world: World) -> Visitor:
    browser = either_world.browser()
    browser.enter(PAGE)
    return browser


def asked(world: World, browser: Visitor) -> TestResponse:
    return browser.submit(browser.enter(PAGE), PAGE)


def opened(world: World, browser: Visitor) -> TestResponse:
    assert asked(world, browser).status_code == 303
    page = browser.get(newest_link(world))
    assert page.status_code == 200
    return page


def letters(world: World) -> int:
    return sum(each["template"] == "password_change" for each in mail_for(world, AMARA))


def test_p6_a_person_is_sent_one_link_a_minute_five_an_hour_and_ten_a_day(
    either_world: World, amara: Visitor
) -> None:
    world = either_world
    for _ in range(5):
        assert asked(world, amara).status_code == 303
        assert asked(world, amara).status_code == 429
        world.clock.move(MINUTE)
    assert asked(world, amara).status_code == 429
    assert letters(world) == 5
    world.clock.move(HOUR)
    for _ in range(7):
        asked(world, amara)
        world.clock.move(MINUTE)
    assert letters(world) == 10
    world.clock.move(2 * HOUR)
    assert asked(world, amara).status_code == 429
    world.clock.move(DAY)
    assert asked(world, amara).status_code == 303


def test_p6_almost_the_current_one_is_refused(either_world: World, amara: Visitor) -> None:
    page = opened(either_world, amara)
    refused = amara.submit(page, current=PASSWORD, password=PASSWORD + "!")
    assert refused.status_code == 422
    assert "almost your current password" in refused.text
    assert either_world.audit("password.changed") == []


def test_p6_a_link_that_is_over_tries_no_password(either_world: World, amara: Visitor) -> None:
    """Or it would be one more place to guess at."""
    page = opened(either_world, amara)
    either_world.run("DELETE FROM password_links")
    verifications = either_world.held.hasher.verifications
    assert amara.submit(page, current=PASSWORD, password=NEW).status_code == 404
    assert either_world.held.hasher.verifications == verifications


def test_p6_the_browser_that_changes_it_has_tries_of_its_own(
    either_world: World, amara: Visitor
) -> None:
    page = opened(either_world, amara)
    lock(either_world)
    assert amara.submit(page, current=PASSWORD, password=NEW).status_code == 303


def test_p6_of_two_who_change_it_at_once_the_second_is_told_that_the_link_is_over(
    either_world: World, amara: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = either_world
    page = opened(world, amara)
    other = "Loud herons carve 31 canoes"
    meanwhile(world, monkeypatch, "hash", NEW, lambda: choose(world, other))
    assert amara.submit(page, current=PASSWORD, password=NEW).status_code == 404
    world.clock.move(1)
    assert is_right(world, other)
    assert len(world.audit("password.changed")) == 1


def test_p6_a_link_that_ends_while_the_new_one_is_hashed_sets_nothing(
    either_world: World, amara: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = either_world
    page = opened(world, amara)
    gone = lambda: world.run("DELETE FROM password_links")  # noqa: E731
    meanwhile(world, monkeypatch, "hash", NEW, gone)
    assert amara.submit(page, current=PASSWORD, password=NEW).status_code == 404
    assert world.audit("password.changed") == []
    assert is_right(world)


def test_p5_two_who_use_a_forgotten_passwords_link_are_told_the_same(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.mailed import by_link

    world, browser = either_world, either_world.browser()
    by_link(world)
    page = browser.get(link_for(world))
    other = "Loud herons carve 31 canoes"
    meanwhile(world, monkeypatch, "hash", NEW, lambda: choose(world, other))
    assert browser.submit(page, password=NEW).status_code == 404
    world.clock.move(1)
    assert is_right(world, other)


def test_p6_somebody_without_a_password_makes_one_and_has_not_proven_it(
    either_world: World,
) -> None:
    """They came by a passkey, and by that alone they are still known."""
    world = either_world
    passkey = Keys(world).enrol()
    world.run("DELETE FROM passwords WHERE user_id = :u", u=user_id(world))
    browser = world.browser()
    page = browser.follow(browser.get(PAGE))
    options = browser.submit(page, "/login/passkey/options").json or {}
    browser.follow(browser.submit(page, "/login/passkey", passkey=passkey.get(options)))
    world.clock.move(1)
    form = opened(world, browser)
    assert 'name="current"' not in form.text
    assert browser.submit(form, password=NEW).status_code == 303
    assert world.audit("password.made")
    assert world.audit("password.changed") == []
    [(proofs,)] = world.run("SELECT proofs FROM sessions WHERE ended_at IS NULL")
    assert "password" not in proofs
    world.clock.move(1)
    assert is_right(world, NEW)


def test_p6_what_else_the_session_has_proven_stays_proven(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    browser.enter(PAGE)
    page = opened(world, browser)
    world.clock.move(1)
    browser.submit(page, current=PASSWORD, password=NEW)
    [(proofs,)] = world.run("SELECT proofs FROM sessions WHERE ended_at IS NULL")
    assert "password" in proofs
    code = sent_back(browser.follow(browser.authorize(prompt="none")))["code"]
    tokens = world.redeem(code).json or {}
    assert claims_of(tokens["id_token"])["auth_time"] >= int(world.clock()) - 1
