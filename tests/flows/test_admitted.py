"""Whom a company's statement admits by its domain, and who waits for all that (product.md S5)."""

from __future__ import annotations

import pytest

from idp.directory import letting_in, role_editing
from idp.directory.acting import Forbidden
from idp.directory.roles import Role
from idp.grants import membership
from idp.policies import sign_up_terms
from tests.console.administering import administering, with_roles
from tests.console.calling import person
from tests.console.name_server import Zone
from tests.console.people_of import member_id
from tests.console.proving_domains import add, asking, look, text_of, zone
from tests.mailed import mail_for
from tests.signing_up import (
    NADIA,
    admit,
    memberships_of,
    move_address,
    requests_of,
    sign_up,
    state,
    verify_domain,
)
from tests.world import AMARA, BEN, DANA, HANA, World

__all__ = ["asking", "zone"]

PAGE = "/manage/northwind/sign-up"
QUEUE = "/manage/northwind/join-requests"
PRIVATE = "somebody@else.example"
IN = ("Northwind Lending", "staff", "active", "agent")
ADMITTED = {"sign_up": "admitted", "sign_up_role": "agent"}


def say(world: World, email: str = AMARA, **claimed: str) -> None:
    """As somebody who saves the page."""
    with administering(world, email) as admin:
        sign_up_terms.change(admin, sign_up_terms.terms(admin).seen, {**ADMITTED, **claimed})


def waits(world: World, email: str) -> bool:
    return (memberships_of(world, email), requests_of(world, email)) == ([], ["waiting"])


def said(page: str, domain: str) -> str:
    """What the settings say of who comes from there."""
    return page.split(f"<dt>{domain}</dt><dd>")[1].split("</dd>", maxsplit=1)[0]


def decision_page(world: World, email: str) -> str:
    [(found,)] = world.run(
        "SELECT j.id FROM join_requests j JOIN users u ON u.id = j.user_id"
        " WHERE u.email = :e AND j.status = 'waiting'",
        e=email,
    )
    return world.browser().enter(f"{QUEUE}/{found}").text


def test_sec_79_whoever_manages_domains_alone_lets_nobody_in(asking: World, zone: Zone) -> None:
    """By the rules themselves, up to the record in the DNS."""
    verify_domain(asking)
    say(asking)
    with_roles(asking, DANA, {"keeper": {"permissions": {"console": ["domains.manage"]}}})
    domain_id = add(asking, "evil.example", DANA)
    zone.records["_latchkey.evil.example"] = [text_of(asking, domain_id)]
    assert look(asking, domain_id, DANA) == "found"
    asking.clock.move(1)
    sign_up(asking, "dana2@evil.example")
    assert waits(asking, "dana2@evil.example")
    sign_up(asking, NADIA)
    assert memberships_of(asking, NADIA) == [IN]


def test_a_domain_that_was_verified_later_admits_once_the_page_is_saved_again(
    either_world: World,
) -> None:
    world, browser = either_world, either_world.browser()
    verify_domain(world)
    say(world)
    world.clock.move(5)
    before = browser.enter(PAGE)
    assert "Waits for approval" not in before.text
    verify_domain(world, "later.example", at=world.clock())
    late = browser.submit(before, PAGE, **ADMITTED)
    assert late.status_code == 409, "whoever saves has not seen the new domain"
    page = browser.get(PAGE)
    assert said(page.text, "later.example").startswith("Waits for approval, since the domain was")
    assert said(page.text, "northwind.example") == "Is let in by themselves"
    sign_up(world, "one@later.example")
    assert waits(world, "one@later.example")
    assert browser.submit(page, PAGE, **ADMITTED).status_code == 303
    assert said(browser.get(PAGE).text, "later.example") == "Is let in by themselves"
    assert len(world.audit("policy.changed")) == 2
    sign_up(world, "two@later.example")
    assert memberships_of(world, "two@later.example") == [IN]
    assert waits(world, "one@later.example"), "who waits is decided about by somebody"


def test_saving_what_counts_already_changes_nothing(either_world: World) -> None:
    verify_domain(either_world)
    say(either_world)
    [before] = either_world.run("SELECT policy FROM tenants WHERE slug = 'northwind'")
    either_world.clock.move(5)
    say(either_world)
    assert [before] == either_world.run("SELECT policy FROM tenants WHERE slug = 'northwind'")
    assert len(either_world.audit("policy.changed")) == 1


def test_a_domain_that_is_lost_and_proven_again_waits_too(either_world: World) -> None:
    admit(either_world)
    either_world.clock.move(5)
    either_world.run("UPDATE domains SET verified_at = :now", now=either_world.clock())
    sign_up(either_world, NADIA)
    assert waits(either_world, NADIA)


def test_a_statement_without_its_time_admits_nobody(either_world: World) -> None:
    verify_domain(either_world)
    state(either_world, **ADMITTED, sign_up_since=None)
    sign_up(either_world, NADIA)
    assert waits(either_world, NADIA)


def test_sec_79_whoever_may_not_manage_people_admits_nobody(either_world: World) -> None:
    world = either_world
    of_policy = {"permissions": {"console": ["policy.manage"]}, "rank": 50}
    with_roles(world, DANA, {"keeper": of_policy})
    with administering(world, DANA) as admin:
        seen = sign_up_terms.terms(admin).seen
        with pytest.raises(Forbidden):
            sign_up_terms.change(admin, seen, ADMITTED)
    say(world, DANA, sign_up="closed", sign_up_role="")
    page = world.browser().enter(PAGE, DANA)
    assert 'value="admitted" disabled' in page.text
    both = {"permissions": {"console": ["policy.manage", "people.manage"]}, "rank": 50}
    with_roles(world, DANA, {"keeper": both})
    say(world, DANA)


def test_a_domain_whose_record_is_gone_admits_nobody(either_world: World) -> None:
    world = either_world
    admit(world)
    world.run("UPDATE domains SET failing_since = :now", now=world.clock())
    shown = said(world.browser().enter(PAGE).text, "northwind.example")
    assert shown == "Waits for approval, since the record in the DNS is gone"
    sign_up(world, NADIA)
    assert waits(world, NADIA)
    world.run("UPDATE domains SET failing_since = NULL")
    sign_up(world, "another@northwind.example")
    assert memberships_of(world, "another@northwind.example") == [IN]


def test_sec_77_another_role_of_the_same_key_admits_nobody(either_world: World) -> None:
    world = either_world
    verify_domain(world)
    world.apply(tenants=[northwind_with({"key": "clerk", "name": "Clerk"})])
    say(world, sign_up_role="clerk")
    world.clock.move(5)
    [(role_id,)] = world.run("SELECT id FROM roles WHERE key = 'clerk'")
    with administering(world) as admin:
        role = admin.get(Role, role_id)
        role_editing.delete(admin, role_id, role_editing.digest(role))
    with administering(world) as admin:
        claimed = {"name": "Clerk", "description": "Something else", "rank": "40"}
        assert role_editing.make(admin, claimed).key == "clerk"
    sign_up(world, NADIA)
    assert waits(world, NADIA)
    assert "so everybody waits for an admin" in world.browser().enter(PAGE).text


def northwind_with(role: dict[str, object]) -> dict[str, object]:
    return {"slug": "northwind", "name": "Northwind Lending", "roles": [role]}


def disable(world: World, email: str) -> None:
    with administering(world) as admin:
        membership.disable(admin, member_id(world, email))


def test_sec_80_whom_the_company_has_disabled_does_not_come_back_by_themselves(
    either_world: World,
) -> None:
    """Nor does anybody else by their address: it was admitted once."""
    world = either_world
    admit(world)
    for email, was in ((NADIA, "admitted"), (BEN, "a member before")):
        if was == "admitted":
            sign_up(world, email)
        disable(world, email)
        move_address(world, email, f"old-{email.partition('@')[0]}@else.example")
        world.clock.move(1)
        sign_up(world, email, name="Somebody Else")
        assert waits(world, email), was
        page = decision_page(world, email)
        assert "had this address before" in page
        assert "Disabled" in page
        assert "else.example" not in page, "where they went is theirs"


def test_sec_80_nor_who_has_left(either_world: World) -> None:
    world = either_world
    admit(world)
    sign_up(world, NADIA)
    move_address(world, NADIA, PRIVATE)
    world.run("UPDATE memberships SET status = 'ended' WHERE id = :m", m=member_id(world, PRIVATE))
    sign_up(world, NADIA)
    assert waits(world, NADIA)
    assert "Ended" in decision_page(world, NADIA)


def test_sec_80_nor_who_was_refused(either_world: World) -> None:
    world = either_world
    verify_domain(world)
    sign_up(world, NADIA)
    [(request_id,)] = world.run("SELECT id FROM join_requests")
    with administering(world) as admin:
        letting_in.refuse(admin, request_id, "Not one of us")
    move_address(world, NADIA, PRIVATE)
    state(world, **ADMITTED)
    sign_up(world, NADIA)
    assert waits(world, NADIA)
    assert "Refused" in decision_page(world, NADIA)


def test_who_had_the_address_elsewhere_is_nothing_to_the_company(either_world: World) -> None:
    """A member of Harbor alone, by an address at Northwind's domain."""
    world = either_world
    move_address(world, HANA, NADIA)
    admit(world)
    move_address(world, NADIA, PRIVATE)
    sign_up(world, NADIA)
    assert memberships_of(world, NADIA) == [IN]


def test_sec_84_the_log_says_what_somebody_who_came_by_themselves_got(either_world: World) -> None:
    world = either_world
    admit(world)
    sign_up(world, NADIA)
    sign_up(world, "freda@fresh.example")
    sign_up_done = world.audit("sign_up.done")
    assert [(e["way"], e["after"]) for e in sign_up_done] == [
        ("admitted", ["agent"]),
        ("founder", ["account_admin"]),
    ]
    made = [event["membership"] for event in sign_up_done]
    assert made[0] == member_id(world, NADIA)
    [(founders,)] = world.run(
        "SELECT m.id FROM memberships m JOIN users u ON u.id = m.user_id"
        " WHERE u.email = 'freda@fresh.example'"
    )
    assert made[1] == founders
    state(world)
    sign_up(world, "late@northwind.example")
    last = world.audit("sign_up.done")[-1]
    assert (last["way"], last["membership"], last["after"]) == ("approval", None, [])


def test_sec_84_whoever_manages_people_hears_who_was_admitted(either_world: World) -> None:
    world = either_world
    admit(world)
    sign_up(world, NADIA)
    [letter] = [each for each in mail_for(world, AMARA) if each["template"] == "join/admitted"]
    assert letter["url"].endswith(f"/manage/northwind/people/{member_id(world, NADIA)}")
    for email in (DANA, HANA, NADIA):
        assert not [e for e in mail_for(world, email) if e["template"] == "join/admitted"]
    [event] = world.audit("join.admitted")
    assert event["membership"] == member_id(world, NADIA)


def test_sec_79_a_token_without_people_admits_nobody(either_world: World) -> None:
    world, path = either_world, "/tenants/northwind/sign-up-policy"
    stated = {"sign_up": "admitted", "role": "agent"}
    assert person(world, scope="policy.manage").change("PUT", path, stated).status_code == 403
    both = person(world, scope="policy.manage people.manage")
    assert both.change("PUT", path, stated).status_code == 200


def test_the_api_tells_which_domains_admit_and_a_new_one_counts_as_a_change(
    either_world: World,
) -> None:
    world, path = either_world, "/tenants/northwind/sign-up-policy"
    verify_domain(world)
    caller, stated = person(world), {"sign_up": "admitted", "role": "agent"}
    assert caller.change("PUT", path, stated).status_code == 200
    seen = caller.get(path)
    before = {"name": "northwind.example", "admits": True, "doubt": None}
    assert (seen.json or {})["domains"] == [before]
    world.clock.move(5)
    verify_domain(world, "later.example", at=world.clock())
    assert (caller.get(path).json or {})["domains"] == [
        {"name": "later.example", "admits": False, "doubt": None},
        before,
    ]
    assert caller("PUT", path, stated, If_Match=seen.headers["ETag"]).status_code == 412
    assert caller.change("PUT", path, stated).status_code == 200
    assert all(each["admits"] for each in (caller.get(path).json or {})["domains"])
