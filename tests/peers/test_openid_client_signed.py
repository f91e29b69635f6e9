"""npm's openid-client signs what it asks, and verifies what it is answered."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.machine.provider_process import RunningProvider
from tests.peers.node_process import NodeProcess, Refused
from tests.peers.registrations import AWAY, secret_of
from tests.peers.relying_party import RelyingParty
from tests.peers.visitor import Place
from tests.world import DANA, PASSWORD

CLIENT = "peer-signs"


@pytest.fixture(scope="module")
def script() -> Iterator[NodeProcess]:
    running = NodeProcess("openid_client_signed.js")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def register(
    script: NodeProcess, provider: RunningProvider, client_keys: dict[str, dict[str, Any]]
) -> Any:
    def discover(**known: Any) -> RelyingParty:
        key, secret = client_keys[known.pop("key", "PS256")], secret_of(CLIENT)
        return RelyingParty(script, provider.issuer, CLIENT, key=key, secret=secret, **known)

    return discover


@pytest.fixture(scope="module")
def signs(register: Any) -> RelyingParty:
    made: RelyingParty = register()
    return made


@pytest.fixture(scope="module")
def signs_and_verifies(register: Any) -> RelyingParty:
    metadata = {"authorization_signed_response_alg": "ES256"}
    made: RelyingParty = register(metadata=metadata, takes_jwt=True)
    return made


@pytest.mark.parametrize("by", ["JAR", "JAR through PAR"])
def test_openid_client_asks_by_what_it_has_signed(signs, visitor, by):
    started = signs.start(by=by)
    assert set(parse_qs(urlsplit(started.url).query)) <= {"client_id", "request", "request_uri"}
    place = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    assert signs.finish(started, place)["claims"]["aud"] == CLIENT


def test_openid_client_that_has_to_sign_is_not_heard_without(signs, visitor):
    place = visitor.open(signs.start().url)
    assert (place.url.startswith(AWAY), place.sent["error"]) == (True, "invalid_request")


def test_openid_client_hears_what_is_wrong_with_what_it_signed(register, visitor):
    by_another_algorithm = register(key="ES256")
    with pytest.raises(Refused) as refused:
        by_another_algorithm.start(by="JAR through PAR")
    assert refused.value.error == "invalid_request_object"
    assert visitor.open(by_another_algorithm.start(by="JAR").url).status == 400


def test_openid_client_takes_an_answer_that_is_signed(signs_and_verifies, visitor):
    """`jwt`, the one way that it asks by itself."""
    tokens = signs_and_verifies.sign_in(visitor, by="JAR through PAR")
    assert tokens["claims"]["aud"] == CLIENT


@pytest.fixture(scope="module")
def verifies(script: NodeProcess, provider: RunningProvider) -> RelyingParty:
    name = "peer-without-pkce"
    return RelyingParty(script, provider.issuer, name, secret=secret_of(name), takes_jwt=True)


@pytest.mark.parametrize("mode", ["query.jwt", "fragment.jwt", "form_post.jwt"])
def test_openid_client_takes_it_wherever_it_stands(verifies, visitor, mode):
    started = verifies.start(response_mode=mode)
    place = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    if mode == "form_post.jwt":
        place = visitor.submit(place)
    assert place.url.startswith(AWAY)
    assert verifies.finish(started, place)["claims"]["aud"] == "peer-without-pkce"


def test_openid_client_verifies_a_refusal_too(verifies, visitor):
    started = verifies.start(prompt="none")
    place = visitor.open(started.url)
    with pytest.raises(Refused) as refused:
        verifies.finish(started, place)
    assert refused.value.error == "login_required"
    changed = Place(place.url[:-3])
    with pytest.raises(Refused, match="signature"):
        verifies.finish(started, changed)
