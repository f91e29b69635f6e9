"""FAPI 2.0 Message Signing (final), sections 5.3 and 5.4, as a client of the profile meets it: what
it asks is signed, and so is what it is answered."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import RSAKey

from tests.security.fapi_clients import (
    OTHER,
    SIGNED,
    SIGNER,
    begin,
    finish,
    from_now,
    of_profile,
    push,
    push_signed,
    request_object,
    request_uri,
)
from tests.security.protocol import is_refused, register, segment
from tests.security.proving_possession import made, push_with, redeem_with
from tests.security.proving_possession import signed as by_any
from tests.security.test_sec_12_signed_responses import verified
from tests.world import ISSUER, World, claims_of, sent_back

RSA = RSAKey.generate_key(2048, {"kid": "signing-2"})
TWO_KEYS = of_profile("fapi-keys", "fapi2_message_signing")
PLAIN_ANSWERS = of_profile("fapi-jar", "fapi2_security", require_signed_request_object=True)
HOUR = 3600


@pytest.fixture
def bank(world: World) -> World:
    keys = [key.as_dict(private=False) for key in (SIGNER, RSA)]
    world.apply(clients=[{**TWO_KEYS.described(), "jwks": {"keys": keys}}])
    register(world, SIGNED, OTHER, PLAIN_ANSWERS)
    return world


def answered(world: World, asked: str) -> dict[str, Any]:
    """What the signed answer to a pushed request says."""
    answer = push_signed(world, asked)
    assert answer.status_code == 201, answer.text
    name, visitor = (answer.json or {})["request_uri"], world.browser()
    sent = sent_back(finish(visitor, begin(visitor, name, SIGNED)))
    assert set(sent) == {"response"}
    header, claims = verified(world, sent["response"])
    assert header["alg"] == "ES256"
    return claims


def test_a_client_that_signs_signs_in(bank: World) -> None:
    """happy-flow, ensure-different-state- and -nonce-inside-and-outside-request-object,
    state-only-outside-request-object-not-used"""
    asked = request_object(bank, state="inside", nonce="inside")
    answer = push_signed(bank, asked, state="beside", nonce="beside", scope="phone")
    name, visitor = (answer.json or {})["request_uri"], bank.browser()
    sent = sent_back(finish(visitor, begin(visitor, name, SIGNED, state="beside")))
    claims = verified(bank, sent["response"])[1]
    assert (claims["iss"], claims["aud"], claims["state"]) == (ISSUER, "fapi-signed", "inside")
    given = redeem_with(bank, SIGNED, claims["code"], made(bank)).json or {}
    assert (given["token_type"], claims_of(given["id_token"])["nonce"]) == ("DPoP", "inside")
    unsaid = answered(bank, request_object(bank, state=None))
    assert "state" not in unsaid


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("ensure-request-object-with-multiple-aud-succeeds", {"aud": ["https://x.example", ISSUER]}),
    ("ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted", {"nbf": 8}),
    ("nbf an hour ago", {"nbf": 5 - HOUR, "exp": 5}),
    ("exp an hour after nbf", {"exp": HOUR}),
    ("ensure-authorization-request-with-64-char-nonce-success", {"nonce": "n" * 64}),
    ("ensure-authorization-request-with-long-nonce", {"nonce": "n" * 384}),
    ("ensure-authorization-request-with-long-state", {"state": "s" * 1200}),
    ("ensure-other-scope-order-succeeds", {"scope": "email openid"}),
    ("test-claims-parameter-identity-claims", {"claims": {"id_token": {"name": None}}}),
]
BAD: list[tuple[str, dict[str, Any]]] = [
    ("ensure-request-object-without-exp-fails", {"exp": None}),
    ("ensure-request-object-without-nbf-fails", {"nbf": None}),
    ("ensure-expired-request-object-fails", {"exp": -1}),
    ("ensure-request-object-with-exp-over-60-fails", {"exp": HOUR + 60}),
    ("ensure-request-object-with-nbf-over-60-fails", {"nbf": -HOUR - 60}),
    ("nbf over a minute ahead", {"nbf": 61}),
    ("iat over a minute ahead", {"iat": 61}),
    ("ensure-request-object-with-bad-aud-fails", {"aud": "https://x.example"}),
    ("no aud", {"aud": None}),
    ("another issuer", {"iss": OTHER.client_id}),
    ("another client_id", {"client_id": OTHER.client_id}),
    (
        "par-authorization-request-containing-request_uri",
        {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
    ),
]
BADLY_ASKED: list[tuple[str, dict[str, Any]]] = [
    ("ensure-request-object-without-redirect-uri-fails", {"redirect_uri": None}),
    ("not a redirect_uri of its own", {"redirect_uri": "https://x.example/"}),
    ("par-ensure-pkce-required", {"code_challenge": None}),
    ("par-plain-pkce-rejected", {"code_challenge_method": "plain"}),
    ("an answer that is not signed", {"response_mode": None}),
    ("an answer that is not signed, either", {"response_mode": "query"}),
]


def test_what_a_request_object_may_be(bank: World) -> None:
    for why, changed in GOOD:
        answer = push_signed(bank, request_object(bank, **from_now(bank, changed)))
        assert answer.status_code == 201, (why, answer.text)


def test_what_a_request_object_may_not_be(bank: World) -> None:
    for why, changed in BAD:
        answer = push_signed(bank, request_object(bank, **from_now(bank, changed)))
        assert is_refused(answer, "invalid_request_object"), why
    for why, changed in BADLY_ASKED:
        answer = push_signed(bank, request_object(bank, **changed))
        assert is_refused(answer, "invalid_request"), why
    asked = request_object(bank, response_type="code id_token")
    assert is_refused(push_signed(bank, asked), "unsupported_response_type")


def test_it_is_signed_by_the_client_and_not_by_rs256(bank: World) -> None:
    """ensure-signed-request-object-with-RS256-fails, -signature-algorithm-is-not-none,
    -with-invalid-signature-fails, ensure-matching-key-in-authorization-request"""
    sound = request_object(bank)
    nobody = f"{segment({'alg': 'none'})}.{sound.split('.')[1]}."
    others = request_object(bank, key=OTHER.key)
    changed = sound[:-8] + ("A" * 8 if not sound.endswith("A" * 8) else "B" * 8)
    for token in (nobody, others, changed, "not.a.jwt"):
        assert is_refused(push_signed(bank, token), "invalid_request_object")
    claims = claims_of(request_object(bank, TWO_KEYS))
    by = {"kid": "signing-2"}
    statuses = [
        push_signed(bank, by_any({**by, "alg": alg}, claims, RSA), TWO_KEYS).status_code
        for alg in ("RS256", "PS256")
    ]
    assert statuses == [400, 201]


def test_nothing_unsigned_is_heard(bank: World) -> None:
    """ensure-unsigned-request-at-par-endpoint-fails,
    ensure-unsigned-authorization-request-without-using-par-fails"""
    assert is_refused(push_with(bank, SIGNED, None, response_mode="jwt"), "invalid_request")
    visitor = bank.browser()
    by_value = visitor.authorize("fapi-signed", request=request_object(bank))
    refused = verified(bank, sent_back(by_value)["response"])[1]
    assert refused["error"] == "invalid_request", "signed, and not pushed"


def test_a_refusal_is_signed_too(bank: World) -> None:
    """user-rejects-authentication"""
    name = request_uri(bank, SIGNED, prompt="none")
    sent = sent_back(begin(bank.browser(), name, SIGNED))
    claims = verified(bank, sent["response"])[1]
    assert (claims["error"], claims["iss"]) == ("login_required", ISSUER)


def test_signed_requests_may_go_with_plain_answers(bank: World) -> None:
    """The plan's `plain_response`: the security profile, with signed requests said beside it."""
    assert is_refused(push(bank, PLAIN_ANSWERS), "invalid_request")
    asked = request_object(bank, PLAIN_ANSWERS, response_mode=None)
    name = (push_signed(bank, asked, PLAIN_ANSWERS).json or {})["request_uri"]
    visitor = bank.browser()
    sent = sent_back(finish(visitor, begin(visitor, name, PLAIN_ANSWERS)))
    assert (sent["iss"], "code" in sent) == (ISSUER, True)


def test_plain_requests_may_have_signed_answers(bank: World) -> None:
    """The plan's `unsigned` with `jarm`: the security profile, which may ask for it."""
    visitor = bank.browser()
    name = request_uri(bank, OTHER, response_mode="jwt")
    sent = sent_back(finish(visitor, begin(visitor, name, OTHER)))
    header, claims = verified(bank, sent["response"])
    assert (set(sent), header["alg"]) == ({"response"}, "ES256")
    assert {"iss", "aud", "exp", "code", "state"} <= set(claims)


def test_whoever_of_the_security_profile_signs_bounds_it_too(bank: World) -> None:
    signed = request_object(bank, OTHER, OTHER.key)
    assert push_signed(bank, signed, OTHER).status_code == 201
    unbounded = request_object(bank, OTHER, OTHER.key, exp=None)
    assert is_refused(push_signed(bank, unbounded, OTHER), "invalid_request_object")
