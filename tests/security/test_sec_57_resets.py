"""S57: what a forgotten password's letter ends, and what can't overtake it."""

from __future__ import annotations

import threading

import pytest

from idp.audit import NOWHERE
from idp.database import Connection
from idp.login import new_password, resetting
from idp.login.new_password import ChangedMeanwhile, Owner
from tests.mailed import NEW, by_link, link_for, mail_for
from tests.security.choosing import choose, is_right, user_id
from tests.world import AMARA, BEN, PASSWORD, World, sent_back

STRANGERS = "Loud herons carve 31 canoes"


def send_temporary(world: World, token: str) -> None:
    held = world.held
    given = (held.database, held.hasher, held.secret_keys, token)
    resetting.send_temporary(*given, world.clock(), NOWHERE)


def test_sec_57_a_change_that_was_being_hashed_does_not_overtake_a_reset(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner confirms the letter while whoever knows the old one sets another."""
    world, hashed = either_world, either_world.held.hasher.hash
    token = link_for(world).partition("token=")[2]
    begun, reset = threading.Event(), threading.Event()

    def slow(claimed: str, email: str) -> str:
        if claimed == STRANGERS:
            begun.set()
            assert reset.wait(30)
        return hashed(claimed, email)

    monkeypatch.setattr(world.held.hasher, "hash", slow)
    came: list[str] = []
    stranger = threading.Thread(target=lambda: came.append(overtake(world)))
    stranger.start()
    assert begun.wait(30)
    send_temporary(world, token)
    reset.set()
    stranger.join(30)
    assert came == ["late"]
    world.clock.move(1)
    assert not is_right(world, STRANGERS)
    assert is_right(world, mail_for(world, AMARA)[-1]["code"])


def overtake(world: World) -> str:
    try:
        choose(world, STRANGERS)
    except ChangedMeanwhile:
        return "late"
    return "done"


def test_sec_57_a_step_that_was_found_open_before_a_reset_is_not_after_it(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the step looked at must still be so, not what is found when the hashing begins."""
    world, owner_of = either_world, new_password.owner_of
    demand = "UPDATE passwords SET must_change = 'compromised' WHERE user_id = :u"
    world.run(demand, u=user_id(world))
    browser = world.browser()
    asked = browser.sign_in(AMARA)
    token = link_for(world).partition("token=")[2]

    def late(db: Connection, who: str) -> Owner:
        monkeypatch.undo()
        send_temporary(world, token)
        return owner_of(db, who)

    monkeypatch.setattr(new_password, "owner_of", late)
    browser.submit(asked, password=STRANGERS)
    assert world.audit("password.changed") == []
    assert is_right(world, mail_for(world, AMARA)[-1]["code"])


@pytest.fixture(params=["a link", "a temporary password"])
def resetting_world(request: pytest.FixtureRequest, either_world: World) -> World:
    if request.param == "a link":
        by_link(either_world)
    return either_world


def confirm(world: World, link: str) -> None:
    browser = world.browser()
    assert browser.submit(browser.get(link), password=NEW).status_code == 303


def test_sec_57_a_reset_ends_everything_at_its_own_moment(resetting_world: World) -> None:
    """A temporary password ends it when it is sent, not when it is used."""
    world = resetting_world
    browser, half, bens = world.browser(), world.browser(), world.browser()
    tokens = browser.tokens(scope="openid offline_access")
    online = world.browser().tokens()
    code = world.browser().code()
    waiting = half.submit(half.follow(half.authorize()), email=AMARA, password=PASSWORD)
    bens.tokens(BEN)
    link = link_for(world)
    fresh = world.browser()
    late = fresh.code()
    confirm(world, link)
    assert "login_required" in browser.authorize(prompt="none").headers["Location"]
    assert world.refresh(tokens["refresh_token"]).status_code == 400
    for each in (tokens, online):
        assert not world.introspect(each["access_token"])["active"]
        assert world.userinfo(each["access_token"]).status_code == 401
    assert world.redeem(code).status_code == 400
    assert world.redeem(late).status_code == 400
    assert 'name="password"' in half.follow(waiting).text
    assert half.client.get_cookie("latchkey-session") is None
    assert not is_right(world)
    assert "code" in sent_back(bens.authorize(prompt="none")), "nobody else's"


def test_sec_57_a_reset_ends_the_links_that_were_there_before(resetting_world: World) -> None:
    world = resetting_world
    browser = world.browser()
    browser.submit(browser.enter("/account/password"))
    change = mail_for(world, AMARA)[-1]["link"]
    link = link_for(world)
    confirm(world, link)
    world.clock.move(1)
    again = world.browser()
    secret = NEW if is_right(world, NEW) else mail_for(world, AMARA)[-1]["code"]
    page = again.sign_in(AMARA, secret)
    if "temporary" in page.text:
        again.follow(again.submit(page, password=NEW))
    assert again.get("/account/password").status_code == 200
    assert again.get(change).status_code == 404
