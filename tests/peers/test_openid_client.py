"""npm's openid-client signs people in: discovery, code with PKCE, kinds of ID token, errors."""

from typing import Any

import pytest

from tests.machine.provider_process import RunningProvider
from tests.peers.node_process import NodeProcess, Refused
from tests.peers.registrations import ALGORITHMS, AWAY, SIGNED_OUT, odd_secret_of, secret_of
from tests.peers.relying_party import RelyingParty, header_of
from tests.peers.visitor import Place
from tests.world import BEN, DANA, PASSWORD


@pytest.fixture
def client(openid_client: NodeProcess, provider: RunningProvider) -> RelyingParty:
    """The library's own default would be the secret in the body (see below)."""
    secret = odd_secret_of("peer-basic")
    return RelyingParty(
        openid_client, provider.issuer, "peer-basic", method="client_secret_basic", secret=secret
    )


@pytest.fixture
def register(openid_client: NodeProcess, provider: RunningProvider) -> Any:
    def discover(client_id: str, **known: Any) -> RelyingParty:
        return RelyingParty(openid_client, provider.issuer, client_id, **known)

    return discover


@pytest.fixture
def asks_consent(register: Any) -> RelyingParty:
    """Not first-party, so each person is asked."""
    name = "peer-asks-consent"
    made: RelyingParty = register(name, method="client_secret_basic", secret=secret_of(name))
    return made


def test_openid_client_knows_where_everything_is_from_the_issuer_alone(client, provider):
    metadata = client.call("metadata")
    assert metadata["issuer"] == provider.issuer
    assert metadata["authorization_response_iss_parameter_supported"] is True


def test_openid_client_signs_a_person_in_and_asks_who_it_is(client, visitor, provider):
    tokens = client.sign_in(visitor)
    assert tokens["claims"]["iss"] == provider.issuer
    assert tokens["claims"]["aud"] == "peer-basic"
    assert tokens["token_type"] == "bearer"
    userinfo = client.call(
        "userinfo", token=tokens["access_token"], subject=tokens["claims"]["sub"]
    )
    assert userinfo["email"] == DANA
    assert userinfo["sub"] == tokens["claims"]["sub"]


def test_openid_client_refuses_an_answer_of_another_issuer(client, visitor, provider):
    started = client.start()
    place = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    assert place.sent["iss"] == provider.issuer
    forged = place.url.replace(place.url.partition("iss=")[2], "https%3A%2F%2Fother.example")
    with pytest.raises(Refused, match="iss"):
        client.finish(started, Place(forged))
    with pytest.raises(Refused, match="iss"):
        client.finish(started, Place(place.url.partition("&iss=")[0]))
    assert client.finish(started, place)["claims"]["sub"]


def test_openid_client_refuses_an_answer_to_another_request(client, visitor):
    started, other = client.start(), client.start()
    place = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    with pytest.raises(Refused, match="state"):
        client.finish(other, place)


def test_openid_client_with_another_verifier_gets_no_tokens(client, visitor):
    started, other = client.start(), client.start()
    place = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    verifier = other.checks["pkceCodeVerifier"]
    started.checks["pkceCodeVerifier"] = verifier
    with pytest.raises(Refused) as refused:
        client.finish(started, place)
    assert refused.value.error == "invalid_grant"


def test_openid_client_with_another_nonce_refuses_the_id_token(client, visitor):
    started = client.start()
    place = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    started.checks["expectedNonce"] = "of-another-request"
    with pytest.raises(Refused, match="nonce"):
        client.finish(started, place)


def test_openid_client_uses_a_code_once(client, visitor):
    started = client.start()
    place = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    tokens = client.finish(started, place)
    with pytest.raises(Refused) as refused:
        client.finish(started, place)
    assert refused.value.error == "invalid_grant"
    assert client.call("introspect", token=tokens["access_token"]) == {"active": False}


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_openid_client_verifies_id_tokens_of_each_algorithm(register, visitor, alg):
    name = f"peer-{alg.lower()}"
    client = register(
        name,
        method="client_secret_basic",
        secret=secret_of(name),
        metadata={"id_token_signed_response_alg": alg},
    )
    tokens = client.sign_in(visitor)
    assert header_of(tokens["id_token"])["alg"] == alg
    assert tokens["claims"]["sub"]


def test_openid_client_refuses_an_id_token_of_another_algorithm_than_registered(register, visitor):
    client = register(
        "peer-rs256",
        method="client_secret_basic",
        secret=secret_of("peer-rs256"),
        metadata={"id_token_signed_response_alg": "ES256"},
    )
    with pytest.raises(Refused, match="alg"):
        client.sign_in(visitor)


def test_openid_client_with_issuer_client_and_secret_alone_sends_the_secret_in_the_body(
    register, visitor
):
    client = register("peer-post", secret=secret_of("peer-post"))
    assert client.sign_in(visitor)["claims"]["aud"] == "peer-post"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_openid_client_authenticates_by_its_own_key(register, visitor, client_keys, alg):
    client = register("peer-key", method="private_key_jwt", key=client_keys[alg])
    tokens = client.sign_in(visitor)
    assert client.call("introspect", token=tokens["access_token"])["active"] is True


def test_openid_client_without_a_secret_signs_in_as_a_public_client(register, visitor):
    client = register("peer-public", method="none")
    assert client.sign_in(visitor)["claims"]["aud"] == "peer-public"


@pytest.mark.parametrize(
    "claimed",
    [
        {"method": "client_secret_basic", "secret": secret_of("somebody-else")},
        {"method": "client_secret_post", "secret": odd_secret_of("peer-basic")},
        {"method": "none"},
    ],
)
def test_openid_client_that_is_not_who_it_says_gets_no_tokens(register, visitor, claimed):
    with pytest.raises(Refused) as refused:
        register("peer-basic", **claimed).sign_in(visitor)
    assert refused.value.code == "OAUTH_WWW_AUTHENTICATE_CHALLENGE"


def test_openid_client_takes_an_answer_by_form_post(client, visitor):
    started = client.start(response_mode="form_post")
    page = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    assert page.status == 200
    place = visitor.submit(page)
    assert place.url == AWAY
    assert client.finish(started, place)["claims"]["sub"]


def test_openid_client_learns_that_a_silent_request_needs_a_sign_in(client, visitor):
    started = client.start(prompt="none")
    with pytest.raises(Refused) as refused:
        client.finish(started, visitor.open(started.url))
    assert refused.value.error == "login_required"


def test_openid_client_is_answered_silently_once_somebody_is_signed_in(client, visitor):
    first = client.sign_in(visitor)
    started = client.start(prompt="none", max_age="60")
    second = client.finish(started, visitor.open(started.url))
    assert second["claims"]["sub"] == first["claims"]["sub"]
    assert second["claims"]["auth_time"] == first["claims"]["auth_time"]


def test_openid_client_learns_that_the_person_did_not_allow_it(asks_consent, visitor):
    started = asks_consent.start()
    asked = visitor.sign_in(visitor.open(started.url), DANA, PASSWORD)
    with pytest.raises(Refused) as refused:
        asks_consent.finish(started, visitor.submit(asked, decision="deny"))
    assert refused.value.error == "access_denied"


def test_openid_client_signs_in_after_consent_and_asks_no_second_time(asks_consent, visitor):
    started = asks_consent.start()
    asked = visitor.sign_in(visitor.open(started.url), BEN, PASSWORD)
    assert asks_consent.finish(started, visitor.submit(asked, decision="allow"))["claims"]["sub"]
    again = asks_consent.start(prompt="none")
    assert asks_consent.finish(again, visitor.open(again.url))["claims"]["sub"]


def test_openid_client_signs_a_person_out_and_they_come_back(client, visitor):
    tokens = client.sign_in(visitor)
    place = visitor.open(
        client.call(
            "endSessionUrl",
            post_logout_redirect_uri=SIGNED_OUT,
            id_token_hint=tokens["id_token"],
            state="back-again",
        )
    )
    assert place.url.startswith(SIGNED_OUT)
    assert place.sent == {"state": "back-again"}
    with pytest.raises(Refused) as refused:
        client.call("refresh", token=tokens["refresh_token"])
    assert refused.value.error == "invalid_grant"
    assert "password" in visitor.open(client.start().url).form_with("email").names
