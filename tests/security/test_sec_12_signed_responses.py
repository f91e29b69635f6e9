"""S12: an answer as a JWT says inside who gives it, to whom, and until when (JARM)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from idp.oidc.reply_to import RESPONSE_MODES
from idp.tokens.key_pairs import ALGORITHMS
from idp.tokens.others_keys import SIGNATURES
from tests.security.protocol import KEEPING, Party, answer_to, ask, of_people, redeem, register
from tests.world import ISSUER, Visitor, World, sent_back

JWT_MODES = [mode for mode in RESPONSE_MODES if mode.endswith("jwt")]


def parameters(answer: TestResponse, mode: str, party: Party = KEEPING) -> dict[str, list[str]]:
    """What the client gets, in the place that the mode says and in no other."""
    if mode.startswith("form_post"):
        assert answer.status_code == 200
        assert f'action="{party.redirect_uri}"' in answer.text
        policy = answer.headers["Content-Security-Policy"]
        assert f"form-action 'self' https://{party.client_id}.example" in policy
        form = answer.text.partition("<form")[2]
        fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        return {name: [value] for name, value in fields}
    assert answer.headers["Location"].startswith(party.redirect_uri)
    parts = urlsplit(answer.headers["Location"])
    used, unused = parts.query, parts.fragment
    if mode.startswith("fragment"):
        used, unused = unused, used
    assert unused == ""
    return parse_qs(used)


def verified(world: World, response: str) -> tuple[dict[str, Any], dict[str, Any]]:
    published: Any = world.get("/jwks").json
    opened = jwt.decode(response, KeySet.import_key_set(published), registry=SIGNATURES)
    return opened.header, dict(opened.claims)


def told(world: World, answer: TestResponse, mode: str, party: Party = KEEPING) -> dict[str, Any]:
    sent = parameters(answer, mode, party)
    assert set(sent) == {"response"}, "nothing stands beside the JWT, `iss` neither"
    claims = verified(world, sent["response"][0])[1]
    exp = claims.pop("exp")
    assert (claims.pop("iss"), claims.pop("aud")) == (ISSUER, party.client_id)
    assert exp == int(world.clock()) + 120
    return claims


@pytest.mark.parametrize("mode", JWT_MODES)
def test_an_answer_may_come_as_a_jwt(either_world: World, mode: str) -> None:
    """After a sign-in, and from a session."""
    world, visitor = either_world, either_world.browser()
    register(world, KEEPING)
    for answer in (
        answer_to(visitor, KEEPING, response_mode=mode),
        ask(visitor, KEEPING, response_mode=mode),
    ):
        claims = told(world, answer, mode)
        assert (set(claims), claims["state"]) == ({"code", "session_state", "state"}, "a-state")
        assert redeem(world, KEEPING, claims["code"]).status_code == 200


@pytest.mark.parametrize("mode", JWT_MODES)
def test_sec_12_a_refusal_comes_as_a_jwt_too(world: World, mode: str) -> None:
    register(world, KEEPING)
    visitor = world.browser()
    for error, changed in (
        ("login_required", {"prompt": "none"}),
        ("invalid_scope", {"scope": "loans.write"}),
        ("unsupported_response_type", {"response_type": "id_token"}),
        ("invalid_request", {"code_challenge": None}),
        ("invalid_request_object", {"request": "e30.e30."}),
    ):
        answer = ask(visitor, KEEPING, response_mode=mode, **changed)
        claims = told(world, answer, mode)
        assert (claims["error"], claims["state"]) == (error, "a-state")
        assert set(claims) == {"error", "error_description", "state"}


def test_what_was_not_sent_does_not_come_back(world: World) -> None:
    register(world, KEEPING)
    answer = answer_to(world.browser(), KEEPING, response_mode="jwt", state=None)
    assert set(told(world, answer, "jwt")) == {"code", "session_state"}


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_it_is_signed_by_the_algorithm_that_the_client_registered(world: World, alg: str) -> None:
    party = of_people("chooses", authorization_signed_response_alg=alg)
    register(world, party)
    answer = ask(world.browser(), party, response_mode="jwt", prompt="none")
    header, _ = verified(world, parameters(answer, "jwt", party)["response"][0])
    assert (header["alg"], header["typ"]) == (alg, "JWT")


@pytest.mark.parametrize(
    "mode", ["code.jwt", "JWT", ".jwt", "jwt.query", "query.jwt.jwt", "jwtjwt"]
)
def test_sec_10_no_other_mode_is_made_of_these_words(world: World, mode: str) -> None:
    register(world, KEEPING)
    sent = sent_back(ask(world.browser(), KEEPING, response_mode=mode))
    assert (sent["error"], sent["iss"]) == ("invalid_request", ISSUER)


def test_sec_34_an_answer_as_a_jwt_is_no_id_token(world: World) -> None:
    """Its type is the same, since libraries know no other there; what it says is not."""
    register(world, KEEPING)
    visitor = world.browser()
    answer_to(visitor, KEEPING)
    answer = ask(visitor, KEEPING, response_mode="jwt")
    response = parameters(answer, "jwt")["response"][0]
    assert world.userinfo(response).status_code == 401
    assert sent_back(ask(visitor, KEEPING, id_token_hint=response))["error"] == "invalid_request"
    assert asks_before_it_signs_out(visitor, response)


def asks_before_it_signs_out(visitor: Visitor, hint: str) -> bool:
    answer = visitor.get(f"/logout?id_token_hint={hint}")
    return answer.status_code in (200, 400)
