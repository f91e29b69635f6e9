"""What other providers have said is asked again whenever something is opened by it: a session, a
grant, a refresh."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.console.access_story import Story
from tests.console.company_providers_of import add, only_way, verified_domain
from tests.console.people_of import give_role, member_id
from tests.federation.companies import (
    by_company,
    changed,
    id_token,
    key_of,
    known_by_all,
    northwinds,
)
from tests.federation.signing_in import come_back, leave
from tests.machine.upstream.provider import UpstreamProvider
from tests.security.second_factors import demand_a_second_factor
from tests.world import AMARA, BEN, HANA, PASSWORD, Visitor, World, claims_of, sent_back

__all__ = ["northwinds"]

DAY = 86400.0
OFFLINE = "openid offline_access"


@pytest.fixture
def trusted(either_world: World, northwinds: UpstreamProvider) -> UpstreamProvider:
    changed(either_world, northwinds, trusted_amr="hwk", trusted_acr="urn:mfa")
    northwinds.account = replace(northwinds.account, amr=("pwd", "hwk"))
    return northwinds


def tokens_by_company(world: World, visitor: Visitor, **asked: str) -> dict[str, Any]:
    answer = by_company(visitor, **asked)
    return dict(world.redeem(sent_back(answer)["code"]).json or {})


def is_alive(world: World, given: dict[str, Any]) -> bool:
    """By all that ask."""
    seen = world.introspect(given["access_token"])["active"]
    assert (world.userinfo(given["access_token"]).status_code == 200) is seen
    assert world.introspect(given["refresh_token"])["active"] is seen
    answer = world.refresh(given["refresh_token"])
    assert (answer.status_code == 200) is seen
    assert seen or (answer.json or {})["error"] == "invalid_grant"
    return bool(seen)


def test_s4_a_session_whose_second_factor_is_trusted_no_more_is_asked_for_one(
    either_world: World, trusted: UpstreamProvider
) -> None:
    demand_a_second_factor(either_world, "lms")
    visitor = either_world.browser()
    assert id_token(either_world, by_company(visitor))["acr"] == "aal2"
    changed(either_world, trusted)
    page = visitor.follow(visitor.authorize("lms"))
    assert page.request.path == "/login/enrol"


def test_s4_what_is_opened_later_says_one_factor(
    either_world: World, trusted: UpstreamProvider
) -> None:
    visitor = either_world.browser()
    assert id_token(either_world, by_company(visitor))["acr"] == "aal2"
    changed(either_world, trusted)
    claims = id_token(either_world, visitor.follow(visitor.authorize("lms")))
    assert (claims["acr"], claims["amr"]) == ("aal1", ["fed"])


@pytest.mark.parametrize("scope", ["openid", OFFLINE])
def test_s4_what_was_opened_by_it_ends(
    either_world: World, trusted: UpstreamProvider, scope: str
) -> None:
    given = tokens_by_company(either_world, either_world.browser(), scope=scope)
    assert claims_of(given["id_token"])["acr"] == "aal2"
    changed(either_world, trusted)
    assert not is_alive(either_world, given)


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        ({"trusted_amr": "hwk"}, True),
        ({"trusted_amr": "mfa hwk"}, True),
        ({"trusted_amr": "mfa"}, False),
        ({"trusted_amr": "hw"}, False),
        ({"trusted_acr": "hwk"}, False),
        ({"trusted_acr": "urn:mfa"}, False),
    ],
    ids=str,
)
def test_s4_it_counts_by_the_words_that_it_said_and_no_others(
    either_world: World, trusted: UpstreamProvider, words: dict[str, str], counts: bool
) -> None:
    demand_a_second_factor(either_world, "lms")
    visitor = either_world.browser()
    given = tokens_by_company(either_world, visitor)
    changed(either_world, trusted, **words)
    assert is_alive(either_world, given) is counts
    answer = visitor.follow(visitor.authorize("lms"))
    assert ("Location" in answer.headers) is counts


def test_s4_one_factor_of_who_said_two_was_never_asked_again_by_the_trust(
    either_world: World, northwinds: UpstreamProvider
) -> None:
    """A grant that rests on no such word lives on."""
    northwinds.account = replace(northwinds.account, amr=("hwk",))
    given = tokens_by_company(either_world, either_world.browser())
    assert claims_of(given["id_token"])["acr"] == "aal1"
    changed(either_world, northwinds, trusted_amr="hwk")
    changed(either_world, northwinds)
    assert is_alive(either_world, given)


@pytest.mark.parametrize("scope", ["openid", OFFLINE])
def test_s4_the_only_way_holds_for_what_a_password_has_opened_before(
    either_world: World, northwinds: UpstreamProvider, scope: str
) -> None:
    by_password = either_world.browser().tokens(BEN, scope=scope)
    by_it = tokens_by_company(either_world, either_world.browser(), scope=scope)
    admins = either_world.browser().tokens(AMARA, scope=scope)
    hanas = either_world.browser().tokens(HANA, scope=scope)
    changed(either_world, northwinds, **only_way(either_world, AMARA))
    assert not is_alive(either_world, by_password)
    assert is_alive(either_world, by_it)
    assert is_alive(either_world, admins), "who is left out"
    assert is_alive(either_world, hanas), "who is of another company"


def test_s4_and_for_what_another_provider_has_opened(
    either_world: World, northwinds: UpstreamProvider
) -> None:
    given = tokens_by_company(either_world, either_world.browser(), scope=OFFLINE)
    changed(either_world, northwinds, **only_way(either_world, AMARA))
    either_world.run("UPDATE grants SET vouched_by = 'google', provider_key = NULL")
    assert not is_alive(either_world, given)


def test_s4_it_ends_nothing_where_it_is_lifted_before_anybody_asks(
    either_world: World, northwinds: UpstreamProvider
) -> None:
    given = either_world.browser().tokens(BEN, scope=OFFLINE)
    changed(either_world, northwinds, **only_way(either_world, AMARA))
    changed(either_world, northwinds)
    assert is_alive(either_world, given)


def test_s4_who_came_by_it_and_showed_more_keeps_what_that_opened(
    either_world: World, northwinds: UpstreamProvider
) -> None:
    """A recent proof of their own, beside the older word of the company."""
    changed(either_world, northwinds, **only_way(either_world, AMARA))
    northwinds.tells_no_time = True
    visitor = either_world.browser()
    page = by_company(visitor, max_age="60", scope=OFFLINE)
    answer = visitor.follow(visitor.submit(page, email=BEN, password=PASSWORD))
    given = dict(either_world.redeem(sent_back(answer)["code"]).json or {})
    assert claims_of(given["id_token"])["amr"] == ["pwd"]
    either_world.clock.move(60)
    assert is_alive(either_world, given)


def test_s4_no_token_of_a_password_opens_the_console_by_then(
    either_world: World, northwinds: UpstreamProvider
) -> None:
    give_role(either_world, BEN, "account_admin")
    visitor = either_world.browser()
    visitor.sign_in(BEN)
    path = "/manage/northwind/people"
    assert visitor.get(path).status_code == 200
    changed(either_world, northwinds, **only_way(either_world, AMARA))
    page = visitor.follow(visitor.get(path))
    assert "Your company asks you to sign in with Northwind Entra." in page.text
    page = come_back(visitor, leave(visitor, page, key_of(either_world)))
    assert page.request.path == path


def test_t7_a_guest_is_held_to_no_only_way_of_their_hosts(either_world: World) -> None:
    told = Story(either_world).ask(products=("lms",)).submit()
    told.approve(end=either_world.clock.now + DAY)
    told.set_up(roles=("agent",))
    given = either_world.browser().tokens(BEN, tenant="harbor")
    left_out = [member_id(either_world, HANA, "harbor")]
    key = add(either_world, HANA, "harbor", is_only_way=True, left_out=left_out)
    domain_id = verified_domain(either_world, slug="harbor")
    either_world.run(
        "INSERT INTO routed_domains (domain_id, provider_id, tenant_id)"
        " SELECT :d, id, tenant_id FROM company_providers WHERE id = :p",
        d=domain_id,
        p=key,
    )
    known_by_all(either_world)
    assert is_alive(either_world, given)
    either_world.run("UPDATE memberships SET access_request_id = NULL")
    assert not is_alive(either_world, given), "and this is what holds it off"
