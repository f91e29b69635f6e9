"""S19, S57: what came by another provider ends with it, or with the account there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from idp.grants import provider_changes
from tests.console.administering import proven
from tests.console.calling import APP, Caller, add_clients, secret_of
from tests.console.company_providers_of import digest_of, turn
from tests.federation.companies import by_company, key_of, northwinds
from tests.federation.known import known_to
from tests.federation.signing_in import leave, link, register, returned, sign_in
from tests.machine.upstream.provider import UpstreamProvider
from tests.world import AMARA, BEN, Visitor, World, sent_back

__all__ = ["northwinds"]

OFFLINE = "openid offline_access"


@pytest.fixture
def google(either_world: World) -> Iterator[UpstreamProvider]:
    """At which Amara has linked an account, in a browser that is not there any more."""
    with known_to(either_world) as started:
        link(either_world.browser(), AMARA)
        yield started


def given(world: World, answer: Any) -> dict[str, Any]:
    return dict(world.redeem(sent_back(answer)["code"]).json or {})


def is_dead(world: World, tokens: dict[str, Any]) -> bool:
    """Everywhere, or nowhere."""
    told = {
        world.refresh(tokens["refresh_token"]).status_code == 400,
        world.userinfo(tokens["access_token"]).status_code == 401,
        not world.introspect(tokens["access_token"])["active"],
        not world.introspect(tokens["refresh_token"])["active"],
    }
    assert len(told) == 1, told
    return told.pop()


def remove(world: World, key: str) -> None:
    seen = digest_of(world, key)
    with proven(world) as admin:
        provider_changes.remove(admin, key, seen)


@pytest.mark.parametrize("scope", ["openid", OFFLINE])
@pytest.mark.parametrize("way", ["disabled", "removed"])
def test_sec_19_what_a_companys_provider_let_in_ends_with_it(
    either_world: World, northwinds: UpstreamProvider, way: str, scope: str
):
    tokens = given(either_world, by_company(either_world.browser(), scope=scope))
    own = either_world.browser().tokens(BEN, scope=scope)
    waiting = sent_back(by_company(either_world.browser()))["code"]
    assert not is_dead(either_world, tokens)
    if way == "disabled":
        turn(either_world, key_of(either_world), "disabled")
    else:
        remove(either_world, key_of(either_world))
    either_world.clock.move(1)
    assert is_dead(either_world, tokens)
    assert either_world.redeem(waiting).status_code == 400
    assert not is_dead(either_world, own), "the same person's, by a password"


def test_sec_19_what_one_of_the_platforms_let_in_ends_with_it(
    either_world: World, google: UpstreamProvider
):
    tokens = given(either_world, sign_in(either_world.browser(), scope=OFFLINE))
    register(either_world, google, "lms", status="disabled")
    assert is_dead(either_world, tokens)


def test_sec_19_so_it_is_at_our_own_api(either_world: World, northwinds: UpstreamProvider):
    add_clients(either_world)
    northwinds.account = replace(northwinds.account, sub="amara", email=AMARA)
    scope = "openid people.read"
    answer = by_company(either_world.browser(), APP, AMARA, tenant="northwind", scope=scope)
    code = sent_back(answer)["code"]
    tokens = either_world.redeem(code, APP, secret=secret_of(APP)).json or {}
    caller = Caller(either_world, tokens["access_token"])
    assert caller.get("/tenants/northwind/people").status_code == 200
    turn(either_world, key_of(either_world), "disabled")
    either_world.clock.move(1)
    assert caller.get("/tenants/northwind/people").status_code == 401


def test_sec_19_what_rests_on_a_password_as_well_lives_on(
    either_world: World, google: UpstreamProvider
):
    visitor = either_world.browser()
    sign_in(visitor)
    page = visitor.follow(visitor.authorize("lms", max_age="60", prompt="login", scope=OFFLINE))
    answer = visitor.follow(visitor.submit(page, email=AMARA, password="correct-horse-latchkey-9"))
    tokens = given(either_world, answer)
    register(either_world, google, "lms", status="disabled")
    assert not is_dead(either_world, tokens)


def unlinked(visitor: Visitor, world: World) -> None:
    [(linked_id,)] = world.run("SELECT id FROM linked_accounts")
    address = f"/account/security/linked/{linked_id}"
    page = visitor.enter(address)
    assert visitor.submit(page, address).status_code == 303


@pytest.mark.parametrize("scope", ["openid", OFFLINE])
def test_sec_57_unlinking_ends_what_the_account_had_opened(
    either_world: World, google: UpstreamProvider, scope: str
):
    tokens = given(either_world, sign_in(either_world.browser(), scope=scope))
    owner = either_world.browser()
    unlinked(owner, either_world)
    assert is_dead(either_world, tokens)
    assert owner.get("/account/security").status_code == 200, "by their own session"
    assert not is_dead(either_world, given(either_world, owner.authorize("lms", prompt="none")))


def test_sec_57_unlinking_ends_what_the_account_was_about_to_open(
    either_world: World, google: UpstreamProvider
):
    """The browser has come back from there, and has not gone on yet."""
    visitor = either_world.browser()
    page = visitor.follow(visitor.authorize("lms"))
    back = visitor.get(returned(leave(visitor, page)))
    unlinked(either_world.browser(), either_world)
    assert "Sign in" in visitor.follow(back).text
