"""FAPI 2.0 Security Profile (final), section 5.3.2, sentence by sentence, as its client meets it;
the names of the conformance suite's modules stand beside (docs/conformance.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from werkzeug.test import Client, TestResponse

from idp.errors import SetupMistake
from idp.oidc import fapi
from tests.security.fapi_clients import (
    FAPI,
    OTHER,
    begin,
    code,
    finish,
    from_now,
    of_profile,
    push,
    pushed_by,
    request_uri,
    tokens,
)
from tests.security.protocol import is_refused, register
from tests.security.proving_possession import KEY as HOLDER
from tests.security.proving_possession import OTHER as OTHER_HOLDER
from tests.security.proving_possession import (
    ask_machine,
    bring,
    is_invalid_proof,
    made,
    redeem_with,
    refresh_with,
    signed,
)
from tests.world import AMARA, ISSUER, PASSWORD, START, World, claims_of, sent_back

RSA = RSAKey.generate_key(2048, {"kid": "signing-1"})
BY_RSA = of_profile("fapi-rsa", "fapi2_security", RSA)
GRANTS = ["client_credentials"]
MACHINE = of_profile("fapi-machine", "fapi2_security", grant_types=GRANTS, scope="loans.read")


@pytest.fixture
def bank(world: World) -> World:
    register(world, FAPI, OTHER, BY_RSA, MACHINE)
    return world


def test_a_client_of_the_profile_signs_in_and_calls(bank: World) -> None:
    """happy-flow, par-without-duplicate-parameters"""
    given = tokens(bank)
    assert given["token_type"] == "DPoP"
    access = claims_of(given["access_token"])
    assert (access["iss"], set(access["cnf"])) == (ISSUER, {"jkt"})
    proof = made(bank, "/userinfo", "GET", given["access_token"])
    assert bring(bank, given["access_token"], proof).status_code == 200


def test_discovery_has_what_the_profile_asks_for(bank: World) -> None:
    """discovery-end-point-verification"""
    for path in ("openid-configuration", "oauth-authorization-server"):
        told: dict[str, Any] = bank.get(f"/.well-known/{path}").json or {}
        lists = [told[name] for name in told if name.endswith("signing_alg_values_supported")]
        assert all(set(fapi.ALGORITHMS) <= set(each) for each in lists)
        assert "private_key_jwt" in told["token_endpoint_auth_methods_supported"]
        assert told["response_types_supported"] == ["code"]
        assert told["code_challenge_methods_supported"] == ["S256"]
        assert told["authorization_response_iss_parameter_supported"] is True
        assert told["pushed_authorization_request_endpoint"] == f"{ISSUER}/par"
        assert "jwt" in told["response_modes_supported"]


# 5.3.2.1 General requirements


def test_only_sender_constrained_tokens_are_issued(bank: World) -> None:
    """ensure-holder-of-key-required: by each grant, and none of them is spent by it."""
    claimed = code(bank)
    assert lacks_proof(redeem_with(bank, FAPI, claimed, None))
    given = redeem_with(bank, FAPI, claimed, made(bank)).json or {}
    assert lacks_proof(refresh_with(bank, FAPI, given["refresh_token"], None))
    assert lacks_proof(ask_machine(bank, None, MACHINE))
    assert ask_machine(bank, made(bank), MACHINE).status_code == 200


def lacks_proof(answer: TestResponse) -> bool:
    """refresh-token: of the codes that the suite knows, the one that is true."""
    return is_refused(answer, "invalid_request")


def test_a_token_is_good_with_its_key_alone_and_never_in_the_query(bank: World) -> None:
    token = tokens(bank)["access_token"]
    assert bring(bank, token, None).status_code == 401
    assert bring(bank, token, None, scheme="Bearer").status_code == 401
    stolen = made(bank, "/userinfo", "GET", token, key=OTHER_HOLDER)
    assert bring(bank, token, stolen).status_code == 401
    in_query = Client(bank.app).get(f"/userinfo?access_token={token}")
    assert in_query.status_code == 401


ADDRESS = f"{ISSUER}/userinfo"
GOOD_PROOFS: list[tuple[str, dict[str, Any]]] = [
    ("a query and a fragment", {"htu": f"{ADDRESS}?all#doors"}),
    ("host and scheme in capitals", {"htu": "HTTP://LOCALHOST:8000/userinfo"}),
    ("more in the header, and in the claims", {"header": {"tx_id": 1}, "tx_id_key": 1}),
    ("nbf and exp", {"nbf": START, "exp": START + 300}),
]


def test_a_resource_takes_every_sound_proof(bank: World) -> None:
    """dpop-negative-tests, where the suite expects success; the usual port of a scheme is left out
    or not (test_sec_32_proofs_of_possession.py)."""
    token = tokens(bank)["access_token"]
    for why, changed in GOOD_PROOFS:
        proof = made(bank, "/userinfo", "GET", token, **changed)
        assert bring(bank, token, proof).status_code == 200, why


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP"])
def test_the_scheme_is_read_in_any_case(bank: World, scheme: str) -> None:
    """access-token-type-header-case-sensitivity"""
    token = tokens(bank)["access_token"]
    proof = made(bank, "/userinfo", "GET", token)
    assert bring(bank, token, proof, scheme=scheme).status_code == 200


def test_a_refresh_token_stays_the_same_and_its_client_s(bank: World) -> None:
    """refresh-token"""
    given = tokens(bank)
    for _ in range(2):
        again = refresh_with(bank, FAPI, given["refresh_token"], made(bank)).json or {}
        assert again["refresh_token"] == given["refresh_token"]
        assert claims_of(again["access_token"])["cnf"]
    stolen = refresh_with(bank, OTHER, given["refresh_token"], made(bank))
    assert is_refused(stolen, "invalid_grant")


def test_a_code_lives_a_minute_at_most(bank: World) -> None:
    """ensure-token-endpoint-fails-with-expired-auth-code"""
    with pytest.raises(SetupMistake):
        replace(bank.settings, code_lifetime=61)
    claimed = code(bank)
    bank.clock.move(61)
    assert is_refused(redeem_with(bank, FAPI, claimed, made(bank)), "invalid_grant")


@pytest.mark.parametrize("by_proof", [False, True])
def test_a_code_may_be_bound_to_a_key_when_it_is_asked_for(bank: World, by_proof: bool) -> None:
    """ensure-dpop-auth-code-binding-success, ensure-dpopproof-at-par-endpoint-binding-success,
    ensure-token-endpoint-fails-with-mismatched-dpop-jkt and -dpop-proof-jkt"""
    bound: dict[str, Any] = {"dpop_jkt": HOLDER.thumbprint()}
    if by_proof:
        bound = {"by": made(bank, "/par")}
    claimed = code(bank, **bound)
    other = made(bank, key=OTHER_HOLDER)
    assert is_refused(redeem_with(bank, FAPI, claimed, other), "invalid_grant")
    assert redeem_with(bank, FAPI, claimed, made(bank)).status_code == 200


def test_a_key_that_is_named_is_the_one_that_is_shown(bank: World) -> None:
    """ensure-mismatched-dpop-jkt-fails"""
    answer = push(bank, by=made(bank, "/par"), dpop_jkt=OTHER_HOLDER.thumbprint())
    assert is_refused(answer, "invalid_request")


def test_a_proof_is_of_now_within_what_clocks_differ_by(bank: World) -> None:
    """ensure-dpopproof-with-iat-10seconds-before-succeeds and -after-, check-dpop-proof-nbf-exp"""
    for good in ({"iat": 10}, {"iat": -10}, {"nbf": 0, "exp": 300}):
        answer = ask_machine(bank, made(bank, **from_now(bank, good)), MACHINE)
        assert answer.status_code == 200, good
    for bad in ({"iat": 61}, {"iat": -301}, {"iat": None}):
        answer = ask_machine(bank, made(bank, **from_now(bank, bad)), MACHINE)
        assert is_invalid_proof(answer, bad)


BAD_PROOFS: list[tuple[str, dict[str, Any]]] = [
    *(("another method", {"htm": "GET"}), ("no method", {"htm": None})),
    *(("another address", {"htu": f"{ISSUER}/par"}), ("no address", {"htu": None})),
    *(("no jti", {"jti": None}), ("another type", {"header": {"typ": "jwt"}})),
    ("another key in the header", {"header": {"jwk": OTHER_HOLDER.as_dict(private=False)}}),
    ("a private key", {"header": {"jwk": HOLDER.as_dict(private=True)}}),
]


def test_a_bad_proof_gets_nothing(bank: World) -> None:
    """dpop-negative-tests"""
    for why, changed in BAD_PROOFS:
        assert is_invalid_proof(ask_machine(bank, made(bank, **changed), MACHINE), why)
    proof = made(bank)
    assert ask_machine(bank, proof, MACHINE).status_code == 200
    assert is_invalid_proof(ask_machine(bank, proof, MACHINE), "used before")


# 5.3.2.2 Authorization endpoint flows


BAD_REQUESTS: list[tuple[str, dict[str, Any], str]] = [
    *(
        ("ensure-response-type-…-fails", {"response_type": wanted}, "unsupported_response_type")
        for wanted in ("code id_token", "token", "id_token", "none")
    ),
    ("par-ensure-pkce-required", {"code_challenge": None}, "invalid_request"),
    (
        "par-ensure-pkce-required",
        {"code_challenge": None, "code_challenge_method": None},
        "invalid_request",
    ),
    ("par-plain-pkce-rejected", {"code_challenge_method": "plain"}, "invalid_request"),
    ("a method unsaid, which is plain", {"code_challenge_method": None}, "invalid_request"),
    ("ensure-redirect-uri-in-authorization-request", {"redirect_uri": None}, "invalid_request"),
    ("not a redirect_uri of its own", {"redirect_uri": "https://x.example/"}, "invalid_request"),
    (
        "par-authorization-request-containing-request_uri-form-param",
        {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
        "invalid_request",
    ),
]


def test_what_may_not_be_asked_is_refused_when_it_is_pushed(bank: World) -> None:
    for why, changed, error in BAD_REQUESTS:
        assert is_refused(push(bank, **changed), error), why
    assert Client(bank.app).put("/par").status_code == 405, "par-attempt-invalid-http-method"


def test_nothing_is_asked_but_what_was_pushed(bank: World) -> None:
    """ensure-unsigned-authorization-request-without-using-par-fails, and
    state-only-outside-request-object-not-used"""
    visitor = bank.browser()
    plain = sent_back(visitor.authorize("fapi", redirect_uri=FAPI.redirect_uri))
    assert (plain["error"], plain["iss"]) == ("invalid_request", ISSUER)
    beside: dict[str, Any] = {
        "state": "beside",
        "redirect_uri": "https://x.example/",
        "scope": "phone",
    }
    name = request_uri(bank, state=None)
    sent = sent_back(finish(visitor, begin(visitor, name, FAPI, **beside)))
    assert set(sent) - {"session_state"} == {"code", "iss"}, "its own state, which is none"


def test_a_pushed_request_is_its_client_s_for_less_than_ten_minutes_and_answered_once(
    bank: World,
) -> None:
    """par-attempt-to-use-request_uri-for-different-client, par-attempt-to-use-expired-request_uri,
    par-attempt-reuse-request_uri, and
    par-ensure-reused-request-uri-prior-to-auth-completion-succeeds"""
    answer = push(bank)
    assert 5 <= (answer.json or {})["expires_in"] < 600
    name, visitor = (answer.json or {})["request_uri"], bank.browser()
    assert begin(visitor, name, OTHER).status_code == 400
    begin(visitor, name)
    assert "code" in sent_back(finish(visitor, begin(visitor, name)))
    assert begin(visitor, name).status_code == 400
    name = request_uri(bank)
    bank.clock.move((answer.json or {})["expires_in"] + 1)
    assert begin(bank.browser(), name).status_code == 400


def test_a_code_is_its_client_s_once_with_its_verifier(bank: World) -> None:
    """ensure-authorization-code-is-bound-to-client, ensure-pkce-code-verifier-required,
    incorrect-pkce-code-verifier-rejected, attempt-reuse-authorization-code-after-one-second"""
    claimed = code(bank)
    refusals = (
        redeem_with(bank, OTHER, claimed, made(bank), redirect_uri=FAPI.redirect_uri),
        redeem_with(bank, FAPI, claimed, made(bank), code_verifier="w" * 64),
        redeem_with(bank, FAPI, claimed, made(bank), code_verifier=""),
        redeem_with(bank, FAPI, claimed, made(bank), redirect_uri="https://x.example/"),
    )
    assert all(is_refused(each, "invalid_grant") for each in refusals)
    given = redeem_with(bank, FAPI, claimed, made(bank)).json or {}
    bank.clock.move(1)
    assert is_refused(redeem_with(bank, FAPI, claimed, made(bank)), "invalid_grant")
    proof = made(bank, "/userinfo", "GET", given["access_token"])
    assert bring(bank, given["access_token"], proof).status_code == 401, "all of it has ended"


@pytest.mark.parametrize("nonce", [None, "n" * 64])
def test_state_and_nonce_may_be_left_out_or_long(bank: World, nonce: str | None) -> None:
    """ensure-authorization-request-without-state-success, -without-nonce-success and
    -with-64-char-nonce-success; a state of more than 1000 characters (note 4)"""
    visitor, state = bank.browser(), "s" * 1200 if nonce else None
    name = request_uri(bank, state=state, nonce=nonce, scope="email profile openid")
    sent = sent_back(finish(visitor, begin(visitor, name)))
    assert (sent.get("state"), sent["iss"]) == (state, ISSUER)
    given = redeem_with(bank, FAPI, sent["code"], made(bank)).json or {}
    assert claims_of(given["id_token"]).get("nonce") == nonce


def test_browsers_are_sent_on_by_303_alone(bank: World) -> None:
    visitor = bank.browser()
    to_page = begin(visitor, request_uri(bank))
    page = visitor.follow(to_page)
    entered = visitor.submit(page, email=AMARA, password=PASSWORD)
    back = visitor.follow(entered)
    assert [each.status_code for each in (to_page, entered, back)] == [303, 303, 303]


# 5.4.1 Cryptography


def test_nothing_is_signed_by_rs256_in_either_direction(bank: World) -> None:
    """ensure-signed-client-assertion-with-RS256-fails"""
    party = BY_RSA.client_id
    about = {"iss": party, "sub": party, "aud": ISSUER, "exp": int(bank.clock()) + 60}
    errors = {}
    for alg in ("RS256", "PS256"):
        header = {"alg": alg, "kid": "signing-1"}
        answer = pushed_by(bank, signed(header, {**about, "jti": alg}, RSA), party)
        errors[alg] = (answer.json or {})["error"]
    assert errors == {"RS256": "invalid_client", "PS256": "invalid_request"}, "believed, then read"
    rs256: dict[str, Any] = {"key": RSA, "header": {"alg": "RS256"}}
    ps256: dict[str, Any] = {"key": RSA, "header": {"alg": "PS256"}}
    is_invalid_proof(push(bank, by=made(bank, "/par", **rs256)))
    is_invalid_proof(ask_machine(bank, made(bank, **rs256), MACHINE))
    given = redeem_with(bank, FAPI, code(bank), made(bank, **ps256)).json or {}
    token = given["access_token"]
    statuses = [
        bring(bank, token, made(bank, "/userinfo", "GET", token, **alg)).status_code
        for alg in (rs256, ps256)
    ]
    assert statuses == [401, 200]
