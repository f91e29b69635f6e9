"""What the OpenID Foundation's modules of the Basic, Form Post and Config profiles ask of a
provider, each under the module's name. docs/conformance.md tells of them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from tests.security.protocol import (
    Party,
    answer_to,
    ask,
    asked_by,
    is_page_of_ours,
    is_refused,
    of_people,
    post_as,
    redeem,
    refresh,
    register,
    segment,
)
from tests.world import AMARA, CHALLENGE, ISSUER, PASSWORD, Visitor, World, claims_of, sent_back

NO_PKCE: dict[str, str | None] = {
    "code_challenge": None,
    "code_challenge_method": None,
}
JSON = (200, "application/json")
WITH_PKCE: dict[str, Any] = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
SUITE = of_people("suite", first_party=False, require_pkce=False)
SECOND = of_people("suite-second", "client_secret_post", first_party=False, require_pkce=False)


@pytest.fixture(params=[None, "form_post"])
def mode(request: pytest.FixtureRequest) -> str | None:
    """The Form Post profile is the Basic one with another response mode."""
    chosen: str | None = request.param
    return chosen


@pytest.fixture
def visitor(world: World) -> Visitor:
    register(world, SUITE, SECOND)
    return world.browser()


def asks(visitor: Visitor, party: Party = SUITE, **changed: str | None) -> TestResponse:
    """Through sign-in and consent, as a person goes who says yes."""
    asked: dict[str, Any] = {**NO_PKCE, **changed}
    answer = answer_to(visitor, party, **asked)
    if 'value="allow"' in answer.text:
        answer = visitor.follow(visitor.submit(answer, decision="allow"))
    return answer


def response(answer: TestResponse) -> dict[str, str]:
    """By redirect, or by the form that posts itself."""
    if answer.status_code == 303:
        return sent_back(answer)
    assert f'action="{SUITE.redirect_uri}"' in answer.text, answer.text
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', answer.text)
    return {name: unescape(value) for name, value in hidden}


def tokens(visitor: Visitor, party: Party = SUITE, **changed: str | None) -> dict[str, Any]:
    code = response(asks(visitor, party, **changed))["code"]
    answer = redeem(visitor.world, party, code, code_verifier=None)
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def test_oidcc_server(visitor: Visitor, mode: str | None) -> None:
    sent = response(asks(visitor, response_mode=mode))
    assert (sent["state"], sent["iss"]) == ("a-state", ISSUER)
    answer = redeem(visitor.world, SUITE, sent["code"], code_verifier=None)
    told = dict(answer.json or {})
    assert answer.headers["Cache-Control"] == "no-store"
    assert told["token_type"] == "Bearer"
    keys: Any = visitor.world.get("/jwks").json
    opened = jwt.decode(told["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"])
    claims = opened.claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (ISSUER, SUITE.client_id, "a-nonce")
    assert claims["exp"] > claims["iat"] == int(visitor.world.clock())


def test_oidcc_response_type_missing(visitor: Visitor, mode: str | None) -> None:
    answer = ask(visitor, SUITE, **NO_PKCE, response_type=None, response_mode=mode)
    assert response(answer)["error"] == "invalid_request"


def test_oidcc_userinfo_get_and_post(visitor: Visitor) -> None:
    world, token = visitor.world, tokens(visitor)["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    answers = [
        world.get("/userinfo", **bearer),
        world.post("/userinfo", bearer),
        world.post("/userinfo", access_token=token),
    ]
    assert [(each.status_code, each.mimetype) for each in answers] == [
        (200, "application/json")
    ] * 3
    assert [each.json for each in answers] == [answers[0].json] * 3


def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(visitor: Visitor) -> None:
    assert "nonce" not in claims_of(tokens(visitor, nonce=None)["id_token"])


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid profile", {"name", "given_name", "family_name", "updated_at"}),
        ("openid email", {"email", "email_verified"}),
        ("email profile openid", {"name", "email"}),
    ],
)
def test_oidcc_scopes(visitor: Visitor, scope: str, claims: set[str]) -> None:
    """And what was not asked for is nowhere, nor any of it in the ID token."""
    given = tokens(visitor, scope=scope)
    told = set(visitor.world.userinfo(given["access_token"]).json or {})
    assert claims <= told
    assert ("name" in told, "email" in told) == ("profile" in scope, "email" in scope)
    assert {"name", "email"}.isdisjoint(claims_of(given["id_token"]))


@pytest.mark.parametrize(
    "more",
    [
        {"display": "page"},
        {"display": "popup"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"login_hint": "bob@example.com"},
        {"acr_values": "1 2"},
        {"extra": "foobar"},
    ],
    ids=lambda more: "-".join(*more.items()),
)
def test_oidcc_what_is_asked_beside_it_stops_nobody(visitor: Visitor, more: dict[str, Any]) -> None:
    """oidcc-display-page, -popup, -ui-locales, -claims-locales, -login-hint,
    -ensure-request-with-unknown-parameter-succeeds."""
    assert "code" in response(asks(visitor, **more))


def test_oidcc_ensure_request_with_acr_values_succeeds(visitor: Visitor) -> None:
    """With all that discovery names, of which one has to come back."""
    told: Any = visitor.world.get("/.well-known/openid-configuration").json
    asked = " ".join(told["acr_values_supported"])
    assert claims_of(tokens(visitor, acr_values=asked)["id_token"])["acr"] in asked.split()


def test_oidcc_login_hint(visitor: Visitor) -> None:
    page = visitor.follow(ask(visitor, SUITE, **NO_PKCE, login_hint="bob@example.com"))
    assert 'value="bob@example.com"' in page.text


def test_oidcc_prompt_login(visitor: Visitor) -> None:
    first = claims_of(tokens(visitor)["id_token"])
    visitor.world.clock.move(5)
    page = visitor.follow(ask(visitor, SUITE, **NO_PKCE, prompt="login"))
    assert 'name="password"' in page.text
    again = claims_of(tokens(visitor, prompt="login")["id_token"])
    assert again["auth_time"] == first["auth_time"] + 5
    assert again["sub"] == first["sub"]


def test_oidcc_prompt_none_not_logged_in(visitor: Visitor, mode: str | None) -> None:
    answer = ask(visitor, SUITE, **NO_PKCE, prompt="none", response_mode=mode)
    assert response(answer)["error"] == "login_required"


def test_oidcc_prompt_none_logged_in(visitor: Visitor, mode: str | None) -> None:
    first = claims_of(tokens(visitor)["id_token"])
    again = claims_of(tokens(visitor, prompt="none", response_mode=mode)["id_token"])
    assert (again["sub"], again["auth_time"]) == (first["sub"], first["auth_time"])


@pytest.mark.parametrize(
    ("seconds", "max_age", "asks_again"), [(2, "1", True), (2, "10000", False)]
)
def test_oidcc_max_age(visitor: Visitor, seconds: int, max_age: str, asks_again: bool) -> None:
    first = claims_of(tokens(visitor)["id_token"])
    visitor.world.clock.move(2)
    again = claims_of(tokens(visitor, max_age=max_age)["id_token"])
    assert (again["auth_time"] > first["auth_time"]) is asks_again


def test_oidcc_id_token_hint(visitor: Visitor) -> None:
    first = tokens(visitor)
    again = tokens(visitor, prompt="none", id_token_hint=first["id_token"])
    assert claims_of(again["id_token"])["sub"] == claims_of(first["id_token"])["sub"]


def test_oidcc_codereuse(visitor: Visitor) -> None:
    """And oidcc-codereuse-30seconds: what the code gave is dead then."""
    world, code = visitor.world, response(asks(visitor))["code"]
    token = (redeem(world, SUITE, code, code_verifier=None).json or {})["access_token"]
    world.clock.move(30)
    assert is_refused(redeem(world, SUITE, code, code_verifier=None), "invalid_grant")
    assert world.userinfo(token).status_code == 401


def test_oidcc_ensure_registered_redirect_uri(visitor: Visitor) -> None:
    changed = {**NO_PKCE, "redirect_uri": SUITE.redirect_uri + "/evil"}
    assert is_page_of_ours(ask(visitor, SUITE, **changed))


def test_oidcc_ensure_post_request_succeeds(visitor: Visitor) -> None:
    answer = visitor.follow(visitor.post("/authorize", **asked_by(SUITE, **NO_PKCE)))
    answer = visitor.follow(visitor.submit(answer, email=AMARA, password=PASSWORD))
    assert "code" in response(visitor.follow(visitor.submit(answer, decision="allow")))


def test_oidcc_server_client_secret_post(visitor: Visitor) -> None:
    assert claims_of(tokens(visitor, SECOND)["id_token"])["aud"] == SECOND.client_id


def test_oidcc_unsigned_request_object_is_refused(visitor: Visitor, mode: str | None) -> None:
    """oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported, and
    oidcc-ensure-request-object-with-redirect-uri."""
    claims = {**asked_by(SUITE, **NO_PKCE), "iss": SUITE.client_id, "aud": ISSUER}
    unsigned = f"{segment({'alg': 'none'})}.{segment(claims)}."
    sent = response(ask(visitor, SUITE, **NO_PKCE, request=unsigned, response_mode=mode))
    assert (sent["error"], sent["state"]) == ("invalid_request_object", "a-state")
    told: Any = visitor.world.get("/.well-known/openid-configuration").json
    assert "none" not in told["request_object_signing_alg_values_supported"]


def test_oidcc_request_uri_unsigned_is_refused(visitor: Visitor) -> None:
    """oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported."""
    sent = response(ask(visitor, SUITE, **NO_PKCE, request_uri="https://suite.example/request.jwt"))
    assert sent["error"] == "request_uri_not_supported"


def test_oidcc_claims_essential(visitor: Visitor) -> None:
    asked = '{"userinfo":{"name":{"essential":true}}}'
    given = tokens(visitor, scope="openid", claims=asked)
    assert "name" in (visitor.world.userinfo(given["access_token"]).json or {})
    assert "name" not in claims_of(given["id_token"])


def test_oidcc_refresh_token(visitor: Visitor) -> None:
    world = visitor.world
    first = tokens(visitor, prompt="consent", scope="openid offline_access")
    world.clock.move(2)
    answer = refresh(world, SUITE, first["refresh_token"])
    before, after = (claims_of(each["id_token"]) for each in (first, dict(answer.json or {})))
    for name in ("iss", "sub", "aud", "auth_time"):
        assert before[name] == after[name]
    assert after["iat"] == before["iat"] + 2
    assert "nonce" not in after
    assert is_refused(refresh(world, SECOND, first["refresh_token"]), "invalid_grant")


def test_oidcc_client_authentication_in_any_other_way_is_none(visitor: Visitor) -> None:
    code = response(asks(visitor))["code"]
    wrong = Party(SUITE.client_id, "client_secret_post", SUITE.form)
    answer = redeem(visitor.world, wrong, code, code_verifier=None)
    assert is_refused(answer, "invalid_client", 401)
    fields = {"grant_type": "authorization_code", "code": code}
    assert post_as(visitor.world, SUITE, "/token?" + urlencode(fields)).status_code == 400


def test_oidcc_ensure_request_with_valid_pkce_succeeds(visitor: Visitor) -> None:
    code = response(asks(visitor, **WITH_PKCE))["code"]
    assert is_refused(redeem(visitor.world, SUITE, code, code_verifier=None), "invalid_grant")
    assert redeem(visitor.world, SUITE, code).status_code == 200


def test_oidcc_discovery_endpoint_verification(world: World) -> None:
    answer = world.get("/.well-known/openid-configuration")
    told: Any = answer.json
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert told["issuer"] == ISSUER
    assert [] not in told.values()  # OpenID Connect Discovery section 4.2
    for member in ("authorization", "token", "userinfo", "end_session", "introspection"):
        assert told[f"{member}_endpoint"].startswith(f"{ISSUER}/")
    assert told["jwks_uri"] == f"{ISSUER}/jwks"
    assert "code" in told["response_types_supported"]
    assert {"openid", "profile", "email"} <= set(told["scopes_supported"])
    assert {"public", "pairwise"} == set(told["subject_types_supported"])
    assert "RS256" in told["id_token_signing_alg_values_supported"]
    assert {"sub", "iss", "name", "email"} <= set(told["claims_supported"])
    assert {"query", "fragment", "form_post"} <= set(told["response_modes_supported"])
    keys: Any = world.get("/jwks").json
    assert len({key["kid"] for key in keys["keys"]}) == len(keys["keys"])
    assert all(not {"d", "p", "q"} & set(key) for key in keys["keys"])
