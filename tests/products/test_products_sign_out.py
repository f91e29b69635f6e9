"""Signing out at a product, and logout tokens from the provider."""

import base64
import json
import secrets
import time

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from tests.products.conftest import Visitor

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def is_signed_in(product, visitor):
    return product.product.sessions.find(visitor.http.cookies.get("lms_session", "")) is not None


@pytest.fixture
def signed_in(loans, visitor):
    visitor.get(loans.url("/"))
    assert is_signed_in(loans, visitor)
    return visitor


def send(product, token):
    sent = Visitor().post(product.url("/backchannel-logout"), data={"logout_token": token})
    assert sent.headers["Cache-Control"] == "no-store"
    return sent


def test_sign_out_ends_the_session_here_and_at_the_provider(provider, loans, signed_in):
    page = signed_in.get(loans.url("/"))
    data = {"form_token": signed_in.form_token(page)}
    provider.is_signed_in = False
    page = signed_in.post(loans.url("/logout"), data=data)
    assert signed_in.trail == ["/logout", "/end-session", "/signed-out"]
    assert "You are signed out" in page.text
    asked = provider.asked[-1]
    assert asked["post_logout_redirect_uri"] == loans.url("/signed-out")
    assert asked["client_id"] == "lms"
    hint = jwt.decode(asked["id_token_hint"], provider.key, algorithms=["ES256"])
    assert hint.claims["sub"] == "person-1"
    assert "lms_session" not in signed_in.http.cookies
    assert 'href="/login"' in signed_in.get(loans.url("/")).text


@pytest.mark.parametrize("data", [{}, {"form_token": ""}, {"form_token": "x" * 43}])
def test_sign_out_from_another_site_is_refused(loans, signed_in, data):
    assert signed_in.post(loans.url("/logout"), data=data).status_code == 400
    assert is_signed_in(loans, signed_in)
    assert signed_in.get(loans.url("/logout")).status_code == 405


def test_sign_out_in_a_tab_that_was_left_open_still_ends_the_provider_session(
    provider, loans, signed_in
):
    data = {"form_token": signed_in.form_token(signed_in.get(loans.url("/")))}
    loans.clock.ahead = 31 * 60
    signed_in.post(loans.url("/logout"), data=data)
    assert signed_in.trail == ["/logout", "/end-session", "/signed-out"]
    assert "id_token_hint" not in provider.asked[-1]


def test_a_made_up_return_from_sign_out_says_nothing(provider, loans, visitor):
    provider.is_signed_in = False
    page = visitor.get(loans.url("/signed-out?state=made-up"))
    assert "You are signed out" not in page.text


def test_a_logout_token_ends_the_session_it_names(provider, loans, signed_in):
    sent = send(loans, provider.logout_token("lms"))
    assert sent.status_code == 200
    assert not is_signed_in(loans, signed_in)


@pytest.mark.parametrize("missing", ["sub", "sid"])
def test_a_logout_token_may_name_the_person_or_the_session_alone(
    provider, loans, signed_in, missing
):
    assert send(loans, provider.logout_token("lms", **{missing: None})).status_code == 200
    assert not is_signed_in(loans, signed_in)


def test_a_logout_token_without_a_type_is_accepted(provider, loans, signed_in):
    assert send(loans, provider.logout_token("lms", typ=None)).status_code == 200
    assert not is_signed_in(loans, signed_in)


@pytest.mark.parametrize("other", [{"sid": "session-2"}, {"sub": "person-2"}])
def test_a_logout_token_for_another_leaves_the_session(provider, loans, signed_in, other):
    assert send(loans, provider.logout_token("lms", **other)).status_code == 200
    assert is_signed_in(loans, signed_in)


def test_a_logout_token_counts_once(provider, loans, signed_in):
    token = provider.logout_token("lms")
    assert send(loans, token).status_code == 200
    signed_in.get(loans.url("/login"))
    assert send(loans, token).status_code == 400
    assert is_signed_in(loans, signed_in)


NOW = int(time.time())


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "payments"},
        {"aud": None},
        {"iat": None},
        {"iat": NOW + 3600},
        {"exp": None},
        {"exp": NOW - 60},
        {"exp": "tomorrow"},
        {"jti": None},
        {"jti": 7},
        {"events": None},
        {"events": {}},
        {"events": [EVENT]},
        {"events": {EVENT: "yes"}},
        {"nonce": "n"},
        {"sub": None, "sid": None},
        {"sid": ["session-1"]},
        {"typ": "JWT"},
        {"typ": "at+jwt"},
    ],
)
def test_a_logout_token_with_a_wrong_claim_is_refused(provider, loans, signed_in, wrong):
    sent = send(loans, provider.logout_token("lms", **wrong))
    assert sent.status_code == 400
    assert sent.json()["error"] == "invalid_request"
    assert is_signed_in(loans, signed_in)


def forged_tokens(provider):
    good = provider.logout_token("lms")
    header, payload, signature = good.split(".")
    claims = jwt.decode(good, provider.key, algorithms=["ES256"]).claims
    nobody = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    other_key = ECKey.generate_key("P-256", {"kid": provider.key.kid})
    public_text = json.dumps(provider.key.as_dict(private=False))
    return {
        "nothing": "",
        "garbage": "a.b.c",
        "not ascii": "é.é.é",
        "unsigned": f"{nobody}.{payload}.",
        "signature cut": f"{header}.{payload}.",
        "another key": jwt.encode(
            {"alg": "ES256", "kid": provider.key.kid, "typ": "logout+jwt"}, claims, other_key
        ),
        "public key as a secret": jwt.encode(
            {"alg": "HS256", "kid": provider.key.kid, "typ": "logout+jwt"},
            claims,
            OctKey.import_key(public_text),
        ),
        "unknown key": provider.sign(claims, typ="logout+jwt", kid="unknown"),
        "payload changed": f"{header}.{payload[:-2]}AA.{signature}",
        "an ID token": provider.id_token("lms"),
        "an access token": provider.access_token("lms"),
    }


def test_forged_logout_tokens_are_refused(provider, loans, signed_in):
    for what, token in forged_tokens(provider).items():
        assert send(loans, token).status_code == 400, what
    assert is_signed_in(loans, signed_in)


def test_a_logout_without_a_token_is_refused(loans):
    assert Visitor().post(loans.url("/backchannel-logout")).status_code == 400
    assert Visitor().get(loans.url("/backchannel-logout")).status_code == 405


def test_unknown_keys_are_asked_for_once_a_minute(provider, loans):
    for _ in range(20):
        send(loans, provider.sign({"jti": secrets.token_hex(4)}, kid="invented"))
    assert provider.calls.count("/jwks") == 1
    provider.key = ECKey.generate_key("P-256", {"kid": "two"})
    assert send(loans, provider.logout_token("lms")).status_code == 400
    loans.clock.ahead = 61
    assert send(loans, provider.logout_token("lms")).status_code == 200
