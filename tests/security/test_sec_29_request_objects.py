"""S29: a request object is its client's, for us and of now, and nothing beside it is read."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from werkzeug.test import TestResponse

from idp.oidc import request_object
from idp.oidc.authorization_request import PARAMETERS
from idp.secret_values import encode
from tests.security.protocol import (
    KEEPING,
    Party,
    asked_by,
    is_page_of_ours,
    is_refused,
    of_people,
    post_as,
    redeem,
    register,
    segment,
)
from tests.world import AMARA, ISSUER, PASSWORD, Visitor, World, claims_of, sent_back

KEY = ECKey.generate_key("P-256", {"kid": "asking-1"})
OTHER_KEY = ECKey.generate_key("P-256", {"kid": "asking-1"})
TYPE = "oauth-authz-req+jwt"
HEADER = {"alg": "ES256", "kid": "asking-1", "typ": TYPE}
HOUR = 3600


def signing(client_id: str, **form: Any) -> Party:
    party = of_people(client_id, **form)
    return Party(client_id, party.method, party.form, KEY)


SIGNS = signing("signs")
MUST_SIGN = signing("must-sign", require_signed_request_object=True)


def claims(world: World, party: Party, **changed: Any) -> dict[str, Any]:
    """Of a sound one; None leaves a claim out."""
    now = int(world.clock())
    sound = {
        "iss": party.client_id,
        "aud": ISSUER,
        "nbf": now,
        "exp": now + 60,
        **asked_by(party),
        "state": "signed-state",
    }
    return {name: value for name, value in {**sound, **changed}.items() if value is not None}


def signed(world: World, party: Party, **changed: Any) -> str:
    return jwt.encode(HEADER, claims(world, party, **changed), KEY)


def bring(visitor: Visitor, party: Party, request: str, **beside: str) -> TestResponse:
    fields = {"client_id": party.client_id, "request": request, **beside}
    return visitor.get("/authorize?" + urlencode(fields))


def told_at_named_address(visitor: Visitor, party: Party, request: str) -> dict[str, str]:
    answer = bring(visitor, party, request, redirect_uri=party.redirect_uri, state="plain")
    assert answer.headers["Location"].startswith(party.redirect_uri), answer.text
    return sent_back(answer)


def sign_in(visitor: Visitor, answer: TestResponse) -> dict[str, str]:
    page = visitor.follow(answer)
    return sent_back(visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD)))


@pytest.fixture
def asked(world: World) -> World:
    register(world, SIGNS, MUST_SIGN, KEEPING)
    return world


def test_a_signed_request_signs_in(either_world: World) -> None:
    world, visitor = either_world, either_world.browser()
    register(world, MUST_SIGN)
    sent = sign_in(visitor, bring(visitor, MUST_SIGN, signed(world, MUST_SIGN)))
    assert (sent["state"], sent["iss"]) == ("signed-state", ISSUER)
    tokens = redeem(world, MUST_SIGN, sent["code"]).json or {}
    assert claims_of(tokens["id_token"])["nonce"] == "a-nonce"


def test_it_may_hold_numbers_and_objects(asked: World) -> None:
    """RFC 9101 section 4."""
    visitor = asked.browser()
    wanted = {"id_token": {"name": None, "acr": {"essential": False, "value": "aal1"}}}
    token = signed(asked, SIGNS, claims=wanted, max_age=0)
    sent = sign_in(visitor, bring(visitor, SIGNS, token))
    id_token = (redeem(asked, SIGNS, sent["code"]).json or {})["id_token"]
    assert "name" in claims_of(id_token)
    again = bring(visitor, SIGNS, signed(asked, SIGNS, max_age=0))
    assert again.headers["Location"].startswith("/login/"), "max_age=0 asks again"


BESIDE = {
    "redirect_uri": "https://evil.example/cb",
    "response_type": "token",
    "response_mode": "fragment",
    "scope": "openid",
    "state": "of-somebody-else",
    "nonce": "of-somebody-else",
    "prompt": "none",
    "max_age": "0",
    "login_hint": "ben@northwind.example",
    "id_token_hint": "not.a.token",
    "acr_values": "phr",
    "claims": '{"id_token": {"acr": {"essential": true, "value": "phr"}}}',
    "ui_locales": "es",
    "tenant": "harbor",
    "code_challenge": "short",
    "code_challenge_method": "plain",
}


def test_sec_29_nothing_beside_it_is_read(asked: World) -> None:
    visitor = asked.browser()
    sign_in(visitor, bring(visitor, SIGNS, signed(asked, SIGNS)))
    for name in {*PARAMETERS, *BESIDE} - {"client_id"}:
        answer = bring(visitor, SIGNS, signed(asked, SIGNS), **{name: BESIDE.get(name, "x")})
        assert answer.headers["Location"].startswith(f"{SIGNS.redirect_uri}?code="), name
        sent = sent_back(answer)
        assert sent["state"] == "signed-state", name
        tokens = redeem(asked, SIGNS, sent["code"]).json or {}
        assert claims_of(tokens["id_token"])["nonce"] == "a-nonce", name
        assert set(tokens["scope"].split()) == set(SIGNS.form["scope"].split()), name


def test_sec_29_nothing_that_it_leaves_out_is_made_up_for_beside_it(asked: World) -> None:
    """RFC 9101 section 6.3, where OpenID Connect Core section 6.3.3 would put them together."""
    visitor = asked.browser()
    for name, error in (
        ("response_type", "invalid_request"),
        ("scope", "invalid_scope"),
        ("code_challenge", "invalid_request"),
    ):
        beside = asked_by(SIGNS)
        beside.pop("client_id")
        token = signed(asked, SIGNS, **{name: None})
        told = sent_back(bring(visitor, SIGNS, token, **beside))
        assert (told["error"], told["state"]) == (error, "signed-state")
        assert is_refused(post_as(asked, SIGNS, "/par", request=token, **beside), error)


def test_sec_29_the_client_that_brings_it_is_the_one_that_signed_it(asked: World) -> None:
    visitor = asked.browser()
    token = signed(asked, SIGNS)
    assert is_page_of_ours(bring(visitor, MUST_SIGN, token))
    assert is_page_of_ours(bring(visitor, KEEPING, token)), "it has no keys at all"
    assert is_page_of_ours(visitor.get("/authorize?" + urlencode({"request": token})))
    query = urlencode({"client_id": "signs", "request": token}) + "&client_id=signs"
    assert is_page_of_ours(visitor.get(f"/authorize?{query}"))
    nobody = signed(asked, SIGNS, client_id="nobody", iss="nobody")
    assert is_page_of_ours(bring(visitor, of_people("nobody"), nobody))


DEEP = json.loads('{"a":' * 400 + "{}" + "}" * 400)
WRONG: tuple[dict[str, Any], ...] = (
    {"iss": None},
    {"iss": "keeping"},
    {"iss": ISSUER},
    {"iss": ["signs"]},
    {"aud": None},
    {"aud": "https://evil.example"},
    {"aud": f"{ISSUER}/"},
    {"aud": f"{ISSUER}/authorize"},
    {"aud": ["https://evil.example"]},
    {"aud": {ISSUER: 1}},
    {"client_id": None},
    {"client_id": "keeping"},
    {"client_id": ["signs"]},
    {"sub": "signs"},
    {"request": "e30.e30."},
    {"request": ""},
    {"request_uri": "https://evil.example/r"},
    {"state": 5},
    {"state": ["signed-state"]},
    {"scope": ["openid"]},
    {"redirect_uri": ["https://signs.example/cb"]},
    {"nonce": "n" * 4097},
    {"nonce": "n\x00"},
    {"max_age": True},
    {"max_age": 1.5},
    {"max_age": {}},
    {"claims": ["sub"]},
    {"claims": DEEP},
    {"prompt": False},
)


def test_sec_29_what_is_wrong_with_it_is_told_to_its_client_alone(asked: World) -> None:
    """At the address beside it, if that is the client's, or on a page."""
    visitor = asked.browser()
    for changed in WRONG:
        token = signed(asked, SIGNS, **changed)
        told = told_at_named_address(visitor, SIGNS, token)
        assert (told["error"], told["state"]) == ("invalid_request_object", "plain"), changed
        assert is_page_of_ours(bring(visitor, SIGNS, token)), changed
        evil = bring(visitor, SIGNS, token, redirect_uri="https://evil.example/cb")
        assert is_page_of_ours(evil), changed
        assert is_refused(post_as(asked, SIGNS, "/par", request=token), told["error"]), changed


def forged(world: World) -> dict[str, str]:
    sound = signed(world, SIGNS)
    head, payload, signature = sound.split(".")
    own = claims(world, SIGNS)
    rsa = RSAKey.generate_key(2048, {"kid": "asking-1"})
    brought = {**HEADER, "jwk": OTHER_KEY.as_dict(private=False)}
    return {
        "unsigned": f"{segment({'alg': 'none'})}.{payload}.",
        "unsigned, with a signature": f"{segment({**HEADER, 'alg': 'none'})}.{payload}.{signature}",
        "by another key": jwt.encode(HEADER, own, OTHER_KEY),
        "by a key in its own header": jwt.encode(brought, own, OTHER_KEY),
        "by an RSA key of the same name": jwt.encode({**HEADER, "alg": "RS256"}, own, rsa),
        "changed afterwards": f"{head}.{encode(payload.encode())}.{signature}",
        "of another type": jwt.encode({**HEADER, "typ": "at+jwt"}, own, KEY),
        "a client assertion": jwt.encode({**HEADER, "typ": "client-authentication+jwt"}, own, KEY),
        "encrypted": f"{segment({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.a.b.c.d",
        "no token": "signs",
        "too long": sound + "A" * 4000,
    }


def test_sec_29_it_is_signed_by_the_clients_own_key(asked: World) -> None:
    visitor = asked.browser()
    for how, token in forged(asked).items():
        told = told_at_named_address(visitor, SIGNS, token)
        assert told["error"] == "invalid_request_object", how
        assert is_refused(post_as(asked, SIGNS, "/par", request=token), told["error"]), how


@pytest.mark.parametrize(("registered", "is_taken"), [("ES256", True), ("PS256", False)])
def test_sec_29_it_is_signed_by_the_algorithm_that_was_registered(
    world: World, registered: str, is_taken: bool
) -> None:
    register(world, signing("signs", request_object_signing_alg=registered))
    answer = post_as(world, SIGNS, "/par", request=signed(world, SIGNS))
    assert (answer.status_code == 201) is is_taken


TIMES: tuple[tuple[Any, Any, bool], ...] = (
    (0, HOUR, True),
    (-HOUR, 1, False),
    (-HOUR + 1, 1, True),
    (-HOUR - 1, 1, False),
    (8, 60, True),
    (10, 60, True),
    (11, 60, False),
    (0, 0, False),
    (0, -1, False),
    (0, HOUR + 1, False),
    (-60, HOUR - 59, False),
    (None, 60, False),
    (0, None, False),
    (None, None, False),
)


@pytest.mark.parametrize(("nbf", "exp", "is_taken"), TIMES)
def test_sec_35_one_that_must_be_signed_has_an_end(
    asked: World, nbf: int | None, exp: int | None, is_taken: bool
) -> None:
    """FAPI 2.0 Message Signing section 5.3.1: each within an hour."""
    now = int(asked.clock())
    times = {"nbf": None if nbf is None else now + nbf, "exp": None if exp is None else now + exp}
    answer = post_as(asked, MUST_SIGN, "/par", request=signed(asked, MUST_SIGN, **times))
    if is_taken:
        assert answer.status_code == 201, answer.text
    else:
        assert is_refused(answer, "invalid_request_object")


def test_one_that_need_not_be_signed_may_go_without_an_end(asked: World) -> None:
    """Without a signature the same request would be taken at any time. An end that is there is
    obeyed."""
    now = int(asked.clock())
    for times, is_taken in (
        ({"nbf": None, "exp": None}, True),
        ({"nbf": None, "exp": now + HOUR}, True),
        ({"nbf": None, "exp": now + HOUR + 1}, False),
        ({"nbf": None, "exp": now}, False),
        ({"nbf": now - HOUR - 1, "exp": None}, False),
        ({"nbf": None, "exp": None, "iat": now + 11}, False),
        ({"nbf": None, "exp": None, "iat": "now"}, False),
    ):
        answer = post_as(asked, SIGNS, "/par", request=signed(asked, SIGNS, **times))
        assert (answer.status_code == 201) is is_taken, times


def test_an_audience_may_be_a_list_that_we_are_in(asked: World) -> None:
    token = signed(asked, SIGNS, aud=["https://other.example", ISSUER])
    assert post_as(asked, SIGNS, "/par", request=token).status_code == 201


def test_sec_29_who_must_sign_is_not_heard_without(asked: World) -> None:
    visitor = asked.browser()
    answer = visitor.get("/authorize?" + urlencode(asked_by(MUST_SIGN)))
    assert sent_back(answer)["error"] == "invalid_request"
    pushed = post_as(asked, MUST_SIGN, "/par", **asked_by(MUST_SIGN))
    assert is_refused(pushed, "invalid_request")
    twice = urlencode([*asked_by(MUST_SIGN).items(), ("request", "x"), ("request", "y")])
    for answer in (
        visitor.get(f"/authorize?{twice}"),
        visitor.client.post("/authorize", data=twice, content_type=FORM),
    ):
        assert sent_back(answer)["error"] == "invalid_request"


FORM = "application/x-www-form-urlencoded"


def test_sec_29_a_request_is_in_one_place(asked: World) -> None:
    beside = {"request_uri": "https://signs.example/r", "redirect_uri": SIGNS.redirect_uri}
    answer = bring(asked.browser(), SIGNS, signed(asked, SIGNS), **beside)
    assert sent_back(answer)["error"] == "invalid_request"


def test_sec_29_what_has_begun_goes_on_when_its_object_has_ended(asked: World) -> None:
    """Nor does it matter that the client has other keys by then: it was judged when it came."""
    visitor = asked.browser()
    page = visitor.follow(bring(visitor, MUST_SIGN, signed(asked, MUST_SIGN)))
    register(asked, Party("must-sign", MUST_SIGN.method, MUST_SIGN.form, OTHER_KEY))
    asked.clock.move(600)
    sent = sent_back(visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD)))
    assert (sent["state"], "code" in sent) == ("signed-state", True)


def test_sec_29_it_is_read_once_for_each_visit(
    asked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    verify = request_object.verify

    def watched(token: str, *rest: Any) -> Any:
        verified.append(token)
        return verify(token, *rest)

    monkeypatch.setattr(request_object, "verify", watched)
    visitor = asked.browser()
    fields = {"client_id": "signs", "request": signed(asked, SIGNS)}
    answer = visitor.client.post("/authorize", data=fields)
    assert verified == [], "the GET that follows brings the cookies, and is the one that counts"
    assert "code" in sign_in(visitor, answer)
    assert verified == [fields["request"]]


def test_a_signed_request_may_be_pushed(either_world: World) -> None:
    """It is judged then: neither its end nor what stands beside it later counts."""
    world, visitor = either_world, either_world.browser()
    register(world, MUST_SIGN)
    beside = {"state": "plain", "redirect_uri": "https://evil.example/cb", "scope": "openid"}
    soon_over = signed(world, MUST_SIGN, exp=int(world.clock()) + 1)
    pushed = post_as(world, MUST_SIGN, "/par", request=soon_over, **beside)
    assert pushed.status_code == 201, pushed.text
    world.clock.move(30)
    fields = {"client_id": "must-sign", "request_uri": (pushed.json or {})["request_uri"], **beside}
    sent = sign_in(visitor, visitor.get("/authorize?" + urlencode(fields)))
    assert sent["state"] == "signed-state"
    tokens = redeem(world, MUST_SIGN, sent["code"]).json or {}
    assert set(tokens["scope"].split()) == set(MUST_SIGN.form["scope"].split())


def test_sec_29_what_a_signed_request_asks_is_judged_like_any(asked: World) -> None:
    visitor = asked.browser()
    for changed, error in (
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "cookie"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "loans.write"}, "invalid_scope"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"prompt": "none"}, "login_required"),
    ):
        token = signed(asked, SIGNS, **changed)
        told = sent_back(bring(visitor, SIGNS, token))
        assert (told["error"], told["state"]) == (error, "signed-state"), changed
    evil = signed(asked, SIGNS, redirect_uri="https://evil.example/cb")
    assert is_page_of_ours(bring(visitor, SIGNS, evil))
    assert is_refused(post_as(asked, SIGNS, "/par", request=evil), "invalid_request")
