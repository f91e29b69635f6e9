"""Adding ways to prove who one is, on the account page."""

from __future__ import annotations

import html
import re
from typing import Any

import orjson
import pyotp
import pytest

from idp.secret_values import LETTER_SECRET
from tests.authenticator import Authenticator
from tests.console.people_of import letters, user_id
from tests.credentials.proving import enrol_app, new_codes
from tests.world import AMARA, Visitor, World


@pytest.fixture
def amara(either_world: World) -> Visitor:
    browser = either_world.browser()
    browser.enter("/account/security")
    return browser


def secret_on(page: Any) -> str:
    (shown,) = re.findall(r'class="secret"><code>([A-Z2-7 ]+)</code>', page.text)
    return str(shown).replace(" ", "")


def methods(world: World) -> list[str]:
    from idp.credentials import factors

    with world.held.database.connection() as db:
        return [each.method for each in factors.enrolled(db, user_id(world, AMARA))]


def test_an_app_is_added_by_a_code_that_it_shows(either_world: World, amara: Visitor):
    page = amara.get("/account/security/app")
    app = pyotp.TOTP(secret_on(page))
    wrong = amara.submit(page, code="000000")
    assert wrong.status_code == 422
    assert secret_on(wrong) == app.secret, "the same is offered until it is set up"
    assert methods(either_world) == []
    done = amara.submit(page, code=app.at(int(either_world.clock())))
    assert methods(either_world) == ["totp", "recovery"]
    assert len(re.findall(r"<code>[0-9A-Z-]{19}</code>", done.text)) == 10
    told = {(each["to"], each["template"]) for each in letters(either_world)}
    assert (AMARA, "factor/enrolled") in told
    assert "Authenticator app" in amara.get("/account/security").text


def test_the_secret_is_never_shown_again(either_world: World, amara: Visitor):
    page = amara.get("/account/security/app")
    app = pyotp.TOTP(secret_on(page))
    amara.submit(page, code=app.at(int(either_world.clock())))
    for path in ("/account/security", "/account"):
        assert app.secret not in amara.get(path).text.replace(" ", "")


def test_codes_by_mail_are_added_by_the_one_that_was_sent(either_world: World, amara: Visitor):
    page = amara.get("/account/security/mail")
    sent = amara.submit(page, action="send")
    (payload,) = (
        orjson.loads(row[0])
        for row in either_world.run("SELECT payload FROM outbox WHERE kind = 'code'")
    )
    assert payload["to"] == AMARA
    code = either_world.held.secret_keys.decrypt(payload["sealed_code"], LETTER_SECRET).decode()
    assert amara.submit(sent, code="00000x").status_code == 422
    amara.submit(sent, code=code)
    assert methods(either_world) == ["email", "recovery"]


def test_a_key_is_added_with_its_name(either_world: World, amara: Visitor):
    page = amara.get("/account/security/key")
    options = amara.submit(page, "/account/security/key/options").json or {}
    answer = Authenticator().create(options)
    amara.submit(page, "/account/security/key", passkey=answer, label="Blue key")
    assert methods(either_world)[:1] == ["passkey"]
    assert "Blue key" in html.unescape(amara.get("/account/security").text)
    replay = amara.submit(page, "/account/security/key", passkey=answer, label="Again")
    assert replay.status_code in (303, 422)
    assert methods(either_world)[:2] == ["passkey", "recovery"]


def test_new_recovery_codes_are_shown_once(either_world: World, amara: Visitor):
    page = amara.get("/account/security/recovery_codes")
    made = amara.submit(page)
    codes = re.findall(r"<code>([0-9A-Z-]{19})</code>", made.text)
    assert len(set(codes)) == 10
    again = amara.follow(amara.get("/account/security/recovery_codes")).text
    assert not any(code in again for code in codes)


@pytest.mark.parametrize(
    ("left", "english", "spanish"),
    [
        (10, "All ten are left. Each lets you in once", "Quedan los diez. Cada uno"),
        (3, "3 of 10 are left. Each lets you in once", "Quedan 3 de 10. Cada uno"),
        (1, "1 of 10 is left. Each lets you in once", "Queda 1 de 10. Cada uno"),
        (0, "None is left. Without them,", "No queda ninguno. Sin ellos,"),
        (None, "You have none. Without them,", "No tiene ninguno. Sin ellos,"),
    ],
)
def test_how_many_recovery_codes_are_left_is_said_as_people_say_it(
    world: World, left: int | None, english: str, spanish: str
):
    enrol_app(world)
    if left is not None:
        new_codes(world)
        used = "SELECT code_hash FROM recovery_codes LIMIT :n"
        world.run(f"UPDATE recovery_codes SET used_at = 1 WHERE code_hash IN ({used})", n=10 - left)
    for language, words in (("en", english), ("es", spanish)):
        page = world.browser(Accept_Language=language).enter("/account/security")
        assert words in " ".join(page.text.split())


def test_what_can_not_be_set_up_here_is_not_offered(world: World):
    browser = world.browser()
    page = browser.enter("/account/security").text
    assert "/account/security/key" in page
    assert "/account/security/text" not in page
    object.__setattr__(world.settings, "demo_inbox", True)
    assert "/account/security/text" in browser.get("/account/security").text


def test_no_key_is_offered_where_the_provider_has_no_name(world: World):
    browser = world.browser()
    browser.enter("/account/security")
    object.__setattr__(world.settings, "issuer", "http://127.0.0.1:8000")
    page = browser.get("/account/security").text
    assert "/account/security/app" in page
    assert "/account/security/key" not in page


def test_sec_52_codes_are_counted_for_the_company_that_one_is_in(either_world: World):
    browser = either_world.browser()
    browser.tokens(AMARA, tenant="northwind")
    browser.submit(browser.get("/account/security/mail"), action="send")
    ((northwind,),) = either_world.run("SELECT id FROM tenants WHERE slug = 'northwind'")
    key = f"codes for:{northwind}"
    assert either_world.run("SELECT failed FROM attempt_limits WHERE key = :k", k=key) == [(1,)]


def test_m4_who_adds_one_has_not_skipped_any_more(either_world: World, amara: Visitor):
    either_world.run("UPDATE memberships SET second_factor_skipped_at = 1")
    page = amara.get("/account/security/app")
    amara.submit(page, code=pyotp.TOTP(secret_on(page)).at(int(either_world.clock())))
    own = user_id(either_world, AMARA)
    skipped = "SELECT second_factor_skipped_at FROM memberships WHERE user_id = :u"
    assert either_world.run(skipped, u=own) == [(None,)]
