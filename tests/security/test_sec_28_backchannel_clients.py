"""S28: how a client shows that a request about a person is its own, and who may make any (CIBA)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from idp.errors import SetupMistake
from idp.oidc.client_authentication import ASSERTION_TYPE
from idp.oidc.client_metadata import CIBA
from idp.secret_values import new_id
from tests.security.backchannel_flow import COUNTER, ask
from tests.security.browsing import at_once
from tests.security.protocol import (
    EVERY_SCOPE,
    Party,
    assertion,
    is_refused,
    of_people,
    post_as,
    register,
    segment,
)
from tests.security.registering import initial_token, post, registered
from tests.world import AMARA, DANA, ISSUER, World


def test_sec_27_an_assertion_may_be_for_the_backchannel_endpoint(world: World) -> None:
    key = ECKey.generate_key("P-256")
    signing = replace(of_people("signing-counter", "private_key_jwt", **COUNTER.form), key=key)
    register(world, signing)
    for path, status in {"": 200, "/bc-authorize": 200, "/token": 200, "/par": 401}.items():
        signed = assertion(world, signing, aud=ISSUER + path, header={"alg": "ES256"})
        form = {"client_assertion": signed, "client_assertion_type": ASSERTION_TYPE}
        form |= {"scope": "openid", "login_hint": AMARA}
        assert world.post("/bc-authorize", None, **form).status_code == status, path


KEY, OTHER_KEY = (ECKey.generate_key("P-256", {"kid": "own"}) for _ in range(2))
SIGNS = Party(
    "signs-requests",
    form={**COUNTER.form, "backchannel_authentication_request_signing_alg": "ES256"},
    key=KEY,
)


def signed(
    world: World, key: ECKey = KEY, header: dict[str, Any] | None = None, **changed: Any
) -> str:
    now = int(world.clock())
    claims = {"iss": SIGNS.client_id, "aud": ISSUER, "iat": now, "nbf": now, "exp": now + 60}
    claims |= {"jti": new_id(), "scope": EVERY_SCOPE, "login_hint": AMARA, **changed}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(header or {"alg": "ES256", "kid": "own"}, kept, key)


def bring(world: World, request: str, **beside: str) -> Any:
    return post_as(world, SIGNS, "/bc-authorize", request=request, **beside)


def test_a_signed_request_is_taken_as_it_is_written(world: World) -> None:
    register(world, SIGNS)
    for typ in (None, "JWT", "oauth-authz-req+jwt"):
        header = {"alg": "ES256", "kid": "own", **({"typ": typ} if typ else {})}
        assert bring(world, signed(world, header=header)).status_code == 200, typ
    world.clock.move(601)
    for expiry in (30, "30"):
        told = bring(world, signed(world, requested_expiry=expiry, binding_message="W-4")).json
        assert told["expires_in"] == 30


def bad_requests(world: World) -> dict[str, str]:
    now, hour = int(world.clock()), 3600
    claims: dict[str, dict[str, Any]] = {
        **{f"no {name}": {name: None} for name in ("iss", "aud", "iat", "nbf", "exp", "jti")},
        "another's": {"iss": "counter"},
        "for another": {"aud": "https://elsewhere.example"},
        "an assertion": {"sub": SIGNS.client_id},
        "expired": {"exp": now},
        "for long": {"exp": now + 70 * 60},
        "of the future": {"nbf": now + 600},
        "issued later": {"iat": now + 600},
        "old": {"nbf": now - 70 * 60, "exp": now + 60},
        "a jti that is none": {"jti": 7},
        "a jti without end": {"jti": "j" * 257},
        "two hints": {"id_token_hint": "a.b.c"},
        "no hint": {"login_hint": None},
        "a request inside": {"request": "a.b.c"},
        "no text": {"binding_message": {"a": 1}},
        "no number": {"requested_expiry": True},
        "an hour of nothing": {"exp": now - hour, "nbf": now - hour},
    }
    made = {name: signed(world, **changed) for name, changed in claims.items()}
    head, body, _ = signed(world).split(".")
    return {
        **made,
        "by another key": signed(world, OTHER_KEY),
        "of another type": signed(world, header={"alg": "ES256", "typ": "at+jwt"}),
        "by nobody": ".".join([segment({"alg": "none"}), body, ""]),
        "cut": f"{head}.{body}.",
        "no JWT": "no-jwt",
    }


def test_sec_29_a_signed_request_that_is_not_sound_is_refused(world: World) -> None:
    """As FAPI-CIBA's modules have it: `invalid_request`, for whatever is wrong."""
    register(world, SIGNS)
    for name, request in bad_requests(world).items():
        assert is_refused(bring(world, request), "invalid_request"), name
    assert is_refused(ask(world, SIGNS), "invalid_request"), "one that is not signed"
    for beside in ({"scope": "openid"}, {"binding_message": "x"}, {"login_hint": DANA}):
        answer = bring(world, signed(world), **beside)
        assert is_refused(answer, "invalid_request"), beside
    assert world.run("SELECT count(*) FROM decoupled_requests") == [(0,)]


def test_sec_29_a_signed_request_is_asked_once(either_world: World) -> None:
    world = either_world
    register(world, SIGNS)
    request = signed(world)
    answers = at_once([partial(bring, world, request)] * 6)
    assert sorted(each.status_code for each in answers) == [200, *[400] * 5]
    assert is_refused(bring(world, request), "invalid_request")


REGISTERED_IN_VAIN: list[dict[str, Any]] = [
    {"token_endpoint_auth_method": "none", "client_secret": None},
    {"profile": "fapi2_security", "jwks": {"keys": [KEY.as_dict(private=False)]}},
    {"backchannel_authentication_request_signing_alg": "ES256"},
    {"backchannel_authentication_request_signing_alg": "none"},
    {"backchannel_authentication_request_signing_alg": "HS256"},
]


def test_a_client_that_may_not_have_the_grant_is_not_registered(world: World) -> None:
    for changed in REGISTERED_IN_VAIN:
        with pytest.raises(SetupMistake):
            world.apply(clients=[{**COUNTER.described(), **changed}])
    world.apply(clients=[COUNTER.described()])
    assert CIBA in world.run("SELECT grant_types FROM clients WHERE client_id = 'counter'")[0][0]


NAMING = {"redirect_uris": [], "grant_types": [CIBA], "response_types": []}


def test_a_client_that_registers_itself_polls_and_says_so_or_not(world: World) -> None:
    token = initial_token(world, grant_types=[CIBA])
    said = {"backchannel_token_delivery_mode": "poll", "backchannel_user_code_parameter": False}
    unread = {"backchannel_client_notification_endpoint": "https://app.example/ping"}
    for members in ({}, said, unread):
        told = registered(world, token, **NAMING, **members)
        assert said.items() <= told.items()
        assert "backchannel_client_notification_endpoint" not in told
        assert "backchannel_authentication_request_signing_alg" not in told
    signing = {"backchannel_authentication_request_signing_alg": "ES256"}
    keys = {"jwks": {"keys": [KEY.as_dict(private=False)]}}
    assert signing.items() <= registered(world, token, **NAMING, **signing, **keys).items()
    usual = registered(world, initial_token(world, "others"))
    assert not [name for name in usual if name.startswith("backchannel_token")]


MODES_IN_VAIN: list[dict[str, Any]] = [
    {"backchannel_token_delivery_mode": "ping"},
    {"backchannel_token_delivery_mode": "push"},
    {"backchannel_token_delivery_mode": ["poll"]},
    {"backchannel_user_code_parameter": True},
    {"backchannel_user_code_parameter": "false"},
    {"backchannel_authentication_request_signing_alg": "PS256"},
    {"backchannel_authentication_request_signing_alg": "none"},
    {"token_endpoint_auth_method": "none"},
]


def test_sec_17_a_client_gets_no_mode_that_is_not_there_and_no_grant_that_is_not_let_in(
    world: World,
) -> None:
    token = initial_token(world, grant_types=[CIBA])
    for changed in MODES_IN_VAIN:
        answer = post(world, token, {**NAMING, **changed})
        assert is_refused(answer, "invalid_client_metadata"), changed
    without = initial_token(world, "without")
    assert is_refused(post(world, without, NAMING), "invalid_client_metadata")
