"""Signing in without a password, over HTTP: product.md S2 and M11."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.credentials import challenges
from idp.directory import users
from tests.authenticator import Authenticator, b64
from tests.passkeys_of import Keys
from tests.world import (
    ADDRESSES,
    AMARA,
    BEN,
    DANA,
    PASSWORD,
    World,
    claims_of,
    sent_back,
)

REFUSED = "That passkey could not be used. Try again, or choose another way."
VARYING = re.compile(r'(name="csrf_token" value|name="attempt" value|attempt)="?=?[\w.-]*"?')


class Device:
    """A browser of a world, and a passkey of somebody's."""

    def __init__(self, world: World, email: str = AMARA, **kind: Any) -> None:
        self.browser = world.browser()
        self.passkey = Keys(world, email).enrol(Authenticator(**kind))

    def open(self, client_id: str = "lms", **changed: str | None) -> TestResponse:
        page = self.browser.follow(self.browser.authorize(client_id, **changed))
        assert page.status_code == 200
        return page

    def asked(self, page: TestResponse) -> dict[str, Any]:
        answer = self.browser.submit(page, "/login/passkey/options")
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})

    def sign_in(self, page: TestResponse, **more: Any) -> TestResponse:
        product = more.pop("product", None)
        sent = {"passkey": self.passkey.get(self.asked(page), **more)}
        sent |= {"product": product} if product else {}
        return self.browser.follow(self.browser.submit(page, "/login/passkey", **sent))


def test_m11_a_passkey_signs_in_without_a_password(either_world: World) -> None:
    device = Device(either_world)
    code = sent_back(device.sign_in(device.open()))["code"]
    tokens = either_world.redeem(code).json or {}
    claims = claims_of(tokens["id_token"])
    assert (claims["sub"], claims["acr"]) == (Keys(either_world).person.id, "phr")
    assert set(claims["amr"]) == {"mfa", "pop", "user"}
    (event,) = either_world.audit("sign_in.succeeded")
    assert event["amr"] == ["mfa", "pop", "user"]
    assert either_world.audit("sign_in.failed") == []


def test_s3_what_a_passkey_began_opens_every_other_product(world: World) -> None:
    device = Device(world, DANA)
    device.sign_in(device.open())
    for client_id in ("payments", "connections"):
        assert "code" in sent_back(device.browser.authorize(client_id, prompt="none"))


def test_s2_the_page_says_to_browsers_that_passkeys_may_be_used(world: World) -> None:
    page = Device(world).open()
    assert 'autocomplete="username webauthn"' in page.text
    button = re.search(r"<button[^>]*data-passkey[^>]*>", page.text)
    assert button
    assert " hidden" in button[0]  # until a script finds that the browser can
    assert 'data-options="/login/passkey/options"' in button[0]


def test_s1_a_visitor_lands_in_the_product_of_the_tile_that_they_picked(world: World) -> None:
    device = Device(world)
    page = device.browser.get("/")
    answer = device.sign_in(page, product="payments")
    assert answer.headers["Location"].startswith(ADDRESSES["payments"])


def test_a_visitor_who_picked_no_tile_is_shown_what_they_may_open(world: World) -> None:
    device = Device(world)
    home = device.sign_in(device.browser.get("/"))
    assert home.status_code == 200
    assert "Your products" in home.text


def test_another_tile_than_the_one_that_asked_opens_the_other_product(world: World) -> None:
    device = Device(world)
    answer = device.sign_in(device.open("lms"), product="connections")
    assert answer.headers["Location"].startswith(ADDRESSES["connections"])


def test_s42_a_passkey_works_while_the_password_is_paused(world: World) -> None:
    device, stranger = Device(world), world.browser()
    page = stranger.follow(stranger.authorize())
    for _ in range(6):
        stranger.submit(page, email=AMARA, password="not the password")
    assert stranger.submit(page, email=AMARA, password=PASSWORD).status_code == 400
    assert "code" in sent_back(device.sign_in(device.open()))


def test_a_disabled_person_does_not_sign_in_and_is_told_as_little_as_anybody(world: World) -> None:
    device, other = Device(world), Device(world, BEN)
    world.run(f"UPDATE users SET status = '{users.DISABLED}' WHERE email = :e", e=AMARA)
    disabled = device.sign_in(device.open())
    unsound = other.sign_in(other.open(), signed=b"x")
    for answer in (disabled, unsound):
        assert answer.status_code == 400
        assert REFUSED in answer.text
    assert VARYING.sub("", disabled.text) == VARYING.sub("", unsound.text)
    first, _ = world.audit("sign_in.failed")
    assert first["reason"] == "disabled"


@pytest.mark.parametrize(
    "wrong",
    [
        {"flags": {"uv": False}},
        {"flags": {"up": False}},
        {"client": {"origin": "http://localhost:8001"}},
        {"client": {"origin": "https://badlocalhost"}},
        {"client": {"crossOrigin": True}},
        {"rp_id": "evil.example"},
        {"signed": b"x"},
    ],
)
def test_what_the_rules_refuse_signs_nobody_in(world: World, wrong: dict[str, Any]) -> None:
    device = Device(world)
    page = device.open()
    answer = device.sign_in(page, **wrong)
    assert (answer.status_code, REFUSED in answer.text) == (400, True)
    assert "latchkey-session" not in str(answer.headers)
    assert sent_back(device.browser.authorize(prompt="none"))["error"] == "login_required"
    assert "code" in sent_back(device.sign_in(page))


def test_a_passkey_that_nobody_has_may_be_forgotten_by_the_browser(world: World) -> None:
    device = Device(world)
    world.run("DELETE FROM passkeys")
    answer = device.sign_in(device.open())
    assert f'data-unknown="{b64(device.passkey.credential_id)}"' in answer.text
    assert 'data-party="localhost"' in answer.text


def test_a_passkey_that_somebody_has_is_never_forgotten(world: World) -> None:
    device = Device(world)
    assert "data-unknown" not in device.sign_in(device.open(), signed=b"x").text


@pytest.mark.parametrize("answer", ["", "{}", "<script>", "x" * 30_000])
def test_what_is_no_answer_is_refused(world: World, answer: str) -> None:
    device = Device(world)
    page = device.open()
    sent = device.browser.submit(page, "/login/passkey", passkey=answer)
    assert sent.status_code == 400
    assert "<script>" not in sent.text.partition("</head>")[2]


def test_an_answer_serves_one_browser_and_one_sign_in_once(world: World) -> None:
    device, thief = Device(world), world.browser()
    page = device.open()
    answer = device.passkey.get(device.asked(page))
    stolen = thief.follow(thief.authorize())
    assert thief.submit(stolen, "/login/passkey", passkey=answer).status_code == 400
    other_sign_in = device.open(state="another")
    refused = device.browser.submit(other_sign_in, "/login/passkey", passkey=answer)
    assert refused.status_code == 400
    first = device.browser.submit(page, "/login/passkey", passkey=answer)
    assert first.status_code == 303
    assert device.browser.submit(page, "/login/passkey", passkey=answer).status_code == 400


def test_a_visitors_answer_serves_their_own_browser_alone(world: World) -> None:
    """Their pages belong to no sign-in yet."""
    device, thief = Device(world), world.browser()
    answer = device.passkey.get(device.asked(device.browser.get("/")))
    stolen = thief.submit(thief.get("/"), "/login/passkey", passkey=answer)
    assert stolen.status_code == 400
    own = device.browser.submit(device.browser.get("/"), "/login/passkey", passkey=answer)
    assert own.status_code == 303


def test_an_answer_that_came_too_late_can_be_given_again(world: World) -> None:
    device = Device(world)
    page = device.open()
    asked = device.asked(page)
    world.clock.move(challenges.LIFETIME)
    late = device.browser.submit(page, "/login/passkey", passkey=device.passkey.get(asked))
    assert late.status_code == 400
    assert "code" in sent_back(device.sign_in(late))


def test_neither_is_asked_nor_answered_without_the_forms_token(world: World) -> None:
    device = Device(world)
    page = device.open()
    for path in ("/login/passkey/options", "/login/passkey"):
        assert device.browser.submit(page, path, csrf_token="x").status_code == 403
        foreign = device.browser.client.post(path, headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403
        assert device.browser.get(path).status_code == 405


def test_s44_what_a_browser_is_asked_tells_nothing_of_anybody(world: World) -> None:
    device = Device(world)
    page = device.open(login_hint=AMARA)
    known = device.asked(page)
    unknown = device.asked(device.open(login_hint="nobody@northwind.example"))
    assert known["challenge"] != unknown["challenge"]
    assert known | {"challenge": ""} == unknown | {"challenge": ""}
    assert known["allowCredentials"] == []


def test_max_age_asks_again_and_a_passkey_answers(world: World) -> None:
    device = Device(world)
    device.sign_in(device.open())
    world.clock.move(600)
    page = device.open(max_age="60")
    assert "asks you to sign in again" in page.text
    code = sent_back(device.sign_in(page))["code"]
    claims = claims_of((world.redeem(code).json or {})["id_token"])
    assert claims["auth_time"] == int(world.clock())


def test_a_passkey_of_another_person_than_the_hinted_one_is_not_enough(world: World) -> None:
    hint = world.browser().tokens(AMARA)["id_token"]
    device = Device(world, BEN)
    answer = device.sign_in(device.open(id_token_hint=hint))
    assert answer.status_code == 200
    assert "Sign in" in answer.text


def test_no_passkeys_are_offered_at_an_address(world: World) -> None:
    world.held = replace(
        world.held, settings=replace(world.settings, issuer="http://127.0.0.1:8000")
    )
    world.app = create_app(world.held)
    browser = world.browser()
    page = browser.get("/")
    assert "passkey" not in page.text
    assert browser.submit(page, "/login/passkey/options").status_code == 400
    assert browser.submit(page, "/login/passkey", passkey="{}").status_code == 400
