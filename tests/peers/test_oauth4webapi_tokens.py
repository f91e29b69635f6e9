"""npm's oauth4webapi has every kind of grant, binds its tokens, asks about them and gives them
back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.machine.provider_process import RunningProvider
from tests.peers.conftest import Register
from tests.peers.node_process import Refused
from tests.peers.registrations import odd_secret_of, secret_of
from tests.peers.relying_party import RelyingParty
from tests.peers.visitor import Visitor
from tests.world import DANA, PASSWORD

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
PAYMENTS = "urn:product:payments"


@pytest.fixture
def with_secret(oauth4webapi_as: Register) -> Any:
    def made(client_id: str, secret: str = "", **more: Any) -> RelyingParty:
        secret = secret or secret_of(client_id)
        return oauth4webapi_as(client_id, method="client_secret_basic", secret=secret, **more)

    return made


@pytest.fixture
def confidential(with_secret: Any) -> RelyingParty:
    made: RelyingParty = with_secret("peer-basic", odd_secret_of("peer-basic"))
    return made


def is_alive(client: RelyingParty, token: str) -> bool:
    return bool(client.call("introspect", token=token)["active"])


def test_oauth4webapi_asks_about_its_tokens_and_gives_them_back(
    confidential: RelyingParty, visitor: Visitor
) -> None:
    tokens = confidential.sign_in(visitor)
    fresh = confidential.call("refresh", token=tokens["refresh_token"])
    assert fresh["claims"]["sub"] == tokens["claims"]["sub"]
    person = confidential.call(
        "userinfo", token=fresh["access_token"], subject=fresh["claims"]["sub"]
    )
    assert person["email"] == DANA
    assert is_alive(confidential, fresh["access_token"])
    confidential.call("revoke", token=fresh["access_token"])
    assert not is_alive(confidential, fresh["access_token"])
    assert is_alive(confidential, tokens["access_token"])
    confidential.call("revoke", token=tokens["refresh_token"])
    assert not is_alive(confidential, tokens["access_token"])
    with pytest.raises(Refused) as refused:
        confidential.call("refresh", token=tokens["refresh_token"])
    assert refused.value.error == "invalid_grant"


def test_oauth4webapi_acts_for_itself(with_secret: Any) -> None:
    machine = with_secret("peer-machine")
    told = machine.call("clientCredentials", scope="loans:read")
    assert told["scope"] == "loans:read"
    assert is_alive(machine, told["access_token"])
    with pytest.raises(Refused) as refused:
        machine.call("clientCredentials", scope="openid")
    assert refused.value.error == "invalid_scope"


def test_oauth4webapi_calls_another_product_for_who_called_it(
    confidential: RelyingParty, with_secret: Any, visitor: Visitor
) -> None:
    called_with = confidential.sign_in(visitor)
    asked = {
        "subject_token": called_with["access_token"],
        "subject_token_type": ACCESS_TOKEN,
        "resource": PAYMENTS,
    }
    api = with_secret("peer-calls-on")
    told = api.call("exchange", **asked)
    assert told["issued_token_type"] == ACCESS_TOKEN
    claims = api.call("checkRequest", token=told["access_token"], audience=PAYMENTS)
    assert claims["sub"] == called_with["claims"]["sub"]
    assert claims["act"] == {"sub": "peer-calls-on"}
    with pytest.raises(Refused) as refused:
        api.call("exchange", **{**asked, "subject_token": called_with["id_token"]})
    assert refused.value.error == "invalid_request"


@pytest.mark.parametrize("by", ["", "PAR"])
def test_oauth4webapi_binds_its_tokens_to_a_key(
    oauth4webapi_as: Register, provider: RunningProvider, visitor: Visitor, by: str
) -> None:
    client = oauth4webapi_as("peer-public", method="none", bound="ES256")
    tokens = client.sign_in(visitor, by=by)
    fresh = client.call("refresh", token=tokens["refresh_token"])
    assert (tokens["token_type"], fresh["token_type"]) == ("dpop", "dpop")
    token, subject = fresh["access_token"], fresh["claims"]["sub"]
    assert client.call("userinfo", token=token, subject=subject)["email"] == DANA
    products = client.call("fetch", token=token, url=f"{provider.issuer}/switcher")["products"]
    assert [each["key"] for each in products if each["current"]] == ["lms"]
    told = client.call("checkRequest", token=token, audience="urn:product:lms")
    assert told["cnf"].keys() == {"jkt"}


def test_oauth4webapi_without_the_key_has_no_use_for_a_bound_token(
    oauth4webapi_as: Register, visitor: Visitor
) -> None:
    bound = oauth4webapi_as("peer-public", method="none", bound="Ed25519")
    tokens = bound.sign_in(visitor)
    for key in ({}, {"bound": "ES256"}):
        other = oauth4webapi_as("peer-public", method="none", **key)
        with pytest.raises(Refused) as refused:
            other.call("refresh", token=tokens["refresh_token"])
        assert refused.value.error == "invalid_grant"
        asked = {"token": tokens["access_token"], "subject": tokens["claims"]["sub"]}
        with pytest.raises(Refused, match="WWW-Authenticate"):
            other.call("userinfo", **asked)
        with pytest.raises(Refused):
            other.call("checkRequest", token=tokens["access_token"], audience="urn:product:lms")


def how_it_ends(client: RelyingParty, call: str, **given: str) -> str | None:
    """Whose ID token it is, or the word by which there is none."""
    try:
        return str(client.call(call, **given)["claims"]["aud"])
    except Refused as refused:
        return refused.error


def test_oauth4webapi_signs_in_a_device_that_a_person_allows_and_no_other(
    oauth4webapi_as: Register, visitor: Visitor
) -> None:
    device = oauth4webapi_as("peer-device", method="none")
    waits, denied, allowed = (device.call("startDevice", scope="openid email") for _ in range(3))
    for told, decision in ((denied, "deny"), (allowed, "allow")):
        visitor.answer_device(told["verification_uri_complete"], decision, DANA, PASSWORD)
    ends = [
        how_it_ends(device, "askForDevice", code=told["device_code"])
        for told in (waits, waits, denied, allowed)
    ]
    assert ends == ["authorization_pending", "slow_down", "access_denied", "peer-device"]


def test_oauth4webapi_asks_a_person_who_is_elsewhere(
    with_secret: Any, provider: RunningProvider, visitor: Visitor
) -> None:
    """By CIBA."""
    hotline, page = with_secret("peer-hotline"), f"{provider.issuer}/account/requests"

    def asked() -> dict[str, str]:
        told = hotline.call("startBackchannel", scope="openid email", login_hint=DANA)
        return {"id": told["auth_req_id"]}

    visitor.sign_in(visitor.open(page), DANA, PASSWORD)
    ends = [how_it_ends(hotline, "askForBackchannel", **asked())]
    visitor.submit(visitor.open(page), decision="deny")
    for decision in ("deny", "allow"):
        told = asked()
        visitor.submit(visitor.submit(visitor.open(page), decision="look"), decision=decision)
        ends += [how_it_ends(hotline, "askForBackchannel", **told)]
    assert ends == ["authorization_pending", "access_denied", "peer-hotline"]
