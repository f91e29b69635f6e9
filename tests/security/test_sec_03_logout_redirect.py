"""S03: sign-out sends nobody astray, and nobody is signed out by somebody else."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from idp.oidc.logout_request import NOT_REGISTERED
from tests.security.protocol import is_signed_in, segment
from tests.world import ADDRESSES, BEN, PRIYA, World, claims_of

AFTERWARDS = f"{ADDRESSES['lms']}/signed-out"
ASTRAY = (
    "https://evil.example/",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "//evil.example/",
    f"{AFTERWARDS}/evil",
    f"{AFTERWARDS}?evil",
    f"{AFTERWARDS}.evil.example",
    f"{ADDRESSES['lms']}/",
    f"{ADDRESSES['lms']}/callback",
    f"{ADDRESSES['payments']}/signed-out",
    AFTERWARDS.upper(),
    f"{AFTERWARDS}\r\nSet-Cookie: evil=1",
)


@pytest.fixture
def signed_in(world: World) -> Any:
    """Amara's browser, and the ID token that LMS holds for it."""
    visitor = world.browser()
    return visitor, visitor.tokens()["id_token"]


def logout_path(**sent: str) -> str:
    return "/logout?" + urlencode(sent)


def unsigned(id_token: str, alg: str) -> str:
    return f"{segment({'alg': alg, 'typ': 'JWT'})}.{id_token.split('.')[1]}."


def test_sec_03_an_address_that_is_not_registered_is_never_gone_to(signed_in: Any):
    visitor, hint = signed_in
    for uri in ASTRAY:
        asked = visitor.get(logout_path(client_id="lms", post_logout_redirect_uri=uri))
        assert (asked.status_code, asked.headers.get("Location")) == (400, None), uri
        assert "evil" not in asked.headers["Content-Security-Policy"], uri
        hinted = visitor.get(logout_path(id_token_hint=hint, post_logout_redirect_uri=uri))
        assert (hinted.status_code, hinted.headers.get("Location")) == (400, None), uri
        assert NOT_REGISTERED in hinted.text
    assert is_signed_in(visitor)


def test_sec_03_it_is_not_gone_to_after_the_confirmation_either(signed_in: Any):
    visitor, _ = signed_in
    for uri in ASTRAY[:5]:
        page = visitor.get(logout_path(client_id="lms", post_logout_redirect_uri=uri))
        ended = visitor.submit(page, decision="sign_out")
        assert ended.headers["Location"] == "/logout/done", uri
        visitor.sign_in()


def test_sec_03_somebody_who_is_signed_out_is_not_sent_astray(world: World):
    for uri in ASTRAY:
        sent = world.browser().get(logout_path(client_id="lms", post_logout_redirect_uri=uri))
        assert (sent.status_code, sent.headers.get("Location")) == (400, None), uri
        assert NOT_REGISTERED in sent.text


def test_sec_03_the_registered_address_is_gone_to_with_the_state(signed_in: Any):
    visitor, hint = signed_in
    path = logout_path(id_token_hint=hint, post_logout_redirect_uri=AFTERWARDS, state="a b&c")
    ended = visitor.get(path)
    assert ended.headers["Location"] == f"{AFTERWARDS}?state=a+b%26c"
    assert not is_signed_in(visitor)


def test_sec_03_another_products_address_is_not_one_of_the_hints_client(signed_in: Any):
    visitor, hint = signed_in
    payments = f"{ADDRESSES['payments']}/signed-out"
    for client_id in ("lms", None):
        named = {"client_id": client_id} if client_id else {}
        path = logout_path(id_token_hint=hint, post_logout_redirect_uri=payments, **named)
        answer = visitor.get(path)
        assert (answer.status_code, answer.headers.get("Location")) == (400, None)
        assert is_signed_in(visitor)


def test_sec_03_without_a_hint_the_person_is_asked_first(signed_in: Any):
    visitor, _ = signed_in
    sent = logout_path(client_id="lms", post_logout_redirect_uri=AFTERWARDS)
    for path in ("/logout", sent):
        assert visitor.get(path).status_code == 200
        assert is_signed_in(visitor)


def test_sec_03_a_hint_of_anything_else_ends_nothing(world: World, signed_in: Any):
    visitor, hint = signed_in
    bens = world.browser().tokens(BEN)["id_token"]
    of_another_browser = world.browser().tokens()["id_token"]
    in_another_company = world.browser().tokens(PRIYA, tenant="harbor")["id_token"]
    tokens = visitor.tokens()
    broken = hint[:-4] + ("AAAA" if not hint.endswith("AAAA") else "BBBB")
    strangers = {
        "of another person": bens,
        "of another company's person": in_another_company,
        "of another session of the same person": of_another_browser,
        "unsigned": unsigned(hint, "none"),
        "unsigned, spelt otherwise": unsigned(hint, "nOnE"),
        "with a broken signature": broken,
        "cut off": hint.rpartition(".")[0],
        "an access token": tokens["access_token"],
        "a refresh token": tokens["refresh_token"],
        "no token": "x",
    }
    for what, stranger in strangers.items():
        for method in (visitor.get, lambda path: visitor.follow(visitor.client.post(path))):
            answer = method(logout_path(id_token_hint=stranger))
            expected = 200 if what.startswith("of another") else 400
            assert answer.status_code == expected, (what, answer.headers)
            assert is_signed_in(visitor), what


def test_sec_03_a_hint_is_good_for_its_own_client_alone(signed_in: Any):
    visitor, hint = signed_in
    answer = visitor.get(logout_path(id_token_hint=hint, client_id="payments"))
    assert answer.status_code == 400
    assert is_signed_in(visitor)


def test_sec_03_a_hint_of_a_session_before_this_one_ends_nothing(world: World, signed_in: Any):
    visitor, old = signed_in
    visitor.get(logout_path(id_token_hint=old))
    new = visitor.tokens()["id_token"]
    assert claims_of(old)["sid"] != claims_of(new)["sid"]
    assert visitor.get(logout_path(id_token_hint=old)).status_code == 200
    assert is_signed_in(visitor)


def test_sec_03_an_expired_hint_of_this_session_is_a_hint_all_the_same(
    world: World, signed_in: Any
):
    visitor, hint = signed_in
    world.clock.move(1800)
    assert visitor.get(logout_path(id_token_hint=hint)).status_code == 303
    assert not is_signed_in(visitor)


def test_sec_03_another_sites_form_confirms_nothing(world: World, signed_in: Any):
    visitor, _ = signed_in
    page = visitor.get("/logout")
    foreign = world.browser().get("/login/password")
    assert page.status_code == 200
    for token in ("", "made-up", foreign.text[:40]):
        form = {"decision": "sign_out", "csrf_token": token}
        answer = visitor.post("/logout", **form)
        assert (answer.status_code, is_signed_in(visitor)) == (403, True), token


def test_sec_03_another_sites_form_without_a_decision_only_brings_the_question(signed_in: Any):
    visitor, _ = signed_in
    answer = visitor.follow(visitor.post("/logout", post_logout_redirect_uri="https://evil/"))
    assert answer.status_code == 400
    assert is_signed_in(visitor)


def test_sec_03_whoever_says_no_stays_signed_in(signed_in: Any):
    visitor, _ = signed_in
    answer = visitor.submit(visitor.get("/logout"), decision="stay")
    assert answer.headers["Location"] == "/"
    assert is_signed_in(visitor)
