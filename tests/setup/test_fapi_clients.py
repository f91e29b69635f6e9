"""A client's profile settles what FAPI 2.0 demands where nothing else is said, and refuses what
contradicts it, however it is registered."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from idp.directory.clients import Client
from idp.errors import FormMistake
from idp.oidc.fapi import ALGORITHMS
from tests.security.protocol import is_refused
from tests.security.registering import JWKS, SOUND, initial_token, post
from tests.security.registering import registered as self_registered
from tests.world import World

EC = ECKey.generate_key("P-256", {"kid": "ec"}).as_dict(private=False)
RSA = RSAKey.generate_key(2048, {"kid": "rsa"}).as_dict(private=False)
SECURITY, SIGNING = "fapi2_security", "fapi2_message_signing"
RS256 = {"id_token_signed_response_alg": "RS256"}
SIGNED_BY = (
    *("id_token_signed_response_alg", "access_token_signed_response_alg"),
    *("authorization_signed_response_alg", "introspection_signed_response_alg"),
)


def described(profile: str | None = SECURITY, **more: Any) -> dict[str, Any]:
    """A client that says nothing but its profile, its keys and its redirect URI."""
    return {
        "client_id": "bank",
        "client_name": "Bank",
        "product": "lms",
        "redirect_uris": ["https://bank.example/cb"],
        "jwks": {"keys": [EC]},
        "profile": profile,
        **more,
    }


def registered(world: World, **described: Any) -> Client:
    world.apply(clients=[described])
    world.clock.move(2)
    return world.held.catalog.current(world.clock()).clients[described["client_id"]]


@pytest.mark.parametrize("profile", [SECURITY, SIGNING])
def test_a_profile_settles_all_that_it_demands(world: World, profile: str) -> None:
    client = registered(world, **described(profile))
    assert client.token_endpoint_auth_method == "private_key_jwt"
    assert client.require_pushed_authorization_requests
    assert client.require_pkce
    assert client.dpop_bound_access_tokens
    assert not client.rotates_refresh_tokens
    assert {getattr(client, name) for name in SIGNED_BY} == {"ES256"}
    assert client.require_signed_request_object is (profile == SIGNING)
    assert not client.first_party


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_is_said_within_the_profile_stands(world: World, alg: str) -> None:
    named = dict.fromkeys((*SIGNED_BY, "userinfo_signed_response_alg"), alg)
    client = registered(world, **described(**named, first_party=True))
    assert {getattr(client, name) for name in named} == {alg}
    assert client.first_party


FORBIDDEN: list[tuple[str, Any]] = [
    *(
        ("token_endpoint_auth_method", method)
        for method in ("none", "client_secret_basic", "client_secret_post")
    ),
    ("require_pushed_authorization_requests", False),
    ("require_pkce", False),
    ("dpop_bound_access_tokens", False),
    ("refresh_token_rotation", True),
    *((name, "RS256") for name in SIGNED_BY),
    ("userinfo_signed_response_alg", "RS256"),
    ("token_endpoint_auth_signing_alg", "RS256"),
    ("request_object_signing_alg", "RS256"),
    ("redirect_uris", ["http://localhost:8001/cb"]),
    ("redirect_uris", ["https://bank.example/cb", "http://127.0.0.1/cb"]),
    ("request_uris", ["https://bank.example/request.jwt"]),
    ("grant_types", ["urn:ietf:params:oauth:grant-type:token-exchange"]),
    ("jwks", {"keys": [EC, {**RSA, "alg": "RS256"}]}),
    ("jwks", None),
]


@pytest.mark.parametrize("profile", [SECURITY, SIGNING])
def test_what_contradicts_it_is_refused_by_its_name(world: World, profile: str) -> None:
    for member, value in FORBIDDEN:
        with pytest.raises(FormMistake) as refused:
            world.apply(clients=[described(profile, **{member: value})])
        assert refused.value.field == member, (member, value)
    with pytest.raises(FormMistake) as refused:
        world.apply(clients=[described(SIGNING, require_signed_request_object=False)])
    assert refused.value.field == "require_signed_request_object"


def test_without_a_profile_all_of_that_is_as_it_was(world: World) -> None:
    client = registered(
        world,
        **described(
            None,
            redirect_uris=["http://localhost:8001/cb"],
            jwks={"keys": [{**RSA, "alg": "RS256"}]},
            refresh_token_rotation=True,
            request_object_signing_alg="RS256",
        ),
    )
    assert (client.profile, client.token_endpoint_auth_method) == (None, "client_secret_basic")
    assert client.id_token_signed_response_alg == "RS256"
    assert not client.dpop_bound_access_tokens


def test_a_native_client_may_come_back_to_loopback(world: World) -> None:
    uris = ["http://127.0.0.1/cb"]
    client = registered(world, **described(application_type="native", redirect_uris=uris))
    assert client.redirect_uris == uris


def test_tokens_are_bound_to_a_certificate_where_that_is_said(world: World) -> None:
    client = registered(world, **described(tls_client_certificate_bound_access_tokens=True))
    assert not client.dpop_bound_access_tokens
    name = {"tls_client_auth_subject_dn": "CN=bank"}
    more = {**name, "token_endpoint_auth_method": "tls_client_auth", "client_id": "bank-by-tls"}
    assert registered(world, **described(**more)).token_endpoint_auth_method == "tls_client_auth"


def test_a_client_may_hold_itself_to_a_profile_when_it_registers(world: World) -> None:
    token = initial_token(world, require_pkce=False)
    told = self_registered(world, token, profile=SIGNING, jwks=JWKS)
    assert told["token_endpoint_auth_method"] == "private_key_jwt"
    assert told["require_signed_request_object"] is True
    assert "client_secret" not in told
    answer = post(world, token, {**SOUND, "profile": SIGNING, "jwks": JWKS, **RS256})
    assert is_refused(answer, "invalid_client_metadata")
    held = initial_token(world, "basic", token_endpoint_auth_methods=["client_secret_basic"])
    answer = post(world, held, {**SOUND, "profile": SIGNING, "jwks": JWKS})
    assert is_refused(answer, "invalid_client_metadata"), "what the profile settles is judged too"


def test_a_client_that_is_there_moves_into_a_profile_and_out_of_it(world: World) -> None:
    registered(world, **described(None, id_token_signed_response_alg="PS256"))
    moved = registered(world, **described(SIGNING))
    assert moved.id_token_signed_response_alg == "PS256", "it was within the profile"
    assert moved.token_endpoint_auth_method == "private_key_jwt"
    with pytest.raises(FormMistake):
        world.apply(clients=[described(SIGNING, id_token_signed_response_alg="RS256")])
    left = registered(world, **described(None, id_token_signed_response_alg="RS256"))
    assert (left.profile, left.id_token_signed_response_alg) == (None, "RS256")
    assert left.dpop_bound_access_tokens, "what a profile settled stays until it is changed"


def test_a_client_in_a_profile_stays_within_it_whatever_is_changed(world: World) -> None:
    registered(world, **described())
    change = {name: value for name, value in described().items() if name != "profile"}
    for member, value in FORBIDDEN:
        with pytest.raises(FormMistake):
            world.apply(clients=[{**change, member: value}])
