"""S65: what one company ends of a person is of that company, and what it has ended stays so."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory import person
from idp.grants import membership
from idp.grants.membership import OpenSession
from tests.console.administering import administering
from tests.console.people_of import member_id
from tests.world import AMARA, BEN, HANA, PRIYA, Visitor, World, sent_back

IDLE = 86400.0
OFFLINE = "openid offline_access"


def seen(world: World, admin_email: str, slug: str) -> list[OpenSession]:
    with administering(world, admin_email, slug) as admin:
        someone = person.find_member(admin, member_id(world, PRIYA, slug))
        return membership.open_sessions(admin, someone, IDLE)


def end(world: World, admin_email: str, slug: str, session: str | None = None) -> int:
    member = member_id(world, PRIYA, slug)
    with administering(world, admin_email, slug) as admin:
        return membership.end_sessions(admin, member, IDLE, session)


def signed_in(
    world: World, tenant: str, client_id: str = "lms", browser: Visitor | None = None
) -> tuple[Visitor, dict[str, Any]]:
    visitor = browser or world.browser()
    return visitor, visitor.tokens(PRIYA, client_id, tenant=tenant, scope=OFFLINE)


def is_alive(world: World, tokens: dict[str, Any], client_id: str = "lms") -> bool:
    return world.refresh(tokens["refresh_token"], client_id).status_code == 200


def test_sec_65_a_session_of_another_company_is_not_seen_and_not_ended(
    either_world: World,
) -> None:
    _, there = signed_in(either_world, "harbor")
    assert seen(either_world, AMARA, "northwind") == []
    ((session,),) = either_world.run("SELECT id FROM sessions")
    assert end(either_world, AMARA, "northwind") == 0
    assert end(either_world, AMARA, "northwind", session) == 0
    assert is_alive(either_world, there)
    assert [each.products for each in seen(either_world, HANA, "harbor")] == [("lms",)]


def test_sec_65_of_a_session_that_went_on_elsewhere_only_ones_own_part_ends(
    either_world: World,
) -> None:
    browser, here = signed_in(either_world, "northwind")
    either_world.clock.move(1)
    _, there = signed_in(either_world, "harbor", browser=browser)
    assert len(seen(either_world, AMARA, "northwind")) == 1
    assert end(either_world, AMARA, "northwind") == 1
    assert not is_alive(either_world, here)
    assert is_alive(either_world, there)
    assert seen(either_world, AMARA, "northwind") == []
    assert either_world.run("SELECT ended_at FROM sessions") == [(None,)]
    assert len(seen(either_world, HANA, "harbor")) == 1


def opens(browser: Visitor, tenant: str) -> bool:
    answer = browser.authorize("lms", tenant=tenant, prompt="none")
    return "code" in sent_back(answer)


@pytest.mark.parametrize("which", ["all", "the one"])
def test_sec_65_who_was_signed_out_of_a_company_comes_back_by_another_proof_alone(
    either_world: World, which: str
) -> None:
    """A stolen cookie would else be safe after one switch of company."""
    browser, _ = signed_in(either_world, "northwind")
    either_world.clock.move(1)
    _, there = signed_in(either_world, "harbor", browser=browser)
    ((session,),) = either_world.run("SELECT id FROM sessions")
    assert end(either_world, AMARA, "northwind", session if which == "the one" else None) == 1
    assert not opens(browser, "northwind")
    assert opens(browser, "harbor")
    assert is_alive(either_world, there)
    signed_in(either_world, "northwind", browser=browser)
    assert opens(browser, "northwind")
    assert opens(browser, "harbor")


def test_sec_65_nor_do_they_come_back_by_another_session_of_theirs(either_world: World) -> None:
    signed_in(either_world, "northwind")
    elsewhere, _ = signed_in(either_world, "harbor")
    bens = either_world.browser()
    bens.tokens(BEN, tenant="northwind")
    assert end(either_world, AMARA, "northwind") == 1
    assert not opens(elsewhere, "northwind")
    assert opens(bens, "northwind"), "it was hers that ended"
    assert opens(elsewhere, "harbor")


def test_sec_65_a_code_that_crossed_with_the_end_is_worth_nothing(either_world: World) -> None:
    browser, _ = signed_in(either_world, "northwind")
    code = browser.code(PRIYA, tenant="northwind")
    northwind = "(SELECT id FROM tenants WHERE slug = 'northwind')"
    either_world.run(f"UPDATE sessions SET left_tenants = ' ' || {northwind} RETURNING id")
    assert either_world.redeem(code).status_code == 400


def test_sec_65_who_was_disabled_and_let_in_again_signs_in_again(either_world: World) -> None:
    browser, _ = signed_in(either_world, "northwind")
    either_world.clock.move(1)
    signed_in(either_world, "harbor", browser=browser)
    member = member_id(either_world, PRIYA)
    for turn in (membership.disable, membership.enable):
        with administering(either_world, AMARA) as admin:
            turn(admin, member)
    assert not opens(browser, "northwind")
    assert opens(browser, "harbor")


def test_sec_65_products_of_another_company_are_not_told(either_world: World) -> None:
    browser, _ = signed_in(either_world, "harbor", "payments")
    either_world.clock.move(1)
    signed_in(either_world, "northwind", browser=browser)
    assert [each.products for each in seen(either_world, AMARA, "northwind")] == [("lms",)]
    assert [each.products for each in seen(either_world, HANA, "harbor")] == [("payments",)]


def test_sec_65_what_a_disabled_membership_held_does_not_wake_up_again(
    either_world: World,
) -> None:
    """An offline refresh token outlives its session, and so would one that was stolen."""
    browser, _ = signed_in(either_world, "northwind")
    stolen = either_world.browser().tokens(BEN, scope=OFFLINE)
    _, elsewhere = signed_in(either_world, "harbor", browser=browser)
    _, switched = signed_in(either_world, "northwind", browser=browser)
    _, elsewhere_again = signed_in(either_world, "harbor", browser=browser)
    for email in (BEN, PRIYA):
        member = member_id(either_world, email)
        for turn in (membership.disable, membership.enable):
            with administering(either_world, AMARA) as admin:
                turn(admin, member)
    assert not is_alive(either_world, stolen)
    assert not is_alive(either_world, switched)
    assert is_alive(either_world, elsewhere)
    assert is_alive(either_world, elsewhere_again)


def test_sec_65_a_product_is_told_once_that_a_membership_is_disabled(either_world: World) -> None:
    signed_in(either_world, "northwind")
    member = member_id(either_world, PRIYA)
    with administering(either_world, AMARA) as admin:
        membership.disable(admin, member)
    told = either_world.run("SELECT client_id FROM outbox WHERE kind = 'backchannel_logout'")
    assert told == [("lms",)]


def test_sec_65_a_code_that_no_product_has_spent_is_no_move_to_another_company(
    either_world: World,
) -> None:
    """Whoever expects to be disabled would else keep the product from hearing of it."""
    browser, _ = signed_in(either_world, "northwind")
    either_world.clock.move(1)
    browser.code(PRIYA, tenant="harbor")
    member = member_id(either_world, PRIYA)
    with administering(either_world, AMARA) as admin:
        membership.disable(admin, member)
    told = either_world.run("SELECT client_id FROM outbox WHERE kind = 'backchannel_logout'")
    assert told == [("lms",)]
