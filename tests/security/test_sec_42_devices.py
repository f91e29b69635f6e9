"""S42: a lock keeps strangers out, and neither the owner in a browser of theirs nor who is in."""

from __future__ import annotations

import pytest

from idp.credentials import devices
from idp.credentials.password import MOST_WRONG
from tests.security.browsing import SignInForm
from tests.security.choosing import NEW, choose, is_right, user_id
from tests.world import AMARA, BEN, DANA, PASSWORD, START, Visitor, World

WRONG = "not-the-password-at-all"
HALF_AN_HOUR, DAY = 1800, 86400.0
NAME = "latchkey-device"


def known_browser(world: World, email: str = AMARA) -> Visitor:
    browser = world.browser()
    browser.tokens(email)
    return browser


def device(browser: Visitor) -> str:
    cookie = browser.client.get_cookie(NAME)
    assert cookie
    return cookie.value


def lock(world: World, email: str = AMARA, tried_from: str = "") -> None:
    for _ in range(world.settings.lockout_threshold):
        assert not is_right(world, WRONG, email, tried_from)


def try_in(browser: Visitor, password: str, email: str = AMARA) -> bool:
    page = browser.follow(browser.authorize(prompt="login"))
    return browser.submit(page, email=email, password=password).status_code == 303


def test_sec_42_who_is_in_stays_in_and_gets_in_again_in_a_browser_of_theirs(
    either_world: World,
) -> None:
    browser = known_browser(either_world)
    lock(either_world)
    assert not is_right(either_world), "strangers are paused"
    assert "code" in browser.authorize(prompt="none").headers["Location"]
    assert try_in(browser, PASSWORD)
    assert not is_right(either_world), "and stay so"


def test_sec_42_a_known_browser_has_five_tries_of_its_own(world: World) -> None:
    browser = known_browser(world)
    lock(world)
    for _ in range(5):
        assert not try_in(browser, WRONG)
    assert not try_in(browser, PASSWORD)
    world.clock.now = START + HALF_AN_HOUR
    assert try_in(browser, PASSWORD)


def test_sec_42_its_wrong_tries_pause_no_stranger_and_no_other_browser(world: World) -> None:
    one, other = known_browser(world), known_browser(world)
    lock(world, tried_from=device(one))
    assert not is_right(world, device=device(one))
    assert is_right(world, device=device(other))
    assert is_right(world)


def test_sec_42_one_browser_alone_sees_the_sixth_try_refused(world: World) -> None:
    form = SignInForm(world)
    for _ in range(5):
        assert form.send(AMARA, WRONG).status_code == 400
    assert form.send(AMARA, PASSWORD).status_code == 400


@pytest.mark.parametrize("days", [89, 91])
def test_sec_42_a_browser_is_known_for_ninety_days(world: World, days: int) -> None:
    known = device(known_browser(world))
    world.clock.move(days * DAY)
    lock(world)
    assert is_right(world, device=known) == (days < 90)


def test_sec_42_a_device_is_one_persons_and_nobody_elses(world: World) -> None:
    bens = device(known_browser(world, BEN))
    lock(world)
    assert not is_right(world, device=bens)
    assert user_id(world, BEN) not in bens


@pytest.mark.parametrize("change", ["id", "time", "signature", "empty", "shuffled", "huge"])
def test_sec_42_a_device_can_not_be_made_up(world: World, change: str) -> None:
    known = device(known_browser(world))
    name, at, signature = known.split(":")
    forged = {
        "id": f"{'0' * 32}:{at}:{signature}",
        "time": f"{name}:{float(at) + 1!r}:{signature}",
        "signature": f"{name}:{at}:{signature[:-2]}AA",
        "empty": "::",
        "shuffled": f"{at}:{name}:{signature}",
        "huge": "~".join(["x:1:y"] * 5 + [known]),
    }
    lock(world)
    assert not is_right(world, device=forged[change])
    assert is_right(world, device=known)


def test_sec_42_people_who_share_a_browser_are_each_known_in_it(world: World) -> None:
    keys, now = world.held.secret_keys, world.clock()
    cookie = ""
    for person in ("a", "b", "c", "d", "e", "a", "f"):
        cookie = devices.remember(keys, cookie, person, now)
    assert cookie.count("~") == devices.MOST - 1
    assert len(cookie) < 700
    browser = world.browser()
    for email in (AMARA, BEN):
        browser.tokens(email, prompt="login")
    lock(world)
    lock(world, BEN)
    assert is_right(world, device=device(browser))
    assert is_right(world, PASSWORD, BEN, device(browser))


def test_sec_42_a_browser_stays_the_same_one_at_every_sign_in(world: World) -> None:
    """Or its tries would begin anew with each."""
    browser = known_browser(world)
    first = device(browser)
    browser.tokens(BEN, prompt="login")
    world.clock.move(1)
    browser.tokens(AMARA, prompt="login")
    ids = [entry.partition(":")[0] for entry in device(browser).split("~")]
    assert ids[0] == first.partition(":")[0]
    assert len(set(ids)) == 2
    assert device(browser) != first, "from when on the ninety days count"


def test_sec_42_a_new_password_makes_every_browser_a_stranger(world: World) -> None:
    known = device(known_browser(world))
    world.clock.move(60)
    choose(world)
    world.clock.move(60)
    lock(world)
    assert not is_right(world, NEW, device=known)


def test_sec_42_a_sign_in_that_is_not_finished_makes_no_browser_known(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize())
    browser.submit(page, email=AMARA, password=PASSWORD)
    assert browser.client.get_cookie(NAME) is None


def test_sec_42_a_hundred_wrong_ones_in_a_row_switch_a_password_off(either_world: World) -> None:
    world = either_world
    known = device(known_browser(world))
    for number in range(MOST_WRONG):
        if number % 5 == 0:
            world.clock.move(HALF_AN_HOUR)
        assert not is_right(world, WRONG, device=known if number % 2 else "")
    world.clock.move(DAY)
    assert len(world.audit("password.worn_out")) == 1
    assert not is_right(world)
    assert not is_right(world, device=known)
    verifications = world.held.hasher.verifications
    assert not is_right(world, WRONG)
    assert world.held.hasher.verifications == verifications, "nothing is compared any more"
    choose(world)
    world.clock.move(60)
    assert is_right(world, NEW)


def test_sec_42_a_right_one_starts_the_hundred_anew(world: World) -> None:
    world.run("UPDATE passwords SET failures = :n", n=MOST_WRONG - 1)
    assert is_right(world)
    assert not is_right(world, WRONG)
    assert is_right(world)
    assert world.run("SELECT failures FROM passwords WHERE user_id = :u", u=user_id(world)) == [
        (0,)
    ]


def test_sec_42_the_last_of_the_hundred_may_be_right(world: World) -> None:
    world.run("UPDATE passwords SET failures = :n", n=MOST_WRONG - 1)
    assert is_right(world)
    world.run("UPDATE passwords SET failures = :n", n=MOST_WRONG)
    assert not is_right(world)


def test_sec_42_the_lock_of_one_person_is_none_of_others(world: World) -> None:
    lock(world)
    assert is_right(world, PASSWORD, DANA)
