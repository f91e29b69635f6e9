"""S57: what ends somebody's proofs ends what they were about to enrol, too: nothing is enrolled a
moment after it, and what is enrolled a moment before is there to be removed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.audit import NOWHERE
from idp.credentials import passkeys, recovery_codes, sent_code, totp
from idp.login import email_undo
from idp.sessions import holding, of_person
from tests.account.proving import is_asked_to_prove
from tests.authenticator import Authenticator
from tests.console.people_of import user_id
from tests.console.test_factor_reset import reset
from tests.credentials.proving import code_of, newest_code
from tests.flows.test_key_pages import set_up
from tests.flows.test_second_factor_pages import choose, enter
from tests.security import choosing
from tests.security.changing_address import changed, undo_link
from tests.security.second_factors import demand_a_second_factor
from tests.security.test_sec_65_sessions_end import waiting_for_a_lock
from tests.world import DANA, Visitor, World, sent_back

WAYS: dict[str, tuple[Any, str]] = {
    "app": (totp, "enrol"),
    "mail": (sent_code, "enrol"),
    "key": (passkeys, "enrol"),
    "recovery_codes": (recovery_codes, "renew"),
}
METHODS = {"app": "totp", "mail": "email", "key": "passkey"}
TABLES = ("totp_authenticators", "sent_code_factors", "passkeys", "recovery_sets")

Act = Callable[[], Any]


def undoing(world: World, own: str) -> Act:
    """Of a change by whoever has the account now."""
    thief = world.browser()
    thief.enter("/account/email", DANA)
    changed(world, thief)
    token = undo_link(world, DANA).partition("token=")[2]
    return lambda: email_undo.undo(world.held.database, token, world.clock(), NOWHERE)


def resetting(world: World, own: str) -> Act:
    return lambda: reset(world, DANA)


def disabling(world: World, own: str) -> Act:
    who = {"email": DANA, "name": "Dana Whitfield", "status": "disabled"}
    return lambda: world.apply(users=[who])


def another_password(world: World, own: str) -> Act:
    return lambda: choosing.choose(world, email=DANA)


def sign_out(world: World, own: str) -> Act:
    def end() -> None:
        with world.held.database.transaction() as db:
            assert of_person.end_others(db, own, "", "a test", world.clock(), NOWHERE)

    return end


REMOVING = {"undo": undoing, "reset": resetting}
ENDS = {**REMOVING, "disabling": disabling, "password": another_password}
ALL_ENDS = {**ENDS, "sign-out": sign_out}

ON_A_PAGE = [("app", each) for each in ENDS] + [(way, "sign-out") for way in WAYS]
ON_THE_WAY_IN = [("app", each) for each in ENDS] + [("mail", "undo"), ("key", "reset")]
HELD = [(way, each) for way in WAYS for each in REMOVING] + [
    ("app", each) for each in ALL_ENDS if each not in REMOVING
]


def prepared(world: World, name: str) -> tuple[str, Act]:
    """Dana's id, and what ends what she has proven, if somebody does it later, by a clock that is
    a second behind."""
    own = user_id(world, DANA)
    act = ALL_ENDS[name](world, own)
    world.clock.move(61)

    def behind() -> None:
        world.clock.move(-1)
        act()
        world.clock.move(1)

    return own, behind


def signs_in_as(world: World, own: str) -> str:
    return str(world.run("SELECT email FROM users WHERE id = :u", u=own)[0][0])


def on_the_account_page(world: World, browser: Visitor, email: str, way: str) -> Act:
    """What sends the last form, two seconds later."""
    page = browser.enter(f"/account/security/{way}", email)
    world.clock.move(2)
    if way == "key":
        return lambda: set_up(browser, page, Authenticator())
    if way == "mail":
        page = browser.submit(page, action="send")
        return lambda: browser.submit(page, code=newest_code(world))
    return lambda: browser.submit(page, **typed(world, page))


def in_the_sign_in(world: World, browser: Visitor, page: TestResponse, way: str) -> Act:
    page = choose(browser, page, METHODS[way])
    world.clock.move(2)
    if way == "key":
        return lambda: set_up(browser, page, Authenticator())
    if way == "mail":
        page = browser.follow(enter(browser, page, action="send"))
        return lambda: enter(browser, page, code=newest_code(world))
    return lambda: enter(browser, page, **typed(world, page))


def typed(world: World, page: TestResponse) -> dict[str, str]:
    """The code of an app that has read the page's secret, if there is one."""
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
    return {"code": code_of(secret[1].replace(" ", ""), world.clock())} if secret else {}


def meanwhile(monkeypatch: pytest.MonkeyPatch, way: str, act: Act) -> None:
    """When the page has let somebody in, and before the rule has begun."""
    module, name = WAYS[way]
    rule = getattr(module, name)

    def late(*given: Any) -> Any:
        act()
        return rule(*given)

    monkeypatch.setattr(module, name, late)


def there(world: World, own: str) -> list[str]:
    rows = {each: f"SELECT count(*) FROM {each} WHERE user_id = :u" for each in TABLES}
    return [table for table, count in rows.items() if world.run(count, u=own) != [(0,)]]


def told(world: World) -> list[Any]:
    return [*world.audit("factor.enrolled"), *world.audit("recovery_codes.made")]


@pytest.mark.parametrize(("way", "name"), ON_A_PAGE)
def test_sec_57_nothing_is_enrolled_by_a_session_that_has_just_ended(
    either_world: World, monkeypatch: pytest.MonkeyPatch, way: str, name: str
) -> None:
    world, browser = either_world, either_world.browser()
    own, act = prepared(world, name)
    send = on_the_account_page(world, browser, signs_in_as(world, own), way)
    meanwhile(monkeypatch, way, act)
    answer = send()
    assert is_asked_to_prove(answer)
    assert 'name="password"' in browser.follow(answer).text
    assert (there(world, own), told(world)) == ([], [])


def to_the_enrolment(world: World, browser: Visitor, own: str) -> TestResponse:
    demand_a_second_factor(world)
    return browser.sign_in(signs_in_as(world, own), client_id="payments")


@pytest.mark.parametrize(("way", "name"), ON_THE_WAY_IN)
def test_sec_57_nor_by_a_half_finished_sign_in(
    either_world: World, monkeypatch: pytest.MonkeyPatch, way: str, name: str
) -> None:
    world, browser = either_world, either_world.browser()
    own, act = prepared(world, name)
    page = to_the_enrolment(world, browser, own)
    send = in_the_sign_in(world, browser, page, way)
    meanwhile(monkeypatch, way, act)
    is_over(browser, page, send())
    assert (there(world, own), told(world)) == ([], [])


@pytest.mark.parametrize("way", ["app", "key"])
@pytest.mark.parametrize("name", REMOVING)
def test_sec_57_nor_recovery_codes_beside_what_was_enrolled_before_it(
    either_world: World, monkeypatch: pytest.MonkeyPatch, way: str, name: str
) -> None:
    """A passkey that was enrolled proves who somebody is, but not that they may do what they began
    before they had it."""
    world, browser = either_world, either_world.browser()
    own, act = prepared(world, name)
    page = to_the_enrolment(world, browser, own)
    send = in_the_sign_in(world, browser, page, way)
    meanwhile(monkeypatch, "recovery_codes", act)
    is_over(browser, page, send())
    assert (there(world, own), world.audit("recovery_codes.made")) == ([], [])


def is_over(browser: Visitor, page: TestResponse, answer: TestResponse) -> None:
    assert answer.status_code == 400
    assert "This sign-in has expired." in answer.text
    again = f"/authorize?attempt={page.request.args['attempt']}"
    assert 'name="password"' in browser.follow(browser.get(again)).text
    assert browser.client.get_cookie("latchkey-session") is None


def test_sec_57_a_step_of_a_session_that_was_signed_out_enrols_nothing(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, browser = either_world, either_world.browser()
    own, act = prepared(world, "sign-out")
    demand_a_second_factor(world)
    assert "code" in sent_back(browser.sign_in(DANA))
    send = in_the_sign_in(world, browser, browser.follow(browser.authorize("payments")), "app")
    meanwhile(monkeypatch, "app", act)
    assert send().status_code == 400
    assert (there(world, own), told(world)) == ([], [])


def test_sec_57_a_sign_in_of_its_own_goes_on_when_the_browsers_session_ends(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, browser = either_world, either_world.browser()
    own, act = prepared(world, "sign-out")
    assert "code" in sent_back(browser.sign_in(DANA))
    demand_a_second_factor(world)
    page = browser.sign_in(DANA, client_id="payments", prompt="login")
    send = in_the_sign_in(world, browser, page, "app")
    meanwhile(monkeypatch, "app", act)
    assert send().status_code == 303
    assert there(world, own) == ["totp_authenticators", "recovery_sets"]


def while_held(world: World, monkeypatch: pytest.MonkeyPatch, act: Act) -> tuple[Any, list[Any]]:
    """It begins when the rule has seen that it may, and before it has written. The thread, and
    whether it waited, where one can see that; and what went wrong in it."""
    found: list[Any] = []

    def guarded() -> None:
        try:
            act()
        except Exception as problem:  # noqa: BLE001 - it is asserted that there is none
            found.append(problem)

    thread, hold = threading.Thread(target=guarded), holding.hold

    def slow(*given: Any) -> bool:
        held = hold(*given)
        if thread.ident is None:
            thread.start()
            waits(world, thread)
            found.append(thread.is_alive())
        return held

    monkeypatch.setattr(holding, "hold", slow)
    return thread, found


def waits(world: World, thread: threading.Thread) -> None:
    """On SQLite nobody else can write, and there is nobody to ask who would like to."""
    deadline = time.monotonic() + 30
    while not world.held.database.is_sqlite and thread.is_alive():
        if waiting_for_a_lock(world):
            return
        assert time.monotonic() < deadline


@pytest.mark.parametrize(("way", "name"), HELD)
def test_sec_57_what_ends_it_waits_for_what_is_being_enrolled_and_finds_it(
    either_world: World, monkeypatch: pytest.MonkeyPatch, way: str, name: str
) -> None:
    world, browser = either_world, either_world.browser()
    own, act = prepared(world, name)
    send = on_the_account_page(world, browser, signs_in_as(world, own), way)
    thread, found = while_held(world, monkeypatch, act)
    send()
    thread.join(30)
    assert found == [True]
    assert is_asked_to_prove(browser.get("/account"))
    assert world.audit("recovery_codes.made" if way == "recovery_codes" else "factor.enrolled")
    assert (there(world, own) == []) == (name in REMOVING)


@pytest.mark.parametrize("name", REMOVING)
def test_sec_57_what_a_passkey_proved_goes_with_it_even_by_a_clock_that_is_behind(
    either_world: World, name: str
) -> None:
    world, browser = either_world, either_world.browser()
    own, act = prepared(world, name)
    page = to_the_enrolment(world, browser, own)
    codes = browser.follow(in_the_sign_in(world, browser, page, "key")())
    assert "Save your recovery codes" in codes.text
    act()
    assert 'name="password"' in browser.follow(enter(browser, codes)).text
    assert browser.client.get_cookie("latchkey-session") is None
    assert there(world, own) == []
