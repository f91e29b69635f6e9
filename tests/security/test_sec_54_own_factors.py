"""S54: a way to sign in comes and goes by a fresh proof at the account's own level."""

from __future__ import annotations

from typing import Any

import pytest

from tests.account.proving import enrol_app, is_asked_to_prove, token_of
from tests.console.people_of import letters, user_id
from tests.credentials.proving import new_codes
from tests.mailed import NEW, mail_for
from tests.passkeys_of import Keys
from tests.security.second_factors import require_of_staff
from tests.world import AMARA, BEN, PASSWORD, Visitor, World

MINUTE = 60.0
PAGES = (
    *("/account/email", "/account/security/app", "/account/security/mail"),
    *("/account/security/text", "/account/security/key", "/account/security/recovery_codes"),
    *("/account/password", "/account/password/some-link"),
)
FORM = {"label": "Mine", "code": "123456", "email": "new@northwind.example", "passkey": "{}"}
KEPT = (
    *("totp_authenticators", "passkeys", "sent_code_factors", "recovery_sets", "recovery_codes"),
    *("email_changes", "sent_codes", "users", "password_links"),
)


def factor_ids(world: World, email: str = AMARA) -> list[str]:
    from idp.credentials import factors

    with world.held.database.connection() as db:
        return [each.id for each in factors.enrolled(db, user_id(world, email))]


def furnish(world: World, email: str = AMARA) -> Any:
    """An app, a named key and recovery codes."""
    app = enrol_app(world, email)
    Keys(world, email).enrol(label="Blue key")
    new_codes(world, email)
    return app


def everything(world: World) -> list[Any]:
    return [sorted(map(str, world.run(f"SELECT * FROM {table}"))) for table in KEPT]


def addresses(world: World, email: str = AMARA) -> list[str]:
    own = [f"/account/security/{each}" for each in factor_ids(world, email)]
    return [*PAGES, *(f"{each}/{act}" for each in own for act in ("remove", "name"))]


def tries_everything(world: World, visitor: Visitor) -> None:
    """Each page, and each form with a token and a person that are right."""
    before, token = everything(world), token_of(visitor)
    forms = {**FORM, "csrf_token": token, "person": user_id(world, AMARA)}
    for path in addresses(world):
        assert is_asked_to_prove(visitor.get(path)), path
        for action in ("", "send", "ask", "withdraw"):
            answer = visitor.post(path, action=action, **forms)
            assert is_asked_to_prove(answer), (path, action, answer.status)
    assert is_asked_to_prove(visitor.post("/account/security/key/options", **forms))
    assert everything(world) == before


@pytest.fixture
def amara(either_world: World) -> Visitor:
    """Signed in by her password, before she got a second factor."""
    browser = either_world.browser()
    browser.enter("/account")
    furnish(either_world)
    return browser


def step_up(world: World, visitor: Visitor, app: Any, path: str) -> Any:
    """To a page of the account, proving whatever is asked for on the way."""
    page = visitor.follow(visitor.get(path))
    if 'name="password"' in page.text:
        page = visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    if "/login/second_factor" in page.request.path:
        code = app.at(int(world.clock()))
        fields = {"method": "totp", "code": code}
        page = visitor.follow(visitor.submit(page, "/login/second_factor", **fields))
    return page


def test_sec_54_a_password_alone_changes_nothing(either_world: World, amara: Visitor):
    tries_everything(either_world, amara)


def test_sec_54_nor_does_one_that_was_proven_just_now(either_world: World, amara: Visitor):
    fresh = either_world.browser()
    fresh.enter("/account")
    tries_everything(either_world, fresh)


def test_sec_54_nor_does_a_second_factor_of_long_ago(either_world: World):
    app = enrol_app(either_world, AMARA)
    browser = either_world.browser()
    page = step_up(either_world, browser, app, "/account/security/app")
    assert page.request.path == "/account/security/app"
    either_world.clock.move(16 * MINUTE)
    tries_everything(either_world, browser)


def test_sec_54_a_fresh_proof_of_both_does(either_world: World):
    app = furnish(either_world)
    browser = either_world.browser()
    key = factor_ids(either_world)[1]
    page = step_up(either_world, browser, app, f"/account/security/{key}/name")
    assert page.request.path == f"/account/security/{key}/name"
    browser.submit(page, label="Green key")
    assert "Green key" in browser.get("/account/security").text
    page = browser.get(f"/account/security/{key}/remove")
    assert browser.submit(page).status_code == 303
    assert key not in factor_ids(either_world)
    told = {(each["to"], each["template"]) for each in letters(either_world)}
    assert (AMARA, "factor/removed") in told


def test_sec_54_a_link_from_the_mail_is_no_second_factor(either_world: World):
    """Whoever reads the mailbox and knows the password, and found an open browser."""
    browser = either_world.browser()
    assert browser.submit(browser.enter("/account/password")).status_code == 303
    link = mail_for(either_world, AMARA)[-1]["link"]
    enrol_app(either_world, AMARA)
    token, hashes = token_of(browser), either_world.run("SELECT hash FROM passwords")
    typed = {"current": PASSWORD, "password": NEW, "csrf_token": token}
    assert is_asked_to_prove(browser.get(link))
    whose = {"person": user_id(either_world, AMARA)}
    assert is_asked_to_prove(browser.post(link, **whose, **typed))
    assert either_world.run("SELECT hash FROM passwords") == hashes


def test_sec_54_somebody_elses_factor_does_not_exist(either_world: World):
    app = furnish(either_world)
    furnish(either_world, BEN)
    browser = either_world.browser()
    step_up(either_world, browser, app, "/account/security/app")
    before = everything(either_world)
    token = token_of(browser)
    whose = {"person": user_id(either_world, AMARA), "csrf_token": token, "label": "Mine now"}
    for factor in [*factor_ids(either_world, BEN), "x", "0" * 32]:
        for act in ("remove", "name"):
            path = f"/account/security/{factor}/{act}"
            assert browser.get(path).status_code == 404
            assert browser.post(path, **whose).status_code == 404
    assert everything(either_world) == before


def test_sec_54_the_first_one_takes_a_recent_password(either_world: World):
    browser = either_world.browser()
    browser.enter("/account")
    assert browser.get("/account/security/app").status_code == 200
    either_world.clock.move(16 * MINUTE)
    for path in PAGES:
        assert is_asked_to_prove(browser.get(path)), path


def test_sec_54_the_session_gets_a_new_secret_when_it_rises(either_world: World):
    app = enrol_app(either_world, AMARA)
    browser = either_world.browser()
    browser.enter("/account")
    before = either_world.run("SELECT secret_hash FROM sessions WHERE ended_at IS NULL")
    step_up(either_world, browser, app, "/account/security/app")
    after = either_world.run("SELECT secret_hash FROM sessions WHERE ended_at IS NULL")
    assert len(before) == len(after) == 1
    assert before != after


def test_sec_54_removing_the_last_one_says_beforehand_what_will_happen(either_world: World):
    app = enrol_app(either_world, AMARA)
    (own,) = factor_ids(either_world)
    browser = either_world.browser()
    page = step_up(either_world, browser, app, f"/account/security/{own}/remove")
    assert "It is your last one. Your password alone" in page.text
    require_of_staff(either_world)
    page = browser.follow(browser.get(f"/account/security/{own}/remove"))
    assert "Northwind Lending requires one" in page.text
    browser.submit(page)
    assert factor_ids(either_world) == []
    again = either_world.browser()
    page = again.follow(again.get("/account"))
    page = again.follow(again.submit(page, email=AMARA, password=PASSWORD))
    assert page.request.path == "/login/enrol"
