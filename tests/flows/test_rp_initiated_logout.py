"""What a product asks of the end-session endpoint (OpenID Connect RP-Initiated Logout 1.0), case by
case as the conformance suite asks."""

from __future__ import annotations

import string
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from werkzeug.test import TestResponse

from idp.oidc.logout_request import (
    ANOTHERS_HINT,
    NO_CLIENT,
    NO_HINT_OF_OURS,
    NOT_REGISTERED,
    UNKNOWN_CLIENT,
)
from tests.security.protocol import is_signed_in, segment
from tests.world import ADDRESSES, ISSUER, Visitor, World, claims_of, sent_back

BACK = f"{ADDRESSES['lms']}/signed-out"
HINT, CHANGED, UNSIGNED, BY_SECRET = "the hint", "changed", "alg none", "by the client's secret"
PUNCTUATED = string.punctuation + "~~ é"


@pytest.fixture
def signed_in(world: World) -> tuple[Visitor, str]:
    visitor = world.browser()
    return visitor, str(visitor.tokens()["id_token"])


def changed(hint: str) -> str:
    """Other claims under the signature of these."""
    header, claims, signature = hint.split(".")
    other = "A" if claims[9] != "A" else "B"
    return ".".join((header, claims[:9] + other + claims[10:], signature))


def unsigned(hint: str) -> str:
    return f"{segment({'alg': 'none'})}.{hint.split('.')[1]}."


def by_secret(hint: str, secret: str) -> str:
    """The same, as whoever has the client's secret can make it."""
    return jwt.encode({"alg": "HS256"}, claims_of(hint), OctKey.import_key(secret))


def ask(visitor: Visitor, hint: str, method: str, asked: dict[str, str]) -> TestResponse:
    """By GET, or by a form as another site sends it."""
    hints = {HINT: hint, CHANGED: changed(hint)}
    hints |= {UNSIGNED: unsigned(hint), BY_SECRET: by_secret(hint, visitor.world.secret("lms"))}
    sent = {name: hints.get(value, value) for name, value in asked.items()}
    if method == "GET":
        return visitor.get("/logout?" + urlencode(sent))
    answer = visitor.post("/logout", **sent)
    assert answer.status_code == 303
    return visitor.get(answer.headers["Location"])


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ({"post_logout_redirect_uri": BACK, "state": "xyz"}, f"{BACK}?state=xyz"),
        ({"post_logout_redirect_uri": BACK}, BACK),
        ({"post_logout_redirect_uri": BACK, "client_id": "lms"}, BACK),
        ({}, "/logout/done"),
        ({"state": "xyz"}, "/logout/done"),
        ({"ui_locales": "es"}, "/logout/done?ui_locales=es"),
    ],
)
def test_a_hint_of_this_session_ends_it_and_the_way_leads_back(
    signed_in: Any, method: str, asked: dict[str, str], location: str
) -> None:
    visitor, hint = signed_in
    answer = ask(visitor, hint, method, {"id_token_hint": HINT, **asked})
    assert (answer.status_code, answer.headers["Location"]) == (303, location)
    assert not is_signed_in(visitor)
    if location.startswith("/"):
        assert visitor.get(location).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_state_of_any_characters_comes_back_alone_and_as_it_was(
    signed_in: Any, method: str
) -> None:
    visitor, hint = signed_in
    asked = {"id_token_hint": HINT, "post_logout_redirect_uri": BACK, "state": PUNCTUATED}
    assert sent_back(ask(visitor, hint, method, asked)) == {"state": PUNCTUATED}


def test_discovery_has_what_the_plans_of_the_end_of_a_session_ask_for(world: World) -> None:
    """oidcc-rp-initiated-logout-, -backchannel-logout-, -frontchannel-logout- and
    -session-management-discovery-endpoint-verification"""
    told = world.get("/.well-known/openid-configuration").json or {}
    assert told["end_session_endpoint"] == f"{ISSUER}/logout"
    assert told["check_session_iframe"] == f"{ISSUER}/check_session"
    supported = [
        told[f"{channel}channel_logout{what}_supported"]
        for channel in ("back", "front")
        for what in ("", "_session")
    ]
    assert supported == [True] * 4


AT_FAULT = [
    ({"id_token_hint": "bad"}, NO_HINT_OF_OURS),
    *(
        ({"id_token_hint": made, "post_logout_redirect_uri": BACK}, NO_HINT_OF_OURS)
        for made in (CHANGED, UNSIGNED, BY_SECRET)
    ),
    (
        {"id_token_hint": "bad", "client_id": "lms", "post_logout_redirect_uri": BACK},
        NO_HINT_OF_OURS,
    ),
    ({"id_token_hint": HINT, "client_id": "payments"}, ANOTHERS_HINT),
    ({"id_token_hint": HINT, "client_id": "nobody"}, ANOTHERS_HINT),
    ({"client_id": "nobody"}, UNKNOWN_CLIENT),
    ({"post_logout_redirect_uri": BACK}, NO_CLIENT),
    ({"id_token_hint": HINT, "post_logout_redirect_uri": f"{BACK}/more"}, NOT_REGISTERED),
    ({"id_token_hint": HINT, "post_logout_redirect_uri": f"{BACK}?query=added"}, NOT_REGISTERED),
    ({"client_id": "payments", "post_logout_redirect_uri": BACK}, NOT_REGISTERED),
]


def test_what_is_at_fault_is_told_on_a_page_and_counts_for_nothing(signed_in: Any) -> None:
    """Nobody is sent anywhere, and the person stays signed in unless they choose otherwise."""
    visitor, hint = signed_in
    for asked, sentence in AT_FAULT:
        for method in ("GET", "POST"):
            answer = ask(visitor, hint, method, {**asked, "state": "xyz"})
            assert (answer.status_code, answer.headers.get("Location")) == (400, None), asked
            assert sentence in unescape(answer.text), asked
            assert is_signed_in(visitor), asked
    page = ask(visitor, hint, "GET", {"client_id": "nobody"})
    ended = visitor.submit(page, decision="sign_out")
    assert ended.headers["Location"] == "/logout/done"
    assert not is_signed_in(visitor)


def test_what_is_at_fault_is_told_to_somebody_who_is_signed_out_too(signed_in: Any) -> None:
    visitor, hint = signed_in
    visitor.submit(visitor.get("/logout"), decision="sign_out")
    for asked, sentence in AT_FAULT:
        answer = ask(visitor, hint, "GET", asked)
        assert (answer.status_code, answer.headers.get("Location")) == (400, None), asked
        assert sentence in unescape(answer.text), asked


def test_a_parameter_that_is_sent_twice_is_not_read(signed_in: Any) -> None:
    visitor, hint = signed_in
    twice = [("id_token_hint", hint), *[("post_logout_redirect_uri", BACK)] * 2]
    assert visitor.get("/logout?" + urlencode(twice)).status_code == 400
    posted = visitor.client.post("/logout", data={"post_logout_redirect_uri": [BACK, BACK]})
    assert visitor.follow(posted).status_code == 400
    assert is_signed_in(visitor)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"state": "xyz"},
        {"client_id": "lms"},
        {"logout_hint": "somebody@else.example"},
        {"logout_hint": "", "id_token_hint": ""},
    ],
)
def test_without_a_hint_the_person_is_asked(signed_in: Any, asked: dict[str, str]) -> None:
    visitor, hint = signed_in
    page = ask(visitor, hint, "GET", asked)
    assert page.status_code == 200
    assert is_signed_in(visitor)
    assert visitor.submit(page, decision="sign_out").headers["Location"] == "/logout/done"


def test_after_the_confirmation_the_way_leads_back_with_the_state(signed_in: Any) -> None:
    visitor, hint = signed_in
    asked = {"client_id": "lms", "post_logout_redirect_uri": BACK, "state": "a b&c"}
    page = ask(visitor, hint, "POST", asked)
    ended = visitor.submit(page, decision="sign_out")
    assert ended.headers["Location"] == f"{BACK}?state=a+b%26c"
    assert not is_signed_in(visitor)


def test_whoever_is_signed_out_already_is_sent_back_all_the_same(signed_in: Any) -> None:
    """Asking twice is no error (section 2)."""
    visitor, hint = signed_in
    asked = {"id_token_hint": HINT, "post_logout_redirect_uri": BACK, "state": "xyz"}
    for _ in range(2):
        answer = ask(visitor, hint, "GET", asked)
        assert answer.headers["Location"] == f"{BACK}?state=xyz"


def test_pages_are_in_the_language_that_the_product_names(signed_in: Any) -> None:
    visitor, hint = signed_in
    for client_id in ("lms", "nobody"):
        page = ask(visitor, hint, "POST", {"ui_locales": "fr es", "client_id": client_id})
        assert '<html lang="es">' in page.text
        done = visitor.follow(visitor.submit(page, decision="sign_out"))
        assert '<html lang="es">' in done.text
        visitor.tokens()
