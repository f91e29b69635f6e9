"""What the API takes for a recent sign-in, and for a second factor that was just proven."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.console.calling import APP, EVERYTHING, Caller, add_clients, secret_of
from tests.console.company_providers_of import change
from tests.federation.companies import by_company, key_of, northwinds, sent_by_address
from tests.federation.signing_in import returned
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider
from tests.world import AMARA, PASSWORD, Visitor, World, claims_of, sent_back

__all__ = ["northwinds"]

ASKED = {"tenant": "northwind", "scope": f"openid {EVERYTHING}"}
EVIL = {
    "name": "Evil",
    "issuer": "https://evil.example",
    "client_id": "x",
    "client_secret": "a-secret-that-is-long-enough",
}
SETTING_UP = "/tenants/northwind/identity-providers"
MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture
def amaras(either_world: World, northwinds: UpstreamProvider) -> UpstreamProvider:
    """Her account there has proven a second factor, which the company trusts."""
    add_clients(either_world)
    about = {"issuer": northwinds.issuer, "client_id": northwinds.client_id}
    change(either_world, key_of(either_world), **about, trusted_amr="hwk")
    northwinds.account = Account("amara", AMARA, email_verified=None, amr=("hwk",))
    either_world.clock.move(2)
    return northwinds


def tokens_of(world: World, answer: Any) -> dict[str, Any]:
    return dict(world.redeem(sent_back(answer)["code"], APP, secret=secret_of(APP)).json or {})


def typed_after(visitor: Visitor) -> Any:
    """Back from the company's provider, at the page of the same sign-in that takes a password."""
    page = visitor.follow(visitor.authorize(APP, **ASKED))
    back = visitor.get(returned(sent_by_address(visitor, page, AMARA))).headers["Location"]
    page = visitor.get("/login/password?attempt=" + back.partition("attempt=")[2])
    return visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))


def test_a_second_factor_of_long_ago_elsewhere_is_not_just_proven(
    either_world: World, amaras: UpstreamProvider
):
    """A password that is known, and a machine that is unlocked, name nobody who vouches for all."""
    amaras.signed_in_at = either_world.clock() - HOUR
    tokens = tokens_of(either_world, typed_after(either_world.browser()))
    told = claims_of(tokens["access_token"])
    assert (told["acr"], told["amr"]) == ("aal2", ["fed", "mfa", "pwd"])
    answer = Caller(either_world, tokens["access_token"]).post(SETTING_UP, EVIL)
    assert answer.status_code == 401, answer.text
    assert 'acr_values="aal2"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(("ago", "status"), [(MINUTE, 201), (HOUR, 401)])
def test_a_sign_in_elsewhere_is_as_recent_as_it_was_there(
    either_world: World, amaras: UpstreamProvider, ago: float, status: int
):
    amaras.signed_in_at = either_world.clock() - ago
    answer = by_company(either_world.browser(), APP, AMARA, **ASKED)
    tokens = tokens_of(either_world, answer)
    answer = Caller(either_world, tokens["access_token"]).post(SETTING_UP, EVIL)
    assert answer.status_code == status, answer.text


def test_one_that_is_not_told_is_not_recent(either_world: World, amaras: UpstreamProvider):
    amaras.account = replace(amaras.account, amr=())
    amaras.tells_no_time = True
    tokens = tokens_of(either_world, by_company(either_world.browser(), APP, AMARA, **ASKED))
    caller = Caller(either_world, tokens["access_token"])
    role = {"name": "Late", "rank": 10, "permissions": []}
    answer = caller.post("/tenants/northwind/roles", role)
    assert answer.status_code == 401, answer.text
    assert 'max_age="900"' in answer.headers["WWW-Authenticate"]
