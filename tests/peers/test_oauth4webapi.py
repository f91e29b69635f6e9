"""npm's oauth4webapi signs people in by whatever it may be registered with, and checks access
tokens as an API does (RFC 9068)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.machine.provider_process import RunningProvider
from tests.peers.conftest import Register
from tests.peers.node_process import NodeProcess, Refused
from tests.peers.registrations import ALGORITHMS, ENCRYPTED_BY, SEALED, odd_secret_of, secret_of
from tests.peers.relying_party import RelyingParty, header_of
from tests.peers.visitor import Visitor
from tests.world import DANA, PASSWORD

AUDIENCE = "urn:product:lms"


@pytest.fixture
def public(oauth4webapi_as: Register) -> RelyingParty:
    return oauth4webapi_as("peer-public", method="none")


@pytest.fixture
def sealed(oauth4webapi_as: Register, client_keys: dict[str, dict[str, Any]]) -> RelyingParty:
    """All that it is answered is signed, and then encrypted to it."""
    keys = {"key": client_keys["ES256"], "opens": client_keys[ENCRYPTED_BY]}
    return oauth4webapi_as("peer-sealed", method="private_key_jwt", metadata=SEALED, **keys)


def test_oauth4webapi_finds_the_same_by_openid_connect_and_by_oauth(
    oauth4webapi: NodeProcess, provider: RunningProvider
) -> None:
    by_openid_connect, by_oauth = (
        oauth4webapi.call("metadata", issuer=provider.issuer, algorithm=algorithm)
        for algorithm in ("oidc", "oauth2")
    )
    assert by_openid_connect == by_oauth
    assert by_oauth["issuer"] == provider.issuer


def test_oauth4webapi_signs_in_as_a_public_client(
    public: RelyingParty, visitor: Visitor, provider: RunningProvider
) -> None:
    tokens = public.sign_in(visitor)
    assert tokens["claims"]["iss"] == provider.issuer
    assert tokens["claims"]["aud"] == "peer-public"
    assert tokens["scope"] == "openid profile email"


@pytest.mark.parametrize(
    ("client_id", "method", "secret"),
    [
        ("peer-basic", "client_secret_basic", odd_secret_of("peer-basic")),
        ("peer-post", "client_secret_post", secret_of("peer-post")),
    ],
)
def test_oauth4webapi_proves_itself_by_a_secret(
    oauth4webapi_as: Register, visitor: Visitor, client_id: str, method: str, secret: str
) -> None:
    client = oauth4webapi_as(client_id, method=method, secret=secret)
    assert client.sign_in(visitor)["claims"]["aud"] == client_id
    with pytest.raises(Refused) as refused:
        oauth4webapi_as(client_id, method=method, secret="another").sign_in(Visitor())
    assert refused.value.code == "OAUTH_WWW_AUTHENTICATE_CHALLENGE"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_oauth4webapi_proves_itself_by_a_key_and_reads_what_is_signed_by_ours(
    oauth4webapi_as: Register, visitor: Visitor, client_keys: dict[str, dict[str, Any]], alg: str
) -> None:
    by_key = oauth4webapi_as("peer-key", method="private_key_jwt", key=client_keys[alg])
    assert by_key.sign_in(visitor)["claims"]["aud"] == "peer-key"
    name = f"peer-{alg.lower()}"
    client = oauth4webapi_as(name, method="client_secret_basic", secret=secret_of(name))
    started = client.start()
    tokens = client.finish(started, visitor.open(started.url))
    for token in (tokens["id_token"], tokens["access_token"]):
        assert header_of(token)["alg"] == alg
    told = client.call("checkRequest", token=tokens["access_token"], audience=AUDIENCE)
    assert (told["sub"], told["client_id"]) == (tokens["claims"]["sub"], name)
    assert told["tenant"] == "northwind"


@pytest.mark.parametrize("by", ["PAR", "JAR", "JAR through PAR"])
def test_oauth4webapi_asks_in_each_way_and_takes_a_signed_answer(
    oauth4webapi_as: Register, visitor: Visitor, client_keys: dict[str, dict[str, Any]], by: str
) -> None:
    name, known = "peer-signs", {"authorization_signed_response_alg": "ES256"}
    if by == "PAR":
        name = "peer-without-pkce"
        known = {"authorization_signed_response_alg": "RS256"}
    proof = {"method": "client_secret_basic", "secret": secret_of(name)}
    client = oauth4webapi_as(name, metadata=known, key=client_keys["PS256"], **proof)
    started = client.start(by=by, response_mode="jwt")
    place = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    assert set(place.sent) == {"response"}
    assert client.finish(started, place)["claims"]["aud"] == name


def test_oauth4webapi_opens_what_is_encrypted_to_it(sealed: RelyingParty, visitor: Visitor) -> None:
    started = sealed.start(response_mode="form_post.jwt")
    place = visitor.submit(visitor.sign_in(visitor.open(started.url), DANA, PASSWORD))
    tokens = sealed.finish(started, place)
    token, subject = tokens["access_token"], tokens["claims"]["sub"]
    for encrypted in (place.sent["response"], tokens["id_token"]):
        assert header_of(encrypted)["alg"] == ENCRYPTED_BY
    assert sealed.call("userinfo", token=token, subject=subject)["email"] == DANA
    assert sealed.call("introspect", token=token)["sub"] == subject
    assert sealed.call("refresh", token=tokens["refresh_token"])["claims"]["sub"] == subject


def test_oauth4webapi_refuses_an_answer_of_another_issuer(
    public: RelyingParty, visitor: Visitor
) -> None:
    started = public.start()
    place = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    place.url = place.url.partition("&iss=")[0] + "&iss=https%3A%2F%2Fother.example"
    with pytest.raises(Refused, match="iss"):
        public.finish(started, place)


def test_oauth4webapi_refuses_a_token_that_is_not_for_its_api(
    public: RelyingParty, visitor: Visitor
) -> None:
    tokens = public.sign_in(visitor)
    header, payload, signature = tokens["access_token"].split(".")
    changed = ("B" if signature[0] == "A" else "A") + signature[1:]
    rows = (
        (tokens["access_token"], "urn:product:payments", "aud"),
        (tokens["id_token"], "peer-public", "typ"),
        (f"{header}.{payload}.{changed}", AUDIENCE, "signature"),
    )
    for token, audience, fault in rows:
        with pytest.raises(Refused, match=fault):
            public.call("checkRequest", token=token, audience=audience)
