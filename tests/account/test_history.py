"""What happened to one's sign-in, from the audit log: one's own and nobody else's."""

from __future__ import annotations

import re

import pytest

from idp import audit
from idp.audit import Origin
from tests.console.people_of import user_id
from tests.world import AMARA, BEN, OLU, Visitor, World

ELSEWHERE = Origin("203.0.113.77", "", "")


@pytest.fixture
def amara(either_world: World) -> Visitor:
    browser = either_world.browser(**{"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/150.0"})
    browser.enter("/account/history")
    return browser


def tell(world: World, tag: str, actor: str | None, **detail: str) -> None:
    with world.held.database.transaction() as db:
        audit.record(db, tag, world.clock(), ELSEWHERE, actor=actor, **detail)


def test_a_sign_in_is_told_with_time_place_browser_and_method(either_world: World, amara: Visitor):
    page = amara.get("/account/history").text
    assert "Signed in" in page
    assert ">password<" in page
    assert "Firefox on Linux" in page
    assert "<time datetime=" in page


def test_a_refused_sign_in_is_told_with_where_it_came_from(either_world: World, amara: Visitor):
    tell(either_world, "sign_in.failed", user_id(either_world, AMARA), reason="wrong password")
    page = amara.get("/account/history").text
    assert "Sign-in refused" in page
    assert ELSEWHERE.address in page


def test_nobody_elses_events_are_told(either_world: World, amara: Visitor):
    tell(either_world, "sign_in.failed", user_id(either_world, BEN), reason="wrong password")
    tell(either_world, "sign_in.failed", None, reason="unknown address")
    for path in ("/account/history", "/account/history?show=everything"):
        for more in ("", f"&person={user_id(either_world, BEN)}", "&who=" + BEN):
            assert ELSEWHERE.address not in amara.get(path + (more if "?" in path else "")).text


def test_where_an_operator_was_is_not_told(either_world: World, amara: Visitor):
    by, about = (user_id(either_world, each) for each in (OLU, AMARA))
    tell(either_world, "operator.added", by, person=about)
    page = amara.get("/account/history?show=everything").text
    assert "by somebody who looks after your account" in page
    assert ELSEWHERE.address not in page


def test_more_than_sign_ins_is_told_where_it_is_asked_for(either_world: World, amara: Visitor):
    amara.submit(
        amara.get("/account"),
        path="/account",
        name="Amara O.",
        locale="en",
        zoneinfo="UTC",
    )
    assert "Profile changed" not in amara.get("/account/history").text
    assert "Profile changed" in amara.get("/account/history?show=everything").text


def test_it_is_paged_from_the_newest_to_the_oldest(either_world: World, amara: Visitor):
    own = user_id(either_world, AMARA)
    for number in range(70):
        either_world.clock.move(1)
        origin = Origin(f"198.51.100.{number}", "", "")
        with either_world.held.database.transaction() as db:
            audit.record(db, "sign_in.failed", either_world.clock(), origin, actor=own, reason="")
    seen: list[str] = []
    path: str | None = "/account/history"
    while path:
        page = amara.get(path).text
        seen += re.findall(r"198\.51\.100\.(\d+)", page)
        following = re.findall(r'rel="next" href="([^"]+)"', page)
        path = "/account/history" + following[0].replace("&amp;", "&") if following else None
    assert [int(each) for each in seen] == list(range(69, -1, -1))


def test_anybody_elses_cursor_is_refused(either_world: World, amara: Visitor):
    for number in range(40):
        tell(either_world, "sign_in.failed", user_id(either_world, AMARA), reason=str(number))
    following = re.findall(r"after=([^\"&]+)", amara.get("/account/history").text)[0]
    ben = either_world.browser()
    ben.enter("/account/history", BEN)
    assert amara.get(f"/account/history?after={following}").status_code == 200
    assert ben.get(f"/account/history?after={following}").status_code == 400
    assert amara.get(f"/account/history?show=everything&after={following}").status_code == 400
    assert amara.get("/account/history?after=x").status_code == 400
