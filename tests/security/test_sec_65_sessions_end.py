"""S65 and S66: an ended session stays ended, and every session ends."""

from __future__ import annotations

import threading
import time

import pytest
from werkzeug.test import TestResponse

from idp.audit import NOWHERE
from idp.sessions import logout
from tests.security.protocol import together
from tests.world import AMARA, BEN, PASSWORD, Visitor, World, sent_back

SESSION = "latchkey-session"
HOUR = 3600


def is_signed_in(browser: Visitor) -> bool:
    return "code" in sent_back(browser.authorize(prompt="none"))


def sign_out(browser: Visitor) -> None:
    answer = browser.submit(browser.get("/logout"), decision="sign_out")
    assert answer.headers["Location"] == "/logout/done"


def cookies_of(browser: Visitor) -> str:
    kept = (browser.client._cookies or {}).values()
    return "; ".join(f"{cookie.key}={cookie.value}" for cookie in kept)


def test_sec_65_the_cookie_of_an_ended_session_opens_nothing(world: World) -> None:
    browser = world.browser()
    tokens = browser.tokens()
    kept = cookies_of(browser)
    sign_out(browser)
    replay = world.browser(Cookie=kept)
    replay.client._cookies = None
    assert sent_back(replay.authorize(prompt="none"))["error"] == "login_required"
    assert AMARA not in replay.get("/").text
    assert replay.get("/account").status_code == 303
    assert world.refresh(tokens["refresh_token"]).status_code == 400
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert world.introspect(tokens["access_token"]) == {"active": False}


def test_sec_65_the_back_button_shows_nothing_kept(world: World) -> None:
    browser = world.browser()
    browser.code()
    for path in ("/", "/account", "/logout", "/logout/done"):
        assert browser.get(path).headers["Cache-Control"] == "no-store", path


def test_sec_65_the_next_person_at_the_browser_finds_nothing_of_the_last(world: World) -> None:
    browser = world.browser()
    first = browser.tokens(AMARA)
    sign_out(browser)
    for page in (browser.get("/"), browser.follow(browser.authorize())):
        assert "Amara" not in page.text
        assert AMARA not in page.text
    second = browser.tokens(BEN)
    assert BEN in browser.get("/account").text
    assert AMARA not in browser.get("/account").text
    assert world.userinfo(first["access_token"]).status_code == 401
    assert (world.userinfo(second["access_token"]).json or {})["email"] == BEN
    sessions = world.run("SELECT id, user_id FROM sessions")
    assert len({session for session, _ in sessions}) == len({user for _, user in sessions}) == 2


def test_sec_65_signing_out_without_a_cookie_ends_nobodys_session(world: World) -> None:
    """And the session that nobody ended is not handed to whoever comes next."""
    browser, bare = world.browser(), world.browser()
    hint = browser.tokens()["id_token"]
    assert bare.get(f"/logout?id_token_hint={hint}").status_code == 303
    assert is_signed_in(browser)
    bare.code(BEN)
    assert BEN in bare.get("/account").text
    assert AMARA in browser.get("/account").text


def test_sec_65_another_person_signing_in_ends_the_first_ones_session(world: World) -> None:
    browser = world.browser()
    first = browser.tokens(AMARA)
    kept = browser.client.get_cookie(SESSION)
    page = browser.follow(browser.authorize(prompt="login"))
    page = browser.get(page.request.path + "?" + page.request.query_string.decode() + "&other=1")
    browser.follow(browser.submit(page, email=BEN, password=PASSWORD))
    assert world.refresh(first["refresh_token"]).status_code == 400
    replay = world.browser()
    assert kept
    replay.client.set_cookie(SESSION, kept.value)
    assert not is_signed_in(replay)


def test_sec_65_only_offline_access_outlives_the_sign_out(world: World) -> None:
    browser = world.browser()
    offline = browser.tokens(scope="openid offline_access")["refresh_token"]
    online = browser.tokens()["refresh_token"]
    sign_out(browser)
    assert world.refresh(online).status_code == 400
    assert world.refresh(offline).status_code == 200


def test_sec_66_an_unused_session_ends_after_an_hour(world: World) -> None:
    browser = world.browser()
    browser.code()
    world.clock.move(HOUR - 1)
    assert is_signed_in(browser)
    world.clock.move(HOUR + 1)
    assert not is_signed_in(browser)
    assert browser.get("/account").status_code == 303


def test_sec_66_a_used_session_ends_after_a_day(world: World) -> None:
    browser = world.browser()
    refresh = browser.tokens()["refresh_token"]
    for _ in range(47):
        world.clock.move(HOUR / 2)
        assert is_signed_in(browser)
    world.clock.move(HOUR / 2 - 1)
    assert is_signed_in(browser)
    assert world.refresh(refresh).status_code == 200
    world.clock.move(1)
    assert not is_signed_in(browser)
    assert world.refresh(refresh).status_code == 400


def test_sec_66_using_a_session_does_not_move_the_proof(world: World) -> None:
    browser = world.browser()
    browser.code()
    for _ in range(3):
        world.clock.move(HOUR / 2)
        assert is_signed_in(browser)
    answer = browser.authorize(prompt="none", max_age=str(HOUR))
    assert sent_back(answer)["error"] == "login_required"


def demand(world: World, **policy: int) -> None:
    world.apply(tenants=[{"slug": "northwind", "name": "Northwind Lending", "policy": policy}])


def test_sec_66_a_shorter_idle_time_of_the_tenants_ends_live_sessions(world: World) -> None:
    browser, signed_in_at = world.browser(), world.clock()
    browser.code()
    demand(world, session_idle_minutes=10)
    world.clock.now = signed_in_at + 600
    assert is_signed_in(browser)
    world.clock.move(601)
    assert not is_signed_in(browser)


def test_sec_66_a_shorter_life_of_the_tenants_ends_live_sessions(world: World) -> None:
    browser, signed_in_at = world.browser(), world.clock()
    browser.code()
    demand(world, session_absolute_hours=1)
    world.clock.now = signed_in_at + HOUR / 2
    assert is_signed_in(browser)
    world.clock.now = signed_in_at + HOUR
    assert is_signed_in(browser)
    world.clock.move(1)
    assert not is_signed_in(browser)


def test_sec_66_a_tenant_cannot_make_sessions_longer(world: World) -> None:
    browser = world.browser()
    demand(world, session_absolute_hours=720, session_idle_minutes=1440)
    browser.code()
    world.clock.move(HOUR + 1)
    assert not is_signed_in(browser)


def test_sec_66_a_policy_of_one_tenant_leaves_the_other_alone(world: World) -> None:
    northwind, harbor = world.browser(), world.browser()
    northwind.code(AMARA)
    harbor.code("hana@harbor.example")
    world.clock.move(31 * 60)
    assert is_signed_in(northwind)
    assert not is_signed_in(harbor)


def waiting_for_a_lock(world: World) -> bool:
    found = world.run("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    return bool(found[0][0])


def told_of_sign_out(world: World) -> set[str]:
    found = world.run("SELECT client_id FROM outbox WHERE kind = 'backchannel_logout'")
    return {row[0] for row in found}


def test_sec_65_no_product_slips_in_while_the_session_ends(postgres_world: World) -> None:
    """It redeems its first code after the sign-out has begun and before it is committed."""
    world = postgres_world
    code = world.browser().code(client_id="payments")
    [[session_id]] = world.run("SELECT id FROM sessions")
    answers: list[TestResponse] = []
    redeem = threading.Thread(target=lambda: answers.append(world.redeem(code, "payments")))
    with world.held.database.transaction() as db:
        assert logout.end(db, session_id, "a test", world.clock(), NOWHERE)
        redeem.start()
        deadline = time.monotonic() + 30
        while redeem.is_alive() and not waiting_for_a_lock(world):
            assert time.monotonic() < deadline
    redeem.join()
    is_told = "payments" in told_of_sign_out(world)
    assert (answers[0].status_code, is_told) == (400, False), answers[0].text
    assert world.run("SELECT count(*) FROM client_sessions") == [(0,)]


ROUNDS = 15
PRODUCTS = ("lms", "payments", "connections")


@pytest.mark.parametrize("ahead", [0.0, 0.004])
def test_sec_65_of_redeeming_and_signing_out_at_once_nothing_is_left_open(
    either_world: World, ahead: float
) -> None:
    """Whoever got tokens is told of the sign-out. `ahead` lets the one or the other win."""
    world = either_world
    for _ in range(ROUNDS):
        assert redeemed_at_sign_out(world, ahead) <= told_of_sign_out(world)
        world.run("DELETE FROM outbox")


def redeemed_at_sign_out(world: World, ahead: float) -> set[str]:
    """The products that got tokens."""
    browser, got = world.browser(), set()
    codes = {client_id: browser.code(client_id=client_id) for client_id in PRODUCTS}
    page = browser.get("/logout")

    def act(number: int) -> None:
        if number == len(PRODUCTS):
            threading.Event().wait(ahead)
            browser.submit(page, decision="sign_out")
        elif world.redeem(codes[PRODUCTS[number]], PRODUCTS[number]).status_code == 200:
            got.add(PRODUCTS[number])

    together(len(PRODUCTS) + 1, act)
    return got
