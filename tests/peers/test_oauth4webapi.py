"""npm's oauth4webapi signs people in, and checks access tokens as an API does (RFC 9068)."""

from typing import Any

import pytest

from tests.machine.provider_process import RunningProvider
from tests.peers.node_process import NodeProcess, Refused
from tests.peers.registrations import ALGORITHMS, AWAY, secret_of
from tests.peers.relying_party import header_of
from tests.peers.visitor import Visitor
from tests.world import DANA, PASSWORD

AUDIENCE = "urn:product:lms"


class Oauth4webapi:
    """The library as one client, named in each call."""

    def __init__(self, script: NodeProcess, issuer: str, visitor: Visitor) -> None:
        self._script = script
        self._issuer = issuer
        self._visitor = visitor

    def sign_in(self, client_id: str) -> dict[str, Any]:
        me = {"issuer": self._issuer, "client_id": client_id, "redirect_uri": AWAY}
        started = self._script.call("start", **me)
        place = self._visitor.sign_in(self._visitor.open(started["url"]), DANA, PASSWORD)
        proof = {"url": place.url, "checks": started["checks"]}
        secret = None if client_id == "peer-public" else secret_of(client_id)
        return dict(self._script.call("finish", **me, **proof, secret=secret))

    def check(self, token: str, audience: str = AUDIENCE) -> dict[str, Any]:
        """What an API learns from an access token that it was sent."""
        asked = {"issuer": self._issuer, "token": token, "audience": audience}
        return dict(self._script.call("checkAccessToken", **asked))


@pytest.fixture
def library(oauth4webapi: NodeProcess, provider: RunningProvider, visitor: Visitor) -> Oauth4webapi:
    return Oauth4webapi(oauth4webapi, provider.issuer, visitor)


def test_oauth4webapi_finds_the_same_by_openid_connect_and_by_oauth(oauth4webapi, provider):
    by_openid_connect, by_oauth = (
        oauth4webapi.call("discover", issuer=provider.issuer, algorithm=algorithm)
        for algorithm in ("oidc", "oauth2")
    )
    assert by_openid_connect == by_oauth
    assert by_oauth["issuer"] == provider.issuer


def test_oauth4webapi_signs_in_as_a_public_client(library, provider):
    tokens = library.sign_in("peer-public")
    assert tokens["claims"]["iss"] == provider.issuer
    assert tokens["claims"]["aud"] == "peer-public"
    assert tokens["scope"] == "openid profile email"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_oauth4webapi_accepts_access_tokens_of_each_algorithm(library, alg):
    tokens = library.sign_in(f"peer-{alg.lower()}")
    assert header_of(tokens["access_token"]) | {"kid": ""} == {
        "alg": alg,
        "typ": "at+jwt",
        "kid": "",
    }
    claims = library.check(tokens["access_token"])
    assert claims["sub"] == tokens["claims"]["sub"]
    assert claims["client_id"] == f"peer-{alg.lower()}"
    assert claims["tenant"] == "northwind"


def test_oauth4webapi_refuses_an_access_token_for_another_api(library):
    token = library.sign_in("peer-public")["access_token"]
    with pytest.raises(Refused, match="aud"):
        library.check(token, audience="urn:product:payments")


def test_oauth4webapi_refuses_an_id_token_at_an_api(library):
    tokens = library.sign_in("peer-public")
    with pytest.raises(Refused, match="typ"):
        library.check(tokens["id_token"], audience="peer-public")


def test_oauth4webapi_refuses_an_access_token_that_was_changed(library):
    header, payload, signature = library.sign_in("peer-public")["access_token"].split(".")
    changed = ("B" if signature[0] == "A" else "A") + signature[1:]
    with pytest.raises(Refused, match="signature"):
        library.check(f"{header}.{payload}.{changed}")
