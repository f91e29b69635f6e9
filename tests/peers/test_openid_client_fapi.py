"""npm's openid-client as a client of FAPI 2.0 Message Signing, whose registration says nothing but
the profile, its keys and its redirect URI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.machine.provider_process import RunningProvider
from tests.peers.node_process import NodeProcess, Refused
from tests.peers.relying_party import RelyingParty
from tests.peers.visitor import Visitor
from tests.world import DANA, PASSWORD, claims_of

BY_ES256 = {
    "id_token_signed_response_alg": "ES256",
    "authorization_signed_response_alg": "ES256",
}


@pytest.fixture(scope="module")
def script() -> Iterator[NodeProcess]:
    running = NodeProcess("openid_client_signed.js")
    yield running
    running.stop()


@pytest.fixture
def register(
    script: NodeProcess, provider: RunningProvider, client_keys: dict[str, dict[str, Any]]
) -> Any:
    def discover(alg: str = "ES256", **known: Any) -> RelyingParty:
        usual = {"metadata": BY_ES256, "takes_jwt": True, "bound": "ES256", **known}
        return RelyingParty(script, provider.issuer, "peer-fapi", key=client_keys[alg], **usual)

    return discover


@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_openid_client_does_all_of_fapi_2_message_signing(
    register: Any, visitor: Visitor, alg: str
) -> None:
    client = register(alg)
    started = client.start(by="JAR through PAR")
    assert set(parse_qs(urlsplit(started.url).query)) == {"client_id", "request_uri"}
    place = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    assert set(place.sent) == {"response"}
    tokens = client.finish(started, place)
    assert claims_of(tokens["access_token"])["cnf"].keys() == {"jkt"}
    again = client.call("refresh", token=tokens["refresh_token"])
    assert again["refresh_token"] == tokens["refresh_token"]
    subject = tokens["claims"]["sub"]
    told = client.call("userinfo", token=again["access_token"], subject=subject)
    assert told["email"] == DANA


@pytest.mark.parametrize(
    ("known", "error"),
    [
        ({"takes_jwt": False}, "invalid_request"),
        ({"bound": "RS256"}, "invalid_dpop_proof"),
    ],
)
def test_openid_client_is_told_what_the_profile_does_not_have(
    register: Any, known: dict[str, Any], error: str
) -> None:
    with pytest.raises(Refused) as refused:
        register(**known).start(by="JAR through PAR")
    assert refused.value.error == error


def test_openid_client_without_a_key_for_its_tokens_gets_none(
    register: Any, visitor: Visitor
) -> None:
    with pytest.raises(Refused) as refused:
        register(bound=None).sign_in(visitor, by="JAR through PAR")
    assert refused.value.error == "invalid_request"
