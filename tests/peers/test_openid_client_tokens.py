"""npm's openid-client keeps tokens fresh, asks about them, gives them back, and acts for itself."""

from typing import Any

import pytest

from tests.machine.provider_process import RunningProvider
from tests.peers.node_process import NodeProcess, Refused
from tests.peers.registrations import odd_secret_of, secret_of
from tests.peers.relying_party import RelyingParty
from tests.peers.visitor import Visitor
from tests.world import claims_of


@pytest.fixture
def confidential(openid_client: NodeProcess, provider: RunningProvider) -> RelyingParty:
    secret = odd_secret_of("peer-basic")
    return RelyingParty(
        openid_client, provider.issuer, "peer-basic", method="client_secret_basic", secret=secret
    )


@pytest.fixture
def public(openid_client: NodeProcess, provider: RunningProvider) -> RelyingParty:
    return RelyingParty(openid_client, provider.issuer, "peer-public", method="none")


@pytest.fixture
def machine(openid_client: NodeProcess, provider: RunningProvider) -> RelyingParty:
    secret = secret_of("peer-machine")
    return RelyingParty(
        openid_client, provider.issuer, "peer-machine", method="client_secret_basic", secret=secret
    )


@pytest.fixture
def own_key(
    openid_client: NodeProcess,
    provider: RunningProvider,
    client_keys: dict[str, dict[str, Any]],
) -> RelyingParty:
    key = client_keys["ES256"]
    return RelyingParty(
        openid_client, provider.issuer, "peer-key", method="private_key_jwt", key=key
    )


@pytest.fixture
def tokens(confidential: RelyingParty, visitor: Visitor) -> dict[str, Any]:
    return confidential.sign_in(visitor)


def test_openid_client_with_a_secret_keeps_its_refresh_token(confidential, tokens):
    for _ in range(3):
        fresh = confidential.call("refresh", token=tokens["refresh_token"])
        assert fresh["refresh_token"] == tokens["refresh_token"]
        assert fresh["access_token"] != tokens["access_token"]
        assert fresh["claims"]["sub"] == tokens["claims"]["sub"]
        assert fresh["claims"]["auth_time"] == tokens["claims"]["auth_time"]


def test_openid_client_refreshes_for_less_scope_and_never_for_more(confidential, tokens):
    narrow = confidential.call("refresh", token=tokens["refresh_token"], scope="openid")
    assert narrow["scope"] == "openid"
    with pytest.raises(Refused) as refused:
        confidential.call("refresh", token=tokens["refresh_token"], scope="openid everything")
    assert refused.value.error == "invalid_scope"


def test_openid_client_without_a_secret_gets_a_new_refresh_token_each_time(public, visitor):
    first = public.sign_in(visitor)["refresh_token"]
    second = public.call("refresh", token=first)["refresh_token"]
    third = public.call("refresh", token=second)["refresh_token"]
    assert len({first, second, third}) == 3


def test_openid_client_that_lost_an_answer_gets_the_same_successor(public, visitor):
    first = public.sign_in(visitor)["refresh_token"]
    lost = public.call("refresh", token=first)["refresh_token"]
    assert public.call("refresh", token=first)["refresh_token"] == lost


def test_openid_client_that_uses_an_old_refresh_token_ends_its_family(public, visitor):
    first = public.sign_in(visitor)["refresh_token"]
    second = public.call("refresh", token=first)["refresh_token"]
    newest = public.call("refresh", token=second)
    for token in (first, newest["refresh_token"]):
        with pytest.raises(Refused) as refused:
            public.call("refresh", token=token)
        assert refused.value.error == "invalid_grant"
    with pytest.raises(Refused):
        public.call("userinfo", token=newest["access_token"], subject=newest["claims"]["sub"])


def test_openid_client_hears_what_a_token_stands_for(confidential, tokens):
    access = confidential.call("introspect", token=tokens["access_token"])
    assert access["active"] is True
    assert access["client_id"] == "peer-basic"
    assert access["sub"] == tokens["claims"]["sub"]
    assert access["permissions"] == tokens["claims"]["permissions"]
    hinted = confidential.call(
        "introspect", token=tokens["refresh_token"], token_type_hint="refresh_token"
    )
    assert hinted["active"] is True
    assert confidential.call("introspect", token="made-up") == {"active": False}


def test_openid_client_gives_an_access_token_back_and_keeps_the_rest(confidential, tokens):
    confidential.call("revoke", token=tokens["access_token"])
    assert confidential.call("introspect", token=tokens["access_token"]) == {"active": False}
    fresh = confidential.call("refresh", token=tokens["refresh_token"])
    assert confidential.call("introspect", token=fresh["access_token"])["active"] is True


def test_openid_client_gives_its_refresh_token_back_and_with_it_all_others(confidential, tokens):
    confidential.call("revoke", token=tokens["refresh_token"], token_type_hint="refresh_token")
    assert confidential.call("introspect", token=tokens["access_token"]) == {"active": False}
    with pytest.raises(Refused) as refused:
        confidential.call("refresh", token=tokens["refresh_token"])
    assert refused.value.error == "invalid_grant"


def test_openid_client_gives_a_token_back_as_a_public_client(public, visitor):
    tokens = public.sign_in(visitor)
    public.call("revoke", token=tokens["refresh_token"])
    with pytest.raises(Refused):
        public.call("refresh", token=tokens["refresh_token"])


def test_openid_client_of_another_client_can_not_use_a_token(public, tokens):
    public.call("revoke", token=tokens["refresh_token"])
    with pytest.raises(Refused) as refused:
        public.call("refresh", token=tokens["refresh_token"])
    assert refused.value.error == "invalid_grant"


def test_openid_client_leaves_another_clients_token_alive(confidential, public, tokens):
    public.call("revoke", token=tokens["access_token"])
    assert confidential.call("introspect", token=tokens["access_token"])["active"] is True


def test_openid_client_acts_for_itself_with_a_secret(machine):
    token = machine.call("clientCredentials", scope="loans:read")
    assert token["scope"] == "loans:read"
    assert "id_token" not in token
    assert "refresh_token" not in token
    assert claims_of(token["access_token"])["sub"] == "peer-machine"
    assert machine.call("introspect", token=token["access_token"])["active"] is True


def test_openid_client_acts_for_itself_with_its_own_key(own_key):
    token = own_key.call("clientCredentials")
    assert token["scope"] == "loans:read"


def test_openid_client_can_not_act_for_itself_with_a_persons_scope(machine):
    with pytest.raises(Refused) as refused:
        machine.call("clientCredentials", scope="openid")
    assert refused.value.error == "invalid_scope"


def test_openid_client_that_may_only_sign_people_in_can_not_act_for_itself(confidential):
    with pytest.raises(Refused) as refused:
        confidential.call("clientCredentials")
    assert refused.value.error == "unauthorized_client"


def test_openid_client_refreshes_with_its_own_key(own_key, visitor):
    tokens = own_key.sign_in(visitor)
    assert own_key.call("refresh", token=tokens["refresh_token"])["claims"]["sub"]
