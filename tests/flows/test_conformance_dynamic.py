"""What the OpenID Foundation's modules of the Dynamic and the third-party-initiated login profile
ask of a provider, each under the module's name: clients that register themselves as the suite's do,
and are used in the same second. docs/conformance.md tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from werkzeug.test import TestResponse

from idp.oidc.client_authentication import ASSERTION_TYPE
from idp.secret_values import new_id
from tests.security.browsing import reopened
from tests.security.client_host import Host
from tests.security.protocol import EVERY_SCOPE, is_page_of_ours, is_refused
from tests.security.registering import at_own, initial_token, post
from tests.world import AMARA, ISSUER, PASSWORD, Visitor, World, claims_of, sent_back

KEY = RSAKey.generate_key(2048, {"alg": "RS256"})
CALLBACK = "https://suite.example/test/a/latchkey/callback"
ASKED = {
    "client_name": "xQ2d9fTzL1",
    "grant_types": ["authorization_code"],
    "jwks": {"keys": [KEY.as_dict(private=False)]},
    "token_endpoint_auth_method": "private_key_jwt",
    "response_types": ["code"],
    "redirect_uris": [CALLBACK],
    "contacts": ["certification@oidf.org"],
}
POLICY: dict[str, Any] = {
    "redirect_hosts": ["suite.example", "example.org", "127.0.0.1"],
    "scope": EVERY_SCOPE,
    "require_pkce": False,
}


@dataclass(frozen=True)
class Suite:
    """The suite's side: `token` is its initial access token."""

    world: World
    token: str

    def register(self, **changed: Any) -> dict[str, Any]:
        answer = post(self.world, self.token, {**ASKED, **changed})
        assert (answer.status_code, answer.mimetype) == (201, "application/json"), answer.text
        return dict(answer.json or {})

    def asks(self, told: dict[str, Any], visitor: Visitor, **changed: str | None) -> TestResponse:
        """Through sign-in and consent, where there is any."""
        answer = visitor.follow(visitor.get("/authorize?" + urlencode(request(told, **changed))))
        if 'name="password"' in answer.text:
            answer = visitor.follow(visitor.submit(answer, email=AMARA, password=PASSWORD))
        if 'value="allow"' in answer.text:
            answer = visitor.follow(visitor.submit(answer, decision="allow"))
        return answer

    def tokens(self, told: dict[str, Any], **changed: str | None) -> dict[str, Any]:
        code = sent_back(self.asks(told, self.world.browser(), **changed))["code"]
        redirect_uri = changed.get("redirect_uri") or CALLBACK
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        answer = self.calls(told, **form)
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})

    def calls(self, told: dict[str, Any], audience: str = ISSUER, **form: str) -> TestResponse:
        """The token endpoint, with a new assertion."""
        now, name = int(self.world.clock()), told["client_id"]
        claims = {"iss": name, "sub": name, "aud": audience, "jti": new_id(), "iat": now}
        signed = jwt.encode({"alg": "RS256"}, {**claims, "exp": now + 60}, KEY)
        proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
        return self.world.post("/token", None, **proof, **form)


def request(told: dict[str, Any], **changed: str | None) -> dict[str, str]:
    sound = {
        "client_id": told["client_id"],
        "redirect_uri": told["redirect_uris"][0],
        "scope": "openid",
        "state": "a-state",
        "nonce": "a-nonce",
        "response_type": "code",
    }
    return {name: value for name, value in {**sound, **changed}.items() if value is not None}


@pytest.fixture
def suite(world: World) -> Suite:
    return running(world)


def running(world: World) -> Suite:
    """Of a process that has looked already whom it knows."""
    assert world.held.catalog.current(world.clock()).clients
    return Suite(world, initial_token(world, **POLICY))


def test_oidcc_server_of_a_client_that_registered_itself(suite: Suite) -> None:
    told = suite.register()
    assert {name: told[name] for name in ASKED} == ASKED
    claims = claims_of(suite.tokens(told)["id_token"])
    assert (claims["aud"], claims["nonce"]) == (told["client_id"], "a-nonce")
    assert at_own(suite.world, told, "DELETE").status_code == 204


def test_a_client_is_known_wherever_it_asks_as_soon_as_it_is_registered(suite: Suite) -> None:
    """Every process keeps all clients for a second."""
    others = [reopened(suite.world, suite.world.settings) for _ in range(3)]
    for other in others:
        other.held.catalog.current(other.clock())
    told = suite.register()
    authorizing, redeeming, telling = (replace(suite, world=other) for other in others)
    code = sent_back(authorizing.asks(told, authorizing.world.browser()))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    tokens = redeeming.calls(told, **form).json or {}
    assert telling.world.userinfo(tokens["access_token"]).status_code == 200
    for other in others:
        other.held.database.close()


@pytest.mark.parametrize("alg", [None, "RS256"])
def test_oidcc_idtoken_rs256(suite: Suite, alg: str | None) -> None:
    """And oidcc-idtoken-signature, where nothing is said."""
    said = {"id_token_signed_response_alg": alg} if alg else {}
    told = suite.register(**said)
    keys: Any = suite.world.get("/jwks").json
    token = suite.tokens(told)["id_token"]
    opened = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256"])
    assert opened.header["kid"] in {key["kid"] for key in keys["keys"]}


def test_oidcc_idtoken_unsigned(suite: Suite) -> None:
    metadata: Any = suite.world.get("/.well-known/openid-configuration").json
    assert "none" not in metadata["id_token_signing_alg_values_supported"]
    unsigned = {**ASKED, "id_token_signed_response_alg": "none"}
    answer = post(suite.world, suite.token, unsigned)
    assert is_refused(answer, "invalid_client_metadata")


def test_oidcc_userinfo_rs256(suite: Suite) -> None:
    told = suite.register(userinfo_signed_response_alg="RS256")
    answer = suite.world.userinfo(suite.tokens(told)["access_token"])
    assert answer.mimetype == "application/jwt"
    keys: Any = suite.world.get("/jwks").json
    claims = jwt.decode(answer.text, KeySet.import_key_set(keys), algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"]) == (ISSUER, told["client_id"])
    assert "sub" in claims
    assert "nonce" not in claims


def test_oidcc_ensure_redirect_uri_in_authorization_request(suite: Suite) -> None:
    told = suite.register(redirect_uris=[CALLBACK, "https://example.org/redirect"])
    page = suite.asks(told, suite.world.browser(), redirect_uri=None)
    assert is_page_of_ours(page)
    assert "did not say where to send you" in page.text


WITH_QUERY = CALLBACK + "?foo=bar"


def test_oidcc_redirect_uri_query_ok(suite: Suite) -> None:
    told = suite.register(redirect_uris=[WITH_QUERY])
    sent = sent_back(suite.asks(told, suite.world.browser()))
    assert (sent["foo"], sent["state"]) == ("bar", "a-state")
    assert "code" in sent


@pytest.mark.parametrize(
    ("registered", "claimed"),
    [(WITH_QUERY, CALLBACK + "?foo=baz"), (CALLBACK, WITH_QUERY)],
    ids=["mismatch", "added"],
)
def test_oidcc_redirect_uri_query_mismatch(suite: Suite, registered: str, claimed: str) -> None:
    told = suite.register(redirect_uris=[registered])
    page = suite.asks(told, suite.world.browser(), redirect_uri=claimed)
    assert is_page_of_ours(page)
    assert "has not registered" in page.text


def test_oidcc_redirect_uri_regfrag(suite: Suite) -> None:
    answer = post(suite.world, suite.token, {**ASKED, "redirect_uris": [CALLBACK + "#foobar"]})
    assert is_refused(answer, "invalid_redirect_uri")


def test_oidcc_refresh_token_of_a_client_that_registered_itself(suite: Suite) -> None:
    """It asks for the scope of its request again."""
    grant_types = ["authorization_code", "refresh_token"]
    told, other = (suite.register(grant_types=grant_types) for _ in range(2))
    scope = "openid offline_access"
    first = suite.tokens(told, scope=scope, prompt="consent")
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "scope": scope}
    assert is_refused(suite.calls(other, **form), "invalid_grant")
    assert suite.calls(told, **form).status_code == 200


@pytest.mark.parametrize("audience", [ISSUER, f"{ISSUER}/token"])
def test_oidcc_ensure_client_assertion_with_iss_aud_succeeds(suite: Suite, audience: str) -> None:
    told = suite.register()
    code = sent_back(suite.asks(told, suite.world.browser()))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    assert suite.calls(told, audience, **form).status_code == 200


@pytest.fixture
def host() -> Iterator[Host]:
    with Host.running() as running:
        yield running


def test_oidcc_request_uri_signed_rs256(world: World, host: Host) -> None:
    fetching = reopened(world, replace(world.settings, fetch_request_uris=True))
    suite = running(fetching)
    uri = host.address("/sound#u7-sNIM")
    told = suite.register(request_uris=[uri], request_object_signing_alg="RS256")
    asked = request(told)
    claims = {**asked, "iss": told["client_id"], "aud": ISSUER}
    signed = jwt.encode({"alg": "RS256"}, claims, KEY)
    host.bodies["/sound"] = signed.encode()
    answer = suite.asks(told, fetching.browser(), state=None, nonce=None, request_uri=uri)
    sent = sent_back(answer)
    assert sent["state"] == "a-state"
    assert "code" in sent
    fetching.held.database.close()


def test_oidcc_3rd_party_init_login(suite: Suite) -> None:
    uri = "https://suite.example/test/a/latchkey/initiate"
    told = suite.register(initiate_login_uri=uri, token_endpoint_auth_method="client_secret_basic")
    answer = at_own(suite.world, told, "GET")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert told["initiate_login_uri"] == uri == (answer.json or {})["initiate_login_uri"]
    in_the_clear = {**ASKED, "initiate_login_uri": uri.replace("https://", "http://")}
    answer = post(suite.world, suite.token, in_the_clear)
    assert is_refused(answer, "invalid_client_metadata")
