"""The second factor by a passkey or a security key, and setting one up (M2, M7, M11)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
from werkzeug.test import TestResponse

from idp.app import create_app
from tests.authenticator import Authenticator, b64
from tests.credentials.proving import enrol_app, factors_of
from tests.flows.test_second_factor_pages import (
    choose,
    claims,
    enter,
    methods_offered,
    to_the_step,
)
from tests.passkeys_of import Keys
from tests.security.second_factors import demand_a_second_factor, require_of_staff
from tests.world import AMARA, BEN, DANA, PASSWORD, Visitor, World, sent_back

TOMAS = "tomas@customer.example"
REFUSED = "That passkey could not be used. Try again, or choose another way."


@pytest.fixture
def strict(either_world: World) -> World:
    """Secure Payments demands a second factor."""
    demand_a_second_factor(either_world)
    return either_world


def path_of(page: TestResponse) -> str:
    found = re.search(r'formaction="([^"]+)" data-passkey', page.text)
    assert found, page.text
    return found[1]


def asked(browser: Visitor, page: TestResponse) -> dict[str, Any]:
    answer = browser.submit(page, path_of(page) + "/options")
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def prove(browser: Visitor, page: TestResponse, key: Authenticator, **more: Any) -> TestResponse:
    answer = key.get(asked(browser, page), **more)
    return browser.submit(page, path_of(page), passkey=answer)


def set_up(browser: Visitor, page: TestResponse, key: Authenticator, **more: Any) -> TestResponse:
    answer = key.create(asked(browser, page), **more)
    return browser.submit(page, path_of(page), passkey=answer, label="Blue key")


@pytest.mark.parametrize(
    ("verifies", "amr"),
    [(True, ["mfa", "pop", "pwd", "user"]), (False, ["mfa", "pop", "pwd"])],
)
def test_m7_a_key_after_the_password_opens_the_product(
    strict: World, verifies: bool, amr: list[str]
) -> None:
    key = Keys(strict, DANA).enrol(Authenticator(verifies=verifies))
    browser, page = to_the_step(strict)
    assert "Use a passkey or security key" in page.text
    told = claims(strict, browser, prove(browser, page, key))
    assert (told["acr"], told["amr"]) == ("phr", amr)


def test_m11_a_passkey_at_the_door_asks_for_no_second_factor(strict: World) -> None:
    key = Keys(strict, DANA).enrol()
    browser = strict.browser()
    page = browser.follow(browser.authorize("payments"))
    told = claims(strict, browser, prove(browser, page, key))
    assert (told["acr"], told["amr"]) == ("phr", ["mfa", "pop", "user"])


def test_m7_a_session_of_one_factor_is_asked_for_the_key_alone(strict: World) -> None:
    key = Keys(strict, DANA).enrol(Authenticator(verifies=False))
    browser = strict.browser()
    assert "code" in sent_back(browser.sign_in(DANA))
    page = browser.follow(browser.authorize("payments"))
    assert 'name="password"' not in page.text
    told = claims(strict, browser, prove(browser, page, key))
    assert told["amr"] == ["mfa", "pop", "pwd"]


def test_any_of_ones_keys_may_be_used_and_nobody_elses(strict: World) -> None:
    keys = Keys(strict, DANA)
    two = [keys.enrol(), keys.enrol(Authenticator(verifies=False))]
    bens = Keys(strict, BEN).enrol()
    for key in two:
        browser, page = to_the_step(strict)
        options = asked(browser, page)
        assert [each["id"] for each in options["allowCredentials"]] == [
            b64(each.credential_id) for each in two
        ]
        refused = prove(browser, page, bens)
        assert (refused.status_code, REFUSED in refused.text) == (400, True)
        assert browser.client.get_cookie("latchkey-session") is None
        assert prove(browser, page, key).status_code == 303


@pytest.mark.parametrize(
    "wrong",
    [
        {"flags": {"up": False}},
        {"signed": b"x"},
        {"client": {"origin": "http://localhost:8001"}},
        {"rp_id": "evil.example"},
        {"uses": 0},
    ],
)
def test_what_the_rules_refuse_is_told_beside_the_button(
    strict: World, wrong: dict[str, Any]
) -> None:
    key = Keys(strict, DANA).enrol()
    strict.run("UPDATE passkeys SET sign_count = 1")
    key.uses = 1
    browser, page = to_the_step(strict)
    answer = prove(browser, page, key, **wrong)
    assert answer.status_code == 400
    assert 'id="passkey-error"' in answer.text
    assert browser.client.get_cookie("latchkey-session") is None
    assert prove(browser, answer, key).status_code == 303


def test_another_way_can_be_chosen_and_a_key_again(strict: World) -> None:
    enrol_app(strict, DANA)
    Keys(strict, DANA).enrol()
    browser, page = to_the_step(strict)
    by_app = choose(browser, page, "totp")
    assert "Enter the code that your authenticator app shows." in by_app.text
    assert path_of(choose(browser, by_app, "passkey")) == "/login/second_factor/key"
    assert enter(browser, page, code="123456").status_code == 303


def test_a_key_of_before_a_policy_was_turned_on_again_is_not_asked_for(strict: World) -> None:
    keys = Keys(strict, DANA)
    keys.enrol()
    strict.clock.move(100)
    require_of_staff(strict, since=strict.clock())
    new = keys.enrol()
    browser, page = to_the_step(strict)
    options = asked(browser, page)
    assert [each["id"] for each in options["allowCredentials"]] == [b64(new.credential_id)]
    assert prove(browser, page, new).status_code == 303


@pytest.mark.parametrize("verifies", [True, False])
def test_m2_a_key_is_set_up_on_the_way_in_and_opens_the_product(
    strict: World, verifies: bool
) -> None:
    browser, page = to_the_step(strict)
    assert "passkey" in methods_offered(page)
    page = choose(browser, page, "passkey")
    key = Authenticator(verifies=verifies)
    saved = browser.follow(set_up(browser, page, key))
    assert "recovery codes" in saved.text
    told = claims(strict, browser, enter(browser, saved))
    assert told["acr"] == "phr"
    enrolled = factors_of(strict, DANA)
    method = "passkey" if verifies else "security_key"
    assert [(each.method, each.label) for each in enrolled[:-1]] == [(method, "Blue key")]
    other = strict.browser()
    page = other.follow(other.authorize("payments"))
    if verifies:
        assert "code" in sent_back(other.follow(prove(other, page, key)))


def test_a_new_key_that_is_refused_sets_nothing_up(strict: World) -> None:
    browser, page = to_the_step(strict)
    page = choose(browser, page, "passkey")
    refused = set_up(browser, page, Authenticator(), flags={"up": False})
    assert (refused.status_code, REFUSED in refused.text) == (400, True)
    assert 'value="Blue key"' in refused.text
    assert factors_of(strict, DANA) == []
    assert set_up(browser, refused, Authenticator()).status_code == 303


def test_s47_a_key_is_set_up_where_that_is_asked_alone(strict: World) -> None:
    """Not before the password, not where nothing is demanded, not where one has to be proven."""
    browser, page = to_the_step(strict)
    page = choose(browser, page, "passkey")
    answer = Authenticator().create(asked(browser, page))
    for visitor in (strict.browser(), browser):
        door = visitor.follow(visitor.authorize("payments"))
        for path in ("/login/enrol/key", "/login/second_factor/key"):
            assert visitor.submit(door, path + "/options").status_code == 409
            sent = visitor.submit(door, path, passkey=answer, person=Keys(strict, DANA).person.id)
            assert sent.status_code == 303
            assert sent.headers["Location"].startswith("/authorize?attempt=")
    assert factors_of(strict, DANA) == []
    enrol_app(strict, DANA)
    assert browser.submit(page, "/login/enrol/key/options").status_code == 409
    assert browser.submit(page, "/login/enrol/key", passkey=answer).status_code == 303
    assert [each.method for each in factors_of(strict, DANA)] == ["totp"]


def test_an_answer_of_another_sign_in_is_none_here(strict: World) -> None:
    key = Keys(strict, DANA).enrol()
    browser, page = to_the_step(strict)
    stolen = key.get(asked(browser, page))
    other, others_page = to_the_step(strict)
    refused = other.submit(others_page, "/login/second_factor/key", passkey=stolen)
    assert refused.status_code == 400
    door = strict.browser()
    at_the_door = door.follow(door.authorize("payments"))
    assert door.submit(at_the_door, "/login/passkey", passkey=stolen).status_code == 400


def test_another_person_in_the_form_proves_nothing(strict: World) -> None:
    key = Keys(strict, DANA).enrol()
    browser, page = to_the_step(strict)
    answer = key.get(asked(browser, page))
    person = Keys(strict, BEN).person.id
    sent = browser.submit(page, "/login/second_factor/key", passkey=answer, person=person)
    assert path_of(browser.follow(sent)) == "/login/second_factor/key"
    assert browser.client.get_cookie("latchkey-session") is None


def test_a_code_sets_up_no_key(strict: World) -> None:
    browser, page = to_the_step(strict)
    page = choose(browser, page, "passkey")
    for fields in ({}, {"code": "123456"}, {"action": "send"}):
        again = browser.submit(page, "/login/enrol", **fields)
        assert again.status_code == 303
        assert path_of(browser.follow(again)) == "/login/enrol/key"
    assert factors_of(strict, DANA) == []


def test_m6_where_the_password_is_asked_again_no_passkey_stands_in_for_it(strict: World) -> None:
    kinds = {"customer": {"mode": "required", "since": 0.0}}
    policy = {"second_factor": kinds, "password_after_enrolment": True}
    sql = "UPDATE tenants SET policy = :p WHERE slug = 'northwind'"
    strict.run(sql, p=orjson.dumps(policy).decode())
    browser = strict.browser()
    page = choose(browser, browser.sign_in(TOMAS), "passkey")
    saved = browser.follow(set_up(browser, page, Authenticator()))
    again = browser.follow(enter(browser, saved))
    assert 'name="password"' in again.text
    assert "data-passkey" not in again.text
    strict.clock.move(1)
    answer = browser.submit(again, email=TOMAS, password=PASSWORD)
    assert "code" in sent_back(browser.follow(answer))


def test_no_keys_are_set_up_or_asked_for_at_an_address(world: World) -> None:
    demand_a_second_factor(world)
    enrol_app(world, DANA)
    Keys(world, DANA).enrol()
    settings = replace(world.settings, issuer="http://127.0.0.1:8000")
    world.held = replace(world.held, settings=settings)
    world.app = create_app(world.held)
    _, page = to_the_step(world)
    assert "authenticator app" in page.text
    assert "passkey" not in page.text
    browser, page = to_the_step(world, AMARA)
    assert "passkey" not in methods_offered(page)
    page = choose(browser, page, "totp")
    assert browser.submit(page, "/login/enrol/key/options").status_code == 409
