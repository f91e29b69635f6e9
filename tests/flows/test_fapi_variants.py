"""The conformance suite's variants of FAPI 2.0: how a client proves itself, what its tokens are
bound to, with OpenID Connect and without, and without any person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from idp.grants.claims import CLAIMS
from tests.security.certificates import BOUND, STRANGE, SUBJECT, behind_tls, shown
from tests.security.fapi_clients import FAPI, SIGNER, begin, finish, of_profile, request_uri, tokens
from tests.security.protocol import (
    CODE_AND_REFRESH,
    EVERY_SCOPE,
    Party,
    asked_by,
    is_refused,
    proof,
    register,
)
from tests.security.proving_possession import KEY, OTHER, bring, made
from tests.security.test_sec_12_signed_responses import verified
from tests.world import ISSUER, VERIFIER, World, claims_of, sent_back

MTLS = "https://mtls.id.example"
SECURITY = "fapi2_security"
QUERY = "?dummy1=lorem&dummy2=ipsum"
BY_AUTHORITY = "tls_client_auth"


def party(client_id: str, method: str, **more: Any) -> Party:
    """With both of the suite's redirect URIs."""
    callback = f"https://{client_id}.example/cb"
    form = {
        "profile": SECURITY,
        "redirect_uris": [callback, callback + QUERY],
        "grant_types": CODE_AND_REFRESH,
        "scope": EVERY_SCOPE,
        "first_party": True,
        **({"tls_client_auth_subject_dn": SUBJECT} if method == BY_AUTHORITY else {}),
        **more,
    }
    return Party(client_id, method, form, SIGNER if method == "private_key_jwt" else None)


VARIANTS = (
    party("key-dpop", "private_key_jwt"),
    party("key-mtls", "private_key_jwt", **{BOUND: True}),
    party("mtls-dpop", BY_AUTHORITY),
    party("mtls-mtls", BY_AUTHORITY, **{BOUND: True}),
)


@pytest.fixture
def tls(world: World) -> Iterator[World]:
    register(world, *VARIANTS)
    behind = behind_tls(world)
    yield behind
    behind.held.database.close()


def holding(world: World, one: Party, key: Any = KEY) -> dict[str, str]:
    """What shows at the token endpoint that the client holds what its tokens are bound to."""
    if one.form.get(BOUND):
        return shown()
    host = MTLS if one.method == BY_AUTHORITY else ISSUER
    return {"DPoP": made(world, key=key, htu=f"{host}/token")}


def post(
    world: World, one: Party, path: str, more: dict[str, str], **form: str | None
) -> TestResponse:
    """With the certificate that proves the client, where one does."""
    headers, fields = proof(world, one)
    certificate = shown() if one.method == BY_AUTHORITY else {}
    return world.post(path, {**headers, **certificate, **more}, **{**fields, **form})


def call(world: World, token: str, bound: bool, *, stolen: bool = False) -> int:
    headers: dict[str, str] = shown(STRANGE) if stolen else shown()
    if not bound:
        by = made(world, "/userinfo", "GET", token, key=OTHER if stolen else KEY)
        headers = {"DPoP": by}
    authorization = f"{'Bearer' if bound else 'DPoP'} {token}"
    client = Client(world.app)
    return client.get("/userinfo", headers={**headers, "Authorization": authorization}).status_code


@pytest.mark.parametrize("one", VARIANTS, ids=lambda one: one.client_id)
def test_each_way_to_prove_a_client_goes_with_each_way_to_bind_its_tokens(
    tls: World, one: Party
) -> None:
    """happy-flow, ensure-holder-of-key-required and refresh-token, with the second client's
    redirect URI, which has a query, and its long state"""
    is_bound, redirect_uri = bool(one.form.get(BOUND)), one.redirect_uri + QUERY
    pushed = post(tls, one, "/par", {}, **asked_by(one, redirect_uri=redirect_uri, state="s" * 128))
    assert pushed.status_code == 201, pushed.text
    visitor = tls.browser()
    sent = sent_back(finish(visitor, begin(visitor, (pushed.json or {})["request_uri"], one)))
    assert (sent["state"], sent["dummy1"], sent["dummy2"]) == ("s" * 128, "lorem", "ipsum")
    redeeming: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": sent["code"],
        "redirect_uri": redirect_uri,
        "code_verifier": VERIFIER,
    }
    assert lacks(tls, one, redeeming)
    given = post(tls, one, "/token", holding(tls, one), **redeeming).json or {}
    assert given["token_type"] == ("Bearer" if is_bound else "DPoP")
    token, refresh_token = given["access_token"], given["refresh_token"]
    statuses = [call(tls, token, is_bound, stolen=stolen) for stolen in (False, True)]
    assert statuses == [200, 401]
    again: dict[str, str | None] = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    assert is_refused(tls.post("/token", holding(tls, one), **again), "invalid_client", 401)
    assert lacks(tls, one, again)
    fresh = post(tls, one, "/token", holding(tls, one, OTHER), **again).json or {}
    assert fresh["refresh_token"] == refresh_token


def lacks(world: World, one: Party, form: dict[str, str | None]) -> bool:
    """Without what its tokens are bound to, which may be what proves the client too."""
    if one.form.get(BOUND) and one.method == BY_AUTHORITY:
        bare = world.post("/token", {}, client_id=one.client_id, **form)
        return is_refused(bare, "invalid_client", 401)
    return is_refused(post(world, one, "/token", {}, **form), "invalid_request")


@pytest.mark.parametrize("profile", [SECURITY, "fapi2_message_signing"])
def test_a_person_refuses_and_the_client_is_told(world: World, profile: str) -> None:
    """user-rejects-authentication: by a client that is not the platform's own"""
    one = of_profile(
        "asks", profile, first_party=False, redirect_uris=["https://asks.example/cb?a=b"]
    )
    register(world, one)
    visitor, state = world.browser(), "s" * 128
    page = visitor.follow(
        finish(visitor, begin(visitor, request_uri(world, one, state=state), one))
    )
    sent = sent_back(visitor.follow(visitor.submit(page, decision="deny")))
    assert sent.pop("a") == "b"
    if profile != SECURITY:
        _header, sent = verified(world, sent["response"])
        assert sent.pop("aud") == one.client_id
        assert sent.pop("exp")
    assert set(sent) == {"error", "error_description", "state", "iss"}
    assert (sent["error"], sent["state"]) == ("access_denied", state)


PEOPLE = "/api/v1/tenants/northwind/people"
CONSOLE = {"product": "console", "scope": "people.read", "permissions": ["people.read"]}
DESK = of_profile("desk", SECURITY, **CONSOLE)
PROGRAM = of_profile(
    "program", SECURITY, **CONSOLE, tenant="northwind", grant_types=["client_credentials"]
)


@pytest.fixture
def console(world: World) -> World:
    register(world, DESK, PROGRAM)
    return world


def opens(world: World, token: str) -> bool:
    """The management API is a resource of ours that asks for no `openid`, and takes no token from
    an address either."""
    for key, status in ((KEY, 200), (OTHER, 401)):
        by = made(world, PEOPLE, "GET", token, key=key)
        assert bring(world, token, by, PEOPLE).status_code == status
    assert bring(world, token, None, PEOPLE).status_code == 401
    return Client(world.app).get(f"{PEOPLE}?access_token={token}").status_code == 401


def test_without_openid_there_is_no_id_token_and_the_management_api_to_call(console: World) -> None:
    """The plan's `plain_oauth`; its resource is an API."""
    given = tokens(console, DESK)
    assert (given["scope"], "id_token" in given) == ("people.read", False)
    assert opens(console, given["access_token"])
    by = made(console, "/userinfo", "GET", given["access_token"])
    assert bring(console, given["access_token"], by).status_code == 403


def test_a_machine_of_the_profile_gets_a_bound_token_and_calls(console: World) -> None:
    """fapi2-security-profile-final-client-credentials-grant-test-plan"""
    headers, fields = proof(console, PROGRAM)
    form = {"grant_type": "client_credentials", "scope": "people.read"}
    assert is_refused(console.post("/token", headers, **{**fields, **form}), "invalid_request")
    headers, fields = proof(console, PROGRAM)
    by = {"DPoP": made(console)}
    given = console.post("/token", {**headers, **by}, **{**fields, **form}).json or {}
    assert set(given) == {"access_token", "token_type", "expires_in", "scope"}
    assert opens(console, given["access_token"])


STANDARD = {
    *("sub", "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"),
    *("profile", "picture", "website", "email", "email_verified", "gender", "birthdate"),
    *("zoneinfo", "locale", "phone_number", "phone_number_verified", "address", "updated_at"),
}
OF_ID_TOKENS = {
    *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash"),
    *("c_hash", "nbf", "jti", "sid", "s_hash"),
}
OURS = {"tenant_id", "tenant", "roles", "permissions"}
FORMS: tuple[Any, ...] = (None, {}, {"essential": True}, {"kJ3h8Lq0Zx": "w9"}, {"essential": False})


def test_each_standard_claim_comes_for_the_asking_in_whatever_form_it_is_asked(
    world: World,
) -> None:
    """test-claims-parameter-identity-claims, of a person of whom all of it is known; a place that
    nobody knows is not read"""
    register(world, FAPI)
    asked = dict(zip(sorted(STANDARD.intersection(CLAIMS)), cycle(FORMS), strict=False))
    claims = {"id_token": asked, "userinfo": asked, "x8Kd02Hs": {"p2": None}}
    given = tokens(world, FAPI, scope="openid", claims=json.dumps(claims))
    by = made(world, "/userinfo", "GET", given["access_token"])
    told = bring(world, given["access_token"], by).json or {}
    assert set(asked) <= set(told)
    assert set(told) - STANDARD == OURS, "which the suite does not know, and warns of"


def test_an_id_token_has_what_was_asked_for_and_our_own_claims(world: World) -> None:
    """happy-flow: the suite warns of the four that it does not know."""
    register(world, FAPI)
    assert set(claims_of(tokens(world)["id_token"])) - OF_ID_TOKENS == OURS
