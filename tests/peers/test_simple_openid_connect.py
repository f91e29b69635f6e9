"""PyPI's simple-openid-connect signs people in, keeps tokens, and takes back-channel logout."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from pydantic import ValidationError
from simple_openid_connect import pkce
from simple_openid_connect.client import OpenidClient
from simple_openid_connect.data import (
    BackChannelLogoutNotification,
    BackChannelLogoutToken,
    JwtAccessToken,
    RpInitiatedLogoutRequest,
    TokenErrorResponse,
    TokenIntrospectionSuccessResponse,
    TokenSuccessResponse,
    UserinfoSuccessResponse,
)
from simple_openid_connect.exceptions import AuthenticationFailedError

from tests.machine.provider_process import RunningProvider
from tests.peers.logout_receiver import LogoutReceiver
from tests.peers.registrations import AWAY, SIGNED_OUT, Ports, secret_of
from tests.peers.visitor import Visitor
from tests.world import DANA, PASSWORD

SCOPE = "openid profile email"


@pytest.fixture
def discover(provider: RunningProvider) -> Iterator[Callable[..., OpenidClient]]:
    http = requests.Session()

    def from_issuer(client_id: str, scope: str = SCOPE) -> OpenidClient:
        return OpenidClient.from_issuer_url(
            provider.issuer, AWAY, client_id, secret_of(client_id), scope, session=http
        )

    yield from_issuer
    http.close()


@pytest.fixture
def client(discover: Callable[..., OpenidClient]) -> OpenidClient:
    return discover("peer-told")


@pytest.fixture(scope="module")
def logout_receiver(ports: Ports) -> Iterator[LogoutReceiver]:
    receiver = LogoutReceiver(ports.logout_receiver)
    yield receiver
    receiver.stop()


def sign_in(client: OpenidClient, visitor: Visitor, nonce: str = "a-nonce") -> TokenSuccessResponse:
    """With PKCE, as our clients are registered unless they say otherwise."""
    verifier, challenge = pkce.generate_pkce_pair()
    flow = client.authorization_code_flow
    url = flow.start_authentication(
        state="a-state", nonce=nonce, code_challenge=challenge, code_challenge_method="S256"
    )
    place = visitor.sign_in(visitor.open(url), DANA, PASSWORD)
    tokens = flow.handle_authentication_result(place.url, state="a-state", code_verifier=verifier)
    assert isinstance(tokens, TokenSuccessResponse), tokens
    return tokens


def test_simple_openid_connect_signs_a_person_in(client, visitor, provider):
    tokens = sign_in(client, visitor)
    id_token = client.decode_id_token(tokens.id_token, nonce="a-nonce")
    assert id_token.iss == provider.issuer
    assert id_token.aud == "peer-told"
    userinfo = client.fetch_userinfo(tokens.access_token)
    assert isinstance(userinfo, UserinfoSuccessResponse)
    assert userinfo.sub == id_token.sub
    assert userinfo.model_dump()["email"] == DANA


def test_simple_openid_connect_verifies_an_access_token(discover, visitor, provider):
    """Of a client registered for RS256, the one algorithm that the library reads."""
    client = discover("peer-rs256")
    tokens = sign_in(client, visitor)
    access = JwtAccessToken.parse_jwt(tokens.access_token, client.provider_keys)
    access.validate_extern(provider.issuer, "urn:product:lms")
    assert access.client_id == "peer-rs256"


def test_simple_openid_connect_works_without_pkce_where_a_client_is_so_registered(
    discover, visitor
):
    client = discover("peer-without-pkce")
    flow = client.authorization_code_flow
    asked = visitor.open(flow.start_authentication(state="a-state", nonce="a-nonce"))
    place = visitor.sign_in(asked, DANA, PASSWORD)
    tokens = flow.handle_authentication_result(place.url, state="a-state")
    assert client.decode_id_token(tokens.id_token, nonce="a-nonce").sub


def test_simple_openid_connect_without_pkce_is_refused_where_a_client_needs_it(client, visitor):
    flow = client.authorization_code_flow
    place = visitor.open(flow.start_authentication(state="a-state"))
    with pytest.raises(AuthenticationFailedError) as failed:
        flow.handle_authentication_result(place.url, state="a-state")
    assert failed.value.error.model_dump()["error"] == "invalid_request"


def test_simple_openid_connect_learns_that_a_silent_request_needs_a_sign_in(client, visitor):
    _, challenge = pkce.generate_pkce_pair()
    flow = client.authorization_code_flow
    url = flow.start_authentication(
        prompt=["none"], code_challenge=challenge, code_challenge_method="S256"
    )
    with pytest.raises(AuthenticationFailedError) as failed:
        flow.handle_authentication_result(visitor.open(url).url)
    assert failed.value.error.model_dump()["error"] == "login_required"


def test_simple_openid_connect_refreshes_and_introspects(client, visitor):
    tokens = sign_in(client, visitor)
    fresh = client.exchange_refresh_token(tokens.refresh_token)
    assert isinstance(fresh, TokenSuccessResponse)
    assert fresh.access_token != tokens.access_token
    known = client.introspect_token(fresh.access_token, "access_token")
    assert isinstance(known, TokenIntrospectionSuccessResponse)
    assert (known.active, known.client_id, known.scope) == (True, "peer-told", SCOPE)
    assert client.introspect_token("made-up").active is False


def test_simple_openid_connect_hears_why_a_refresh_failed(client):
    answer = client.exchange_refresh_token("made-up")
    assert isinstance(answer, TokenErrorResponse)
    assert answer.model_dump()["error"] == "invalid_grant"


def test_simple_openid_connect_gets_a_machines_token_and_misses_an_id_token_in_it(discover):
    """RFC 6749 section 4.4.3 has none; the library's form of an answer demands one."""
    client = discover("peer-machine", scope="loans:read")
    answers: list[dict[str, Any]] = []
    client.session.hooks["response"].append(lambda answer, **_: answers.append(answer.json()))
    with pytest.raises(ValidationError) as missed:
        client.client_credentials_grant.authenticate()
    assert [fault["loc"] for fault in missed.value.errors()] == [("id_token",)]
    assert answers[0]["scope"] == "loans:read"
    known = client.introspect_token(answers[0]["access_token"])
    assert (known.active, known.sub) == (True, "peer-machine")


def test_simple_openid_connect_signs_a_person_out_and_is_told_by_the_back_channel(
    client, visitor, provider, logout_receiver
):
    tokens = sign_in(client, visitor)
    signed_in = client.decode_id_token(tokens.id_token, nonce="a-nonce")
    request = RpInitiatedLogoutRequest(
        id_token_hint=tokens.id_token, post_logout_redirect_uri=SIGNED_OUT, state="back-again"
    )
    place = visitor.open(client.initiate_logout(request))
    assert place.url == f"{SIGNED_OUT}?state=back-again"

    body = logout_receiver.next_body()
    told = BackChannelLogoutNotification.parse_x_www_form_urlencoded(body)
    logout_token = BackChannelLogoutToken.parse_jwt(told.logout_token, client.provider_keys)
    logout_token.validate_extern(provider.issuer, "peer-told", min_iat=signed_in.iat)
    assert logout_token.sub == signed_in.sub
    assert logout_token.sid == signed_in.sid
    assert "nonce" not in logout_token.model_fields_set
    refused = client.exchange_refresh_token(tokens.refresh_token)
    assert isinstance(refused, TokenErrorResponse)
