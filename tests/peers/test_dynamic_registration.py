"""npm's openid-client and oauth4webapi register themselves by an initial access token, and sign a
person in as what they are told that they are (RFC 7591)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.machine.provider_process import RunningProvider
from tests.peers.node_process import NodeProcess, Refused
from tests.peers.registrations import AWAY
from tests.peers.relying_party import RelyingParty
from tests.peers.visitor import Visitor
from tests.world import BEN, PASSWORD

METADATA = {
    "client_name": "A peer that came by itself",
    "redirect_uris": [AWAY],
    "id_token_signed_response_alg": "ES256",
    "grant_types": ["authorization_code", "refresh_token"],
}


@pytest.fixture(params=["openid_client", "oauth4webapi"])
def library(request: pytest.FixtureRequest) -> NodeProcess:
    script: NodeProcess = request.getfixturevalue(request.param)
    return script


@pytest.fixture
def initial_token(new_initial_token: Callable[[str], str]) -> str:
    return new_initial_token("peer.example")


def registered(library: NodeProcess, issuer: str, token: str, **more: Any) -> RelyingParty:
    return RelyingParty(library, issuer, first="register", token=token, metadata=METADATA | more)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_client_registers_itself_and_signs_a_person_in(
    library: NodeProcess,
    provider: RunningProvider,
    visitor: Visitor,
    initial_token: str,
    method: str,
) -> None:
    client = registered(library, provider.issuer, initial_token, token_endpoint_auth_method=method)
    told = client.call("clientMetadata")
    assert {name: told[name] for name in METADATA} == METADATA
    started = client.start()
    asked = visitor.sign_in(visitor.open(started.url), BEN, PASSWORD)
    tokens = client.finish(started, visitor.submit(asked, decision="allow"))
    claims = tokens["claims"]
    assert claims["aud"] == told["client_id"]
    fresh = client.call("refresh", token=tokens["refresh_token"])
    person = client.call("userinfo", token=fresh["access_token"], subject=claims["sub"])
    assert person["email"] == BEN


def test_a_client_hears_why_it_is_not_registered(
    library: NodeProcess, provider: RunningProvider, initial_token: str
) -> None:
    elsewhere = ["https://elsewhere.example/callback"]
    with pytest.raises(Refused) as refused:
        registered(library, provider.issuer, initial_token, redirect_uris=elsewhere)
    assert refused.value.error == "invalid_redirect_uri"
    registered(library, provider.issuer, initial_token)
    with pytest.raises(Refused) as refused:
        registered(library, provider.issuer, initial_token)
    assert refused.value.code == "OAUTH_WWW_AUTHENTICATE_CHALLENGE"
