"""Pages that people see: whatever is sent, the answer is a page or leads where it may."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.oracle import answer, check_person_is_told
from tests.fuzz.wire import Sent, cookies, examples, forms, requests
from tests.world import AMARA, BEN, PASSWORD, Visitor, World, request_for

HOME = "http://localhost:8001/callback"
COOKIES = ("latchkey-session", "latchkey-browser", "latchkey-form")


def cookies_of(visitor: Visitor) -> str:
    kept = [visitor.client.get_cookie(name) for name in COOKIES]
    return "; ".join(f"{each.key}={each.value}" for each in kept if each)


@pytest.fixture
def signed_in(world: World) -> Visitor:
    visitor = world.browser()
    visitor.code()
    return visitor


@examples(90)
@given(data=st.data())
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_authorize_answers_every_request(
    world: World, signed_in: Visitor, id_token: str, method: str, data: st.DataObject
) -> None:
    sound = {name: [value] for name, value in request_for().items()} | {
        "client_id": ["lms", "lms", "payments", "nobody"],
        "redirect_uri": [HOME, HOME, "https://evil.example/callback", "javascript:alert(1)//"],
        "nonce": ["a-nonce", "a\x00b", "\u202e💩"],
        "prompt": ["", "none", "login", "consent", "select_account", "none login"],
        "max_age": ["", "0", "60"],
        "acr_values": ["", "aal1", "aal9 aal1"],
        "claims": ["", '{"id_token":{"acr":{"essential":true,"values":["aal9"]}}}'],
        "response_mode": ["", "query", "fragment", "form_post", "web_message"],
        "login_hint": ["", AMARA],
        "id_token_hint": ["", id_token],
        "ui_locales": ["", "es en", "xx-YY"],
        "tenant": ["", "northwind", "nowhere"],
    }
    left_out = data.draw(st.sets(st.sampled_from(sorted(sound)), max_size=3))
    fields = forms({name: values for name, values in sound.items() if name not in left_out})
    jar = cookies(cookies_of(signed_in))
    sent = data.draw(requests("/authorize", method, fields, {"HTTP_COOKIE": jar}))
    check_person_is_told(world, answer(world, sent))


@pytest.fixture
def id_token(world: World) -> str:
    return str(world.browser().tokens()["id_token"])


@examples(50)
@given(data=st.data())
def test_an_attempt_is_resumed_by_nothing_but_its_own_name(
    world: World, signed_in: Visitor, data: st.DataObject
) -> None:
    fields = forms({"attempt": ["unknown", "x" * 43]})
    jar = cookies(cookies_of(signed_in))
    sent = data.draw(requests("/authorize", "GET", fields, {"HTTP_COOKIE": jar}))
    check_person_is_told(world, answer(world, sent))


@examples(50)
@given(data=st.data())
def test_the_sign_in_form_answers_everything(
    world: World, sign_in: tuple[str, dict[str, str]], data: st.DataObject
) -> None:
    jar, hidden = sign_in
    sound = {name: [value] for name, value in hidden.items()} | {
        "product": ["lms", "payments", "nothing", ""],
        "email": [AMARA, BEN.upper(), "nobody@northwind.example", "a@b@c"],
        "password": ["wrong", f" {PASSWORD}"],
        "other": ["", "1"],
    }
    fields = forms(sound)
    sent = data.draw(
        requests("/login/password", "POST", fields, {"HTTP_COOKIE": cookies(jar, jar, jar)})
    )
    letters = ["outbox"]  # whoever is locked out is told by mail
    check_person_is_told(world, answer(world, sent, besides=letters))


@pytest.fixture
def sign_in(world: World) -> tuple[str, dict[str, str]]:
    """A sign-in that has begun: its cookies, and the hidden fields of its form."""
    visitor = world.browser()
    page = visitor.follow(visitor.authorize())
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return cookies_of(visitor), hidden


STEPS = ["/login/password", "/login/tenant", "/login/consent", "/login/account"]


@examples(60)
@given(data=st.data())
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_step_answers_everything(
    world: World, sign_in: tuple[str, dict[str, str]], method: str, data: st.DataObject
) -> None:
    jar, hidden = sign_in
    fields = forms(
        {name: [value] for name, value in hidden.items()}
        | {"tenant": ["northwind", ""], "decision": ["allow", "deny", ""], "choice": ["", "other"]}
    )
    path = data.draw(st.sampled_from(STEPS))
    sent = data.draw(requests(path, method, fields, {"HTTP_COOKIE": cookies(jar, jar)}))
    check_person_is_told(world, answer(world, sent))


@examples(90)
@given(data=st.data())
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_logout_answers_everything(
    world: World, signed_in: Visitor, id_token: str, method: str, data: st.DataObject
) -> None:
    sound: dict[str, Any] = {
        "id_token_hint": [id_token, id_token[:-2], ""],
        "client_id": ["lms", "payments", "nobody"],
        "post_logout_redirect_uri": ["http://localhost:8001/signed-out", "https://evil.example/"],
        "state": ["a-state", ""],
        "decision": ["sign_out", "stay"],
        "csrf_token": ["wrong", ""],
    }
    left_out = data.draw(st.sets(st.sampled_from(["decision", "id_token_hint"])))
    fields = forms({name: values for name, values in sound.items() if name not in left_out})
    jar = cookies(cookies_of(signed_in))
    sent = data.draw(requests("/logout", method, fields, {"HTTP_COOKIE": jar}))
    check_person_is_told(world, answer(world, sent))


@pytest.mark.parametrize("path", ["/", "/authorize", "/logout", "/login/password", "/nothing"])
@pytest.mark.parametrize("query", ["a=\xff", "\xc3\x28", "client_id=lms&state=\xe9"])
def test_a_query_that_is_not_ascii_gets_a_page(world: World, path: str, query: str) -> None:
    got = answer(world, Sent("GET", path, query))
    assert got.status == 400
    check_person_is_told(world, got)
