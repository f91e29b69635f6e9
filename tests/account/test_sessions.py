"""Where one is signed in, its end, and what products were told of that (product.md N6, S8)."""

from __future__ import annotations

import re

import pytest

from tests.world import AMARA, BEN, Visitor, World

PHONE = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0) AppleWebKit Safari/605.1"}
DESK = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"}
DAY = 86400.0


@pytest.fixture
def desk(either_world: World) -> Visitor:
    browser = either_world.browser(**DESK)
    browser.enter("/account/sessions")
    return browser


@pytest.fixture
def phone(either_world: World) -> Visitor:
    browser = either_world.browser(**PHONE)
    browser.tokens()
    return browser


def ids(page: str) -> list[str]:
    return re.findall(r'name="session" value="([0-9a-f]+)"', page)


def live(world: World) -> list[tuple[str, ...]]:
    return world.run("SELECT id FROM sessions WHERE ended_at IS NULL")  # type: ignore[no-any-return]


def end(visitor: Visitor, **form: str):
    page = visitor.get("/account/sessions")
    return visitor.submit(page, path="/account/sessions", **form)


def test_each_session_is_shown_with_its_browser_address_and_products(desk: Visitor, phone: Visitor):
    page = desk.get("/account/sessions").text
    assert "Firefox on Linux" in page
    assert "Safari on iPhone" in page
    assert len(ids(page)) == 2
    assert page.count("This browser") == 1
    assert "LMS" in page


def test_one_session_is_ended_and_its_products_are_told(
    either_world: World, desk: Visitor, phone: Visitor
):
    ((own,),) = either_world.run(
        "SELECT id FROM sessions WHERE user_agent LIKE '%iPhone%' AND ended_at IS NULL"
    )
    answer = end(desk, session=own)
    assert answer.status_code == 303
    assert phone.get("/account").status_code == 303
    assert desk.get("/account").status_code == 200
    assert either_world.run(
        "SELECT status FROM outbox WHERE kind = 'backchannel_logout' AND session_id = :s", s=own
    ) == [("pending",)]


def test_all_others_are_ended_and_this_one_stays(
    either_world: World, desk: Visitor, phone: Visitor
):
    other = either_world.browser(**PHONE)
    other.sign_in()
    stranger = either_world.browser()
    stranger.sign_in(BEN)
    assert "2 other sessions are ended." in desk.follow(end(desk, others="1")).text
    assert phone.get("/account").status_code == 303
    assert other.get("/account").status_code == 303
    assert desk.get("/account").status_code == 200
    assert stranger.get("/account").status_code == 200
    assert "You are signed in nowhere else." in desk.follow(end(desk, others="1")).text


def test_tokens_of_an_ended_session_are_dead(either_world: World, desk: Visitor):
    tokens = either_world.browser().tokens()
    end(desk, others="1")
    assert either_world.introspect(tokens["access_token"]) == {"active": False}


def test_somebody_elses_session_does_not_exist(either_world: World, desk: Visitor):
    ben = either_world.browser()
    ben.sign_in(BEN)
    before = live(either_world)
    ((his,),) = either_world.run(
        "SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.email = :e", e=BEN
    )
    for claimed in (his, "", "x", his + "0", "%", "0" * 32):
        assert end(desk, session=claimed).status_code == 404, claimed
    assert live(either_world) == before


def test_ending_this_session_signs_out_here(either_world: World, desk: Visitor):
    (own,) = ids(desk.get("/account/sessions").text)
    assert end(desk, session=own).headers["Location"] == "/logout/done"
    assert live(either_world) == []
    assert desk.get("/account").status_code == 303


@pytest.mark.parametrize(
    ("status", "attempts", "words"),
    [
        ("pending", 0, "Being told"),
        ("pending", 2, "Tried 2 times, trying again"),
        ("delivered", 1, "Signed out"),
        ("refused", 1, "Refused"),
        ("failed", 9, "Could not be told"),
    ],
)
def test_a_sign_out_is_shown_with_what_each_product_was_told(
    either_world: World, desk: Visitor, phone: Visitor, status: str, attempts: int, words: str
):
    end(desk, others="1")
    either_world.run(
        "UPDATE outbox SET status = :s, attempts = :a WHERE kind = 'backchannel_logout'",
        s=status,
        a=attempts,
    )
    assert words in desk.get("/account/sessions").text


def test_receipts_are_the_persons_own_and_of_the_last_thirty_days(
    either_world: World, desk: Visitor, phone: Visitor
):
    end(desk, others="1")
    ben = either_world.browser()
    assert "Sign-outs of the last" not in ben.enter("/account/sessions", BEN).text
    assert "Sign-outs of the last" in desk.get("/account/sessions").text
    either_world.clock.move(31 * DAY)
    again = either_world.browser()
    assert "Sign-outs of the last" not in again.enter("/account/sessions", AMARA).text


@pytest.mark.parametrize("which", ["session_idle_lifetime", "session_absolute_lifetime"])
def test_a_session_that_is_over_by_age_is_not_shown(
    either_world: World, phone: Visitor, which: str
):
    either_world.clock.move(getattr(either_world.settings, which))
    if which == "session_absolute_lifetime":
        either_world.run("UPDATE sessions SET last_seen_at = :n", n=either_world.clock())
    page = either_world.browser(**DESK).enter("/account/sessions").text
    assert "Safari on iPhone" not in page.partition("Sign-outs")[0]


def test_the_session_that_was_used_last_comes_first(either_world: World, phone: Visitor):
    either_world.clock.move(120)
    page = either_world.browser(**DESK).enter("/account/sessions").text
    assert page.index("Firefox on Linux") < page.index("Safari on iPhone")
    either_world.clock.move(120)
    phone.get("/account")
    page = phone.get("/account/sessions").text
    assert page.index("Safari on iPhone") < page.index("Firefox on Linux")


def test_the_last_use_is_written_once_a_minute_at_most(either_world: World, desk: Visitor):
    wanted = "SELECT last_seen_at FROM sessions"
    before = either_world.run(wanted)
    either_world.clock.move(60)
    desk.get("/account")
    assert either_world.run(wanted) == before
    either_world.clock.move(1)
    desk.get("/account")
    assert either_world.run(wanted) == [(either_world.clock(),)]
