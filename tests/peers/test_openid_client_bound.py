"""npm's openid-client pushes its requests and binds its tokens to a key, with the nonces that it is
asked for."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import ECKey

from idp.secret_values import new_id
from tests.machine.provider_process import RunningProvider
from tests.peers.node_process import NodeProcess, Refused
from tests.peers.registrations import odd_secret_of, secret_of
from tests.peers.relying_party import RelyingParty
from tests.peers.visitor import Visitor
from tests.world import DANA, claims_of

PARTIES: dict[str, dict[str, Any]] = {
    "peer-public": {"method": "none"},
    "peer-basic": {"method": "client_secret_basic", "secret": odd_secret_of("peer-basic")},
    "peer-machine": {"method": "client_secret_basic", "secret": secret_of("peer-machine")},
}


@pytest.fixture
def register(openid_client: NodeProcess, provider: RunningProvider) -> Any:
    def discover(client_id: str) -> RelyingParty:
        return RelyingParty(openid_client, provider.issuer, client_id, **PARTIES[client_id])

    return discover


@pytest.mark.parametrize("client_id", ["peer-public", "peer-basic"])
def test_openid_client_pushes_its_request(register: Any, visitor: Visitor, client_id: str) -> None:
    client = register(client_id)
    started = client.start(pushed=True)
    assert "request_uri=urn" in started.url
    assert "code_challenge" not in started.url
    assert client.sign_in(visitor, pushed=True)["claims"]["aud"] == client_id


@pytest.mark.parametrize("client_id", ["peer-public", "peer-basic"])
def test_openid_client_binds_its_tokens_to_a_key(
    register: Any, provider: RunningProvider, visitor: Visitor, client_id: str
) -> None:
    client = register(client_id)
    client.call("bind")
    tokens = client.sign_in(visitor, pushed=True)
    assert tokens["token_type"] == "dpop"
    fresh = client.call("refresh", token=tokens["refresh_token"])
    for given in (tokens, fresh):
        assert claims_of(given["access_token"])["cnf"].keys() == {"jkt"}
        subject = given["claims"]["sub"]
        told = client.call("userinfo", token=given["access_token"], subject=subject)
        assert told["email"] == DANA
    stolen = {"Authorization": f"Bearer {tokens['access_token']}"}
    answer = requests.get(f"{provider.issuer}/userinfo", headers=stolen, timeout=10)
    assert answer.status_code == 401


def test_openid_client_without_its_key_gets_nothing_for_what_is_bound(
    register: Any, visitor: Visitor
) -> None:
    bound, thief = register("peer-public"), register("peer-public")
    bound.call("bind")
    tokens = bound.sign_in(visitor, pushed=True)
    for _ in ("by no key", "by another one"):
        with pytest.raises(Refused) as refused:
            thief.call("refresh", token=tokens["refresh_token"])
        assert refused.value.error == "invalid_grant"
        thief.call("bind")
    with pytest.raises(Refused):
        thief.call("userinfo", token=tokens["access_token"], subject=tokens["claims"]["sub"])


def test_openid_client_that_is_a_machine_binds_its_own_token(register: Any) -> None:
    machine = register("peer-machine")
    machine.call("bind")
    told = machine.call("clientCredentials")
    assert told["token_type"] == "dpop"


def test_two_proofs_in_one_request_are_none(provider: RunningProvider) -> None:
    """As the server hands them on: each of them would do alone."""
    first = proof_for(provider, "")
    sent = requests.post(f"{provider.issuer}/token", headers={"DPoP": first}, timeout=10)
    nonce = sent.headers["DPoP-Nonce"]
    proofs = [proof_for(provider, nonce), proof_for(provider, nonce)]
    assert posted(provider, proofs[:1]) == (401, "invalid_client")
    assert posted(provider, proofs) == (400, "invalid_dpop_proof")


def proof_for(provider: RunningProvider, nonce: str) -> str:
    claims = {
        "jti": new_id(),
        "htm": "POST",
        "htu": f"{provider.issuer}/token",
        "iat": int(time.time()),
        "nonce": nonce,
    }
    key = ECKey.generate_key("P-256")
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    return str(jwt.encode(header, claims, key))


def posted(provider: RunningProvider, proofs: list[str]) -> tuple[int, str]:
    """The error for a stranger who sends so many headers."""
    connection = http.client.HTTPConnection(urlsplit(provider.issuer).netloc, timeout=10)
    connection.putrequest("POST", "/token")
    form = ("Content-Type", "application/x-www-form-urlencoded")
    for name, value in (*(("DPoP", proof) for proof in proofs), form, ("Content-Length", "0")):
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    error = json.loads(answer.read())["error"]
    connection.close()
    return answer.status, error
