"""Resets that wait for another admin, all of a company's together (product.md N5)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from idp.directory.acting import Forbidden
from idp.directory.paging import CursorRefused
from idp.grants import factor_reset, reset_requests
from tests.console.administering import administering, proven, with_roles
from tests.console.calling import person, tenants_machine
from tests.console.people_of import add_clerk, give_role, letters, member_id, user_id
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.console.test_factor_reset import (
    DAY,
    owned,
    reset,
    second_admin,
    waiting,
    with_second_factor,
)
from tests.console.test_multi_factor import enrolled
from tests.world import AMARA, BEN, DANA, HANA, PRIYA, VICTOR, Visitor, World

QUEUE = "/manage/northwind/factor-resets"
RESETS = "/tenants/northwind/factor-resets"
MANAGES = ("people.read", "people.manage")


@pytest.fixture
def two(either_world: World) -> World:
    """Northwind wants a second admin, and has two."""
    second_admin(either_world)
    give_role(either_world, DANA, "account_admin")
    return either_world


def rows(browser: Visitor) -> list[str]:
    """Whose resets the page lists, and what it offers to do with each."""
    page = browser.get(QUEUE)
    assert page.status_code == 200
    found = re.findall(r"(?s)<tr>\s*<td.*?</tr>", page.text)
    return [re.sub(r"<[^>]+>|\s+", " ", row) for row in found]


def test_a_program_decides_about_no_reset(two: World) -> None:
    enrolled(two, BEN, 5.0)
    asked = reset(two, BEN)
    for decide in (factor_reset.approve, factor_reset.refuse):
        with proven(two, DANA) as admin:
            program = replace(admin, actor=replace(admin.actor, user_id=None, auth_time=None))
            with pytest.raises(Forbidden):
                decide(program, asked.id)
    for decision in ("approve", "refuse"):
        is_problem(tenants_machine(two).post(f"{RESETS}/{asked.id}/{decision}"), 403)
    assert two.run("SELECT status, decided_by FROM factor_resets") == [("waiting", None)]


def test_the_queue_is_for_who_may_decide(two: World) -> None:
    reset(two, BEN)
    with_roles(two, PRIYA, {"reader": {"permissions": {"console": ["people.read"]}}})
    reader = two.browser()
    reader.enter("/manage/northwind", PRIYA)
    assert reader.get(QUEUE).status_code == 403
    overview = reader.get("/manage/northwind").text
    assert "/factor-resets" not in overview
    assert "waits" not in overview
    is_problem(person(two, scope="people.read").get(RESETS), 403)
    with administering(two, PRIYA) as admin:
        assert reset_requests.count(admin) == 0
        with pytest.raises(Forbidden):
            waiting(two, admin)


def test_it_says_who_asked_for_whom_and_until_when(two: World) -> None:
    reset(two, BEN)
    [hers] = rows(with_second_factor(two, AMARA))
    for words in ("Ben", BEN, "Amara Okafor", "in 1 day", "Take it back"):
        assert words in hers
    assert "Approve" not in hers
    other = with_second_factor(two, DANA)
    [theirs] = rows(other)
    assert "Approve" in theirs
    assert "Refuse" in theirs
    assert "1 waits" in other.get("/manage/northwind").text


def test_nobody_is_offered_to_approve_what_they_may_not(two: World) -> None:
    """Ben may reset those below him, and is below Dana."""
    add_clerk(two, BEN)
    reset(two, DANA)
    [row] = rows(with_second_factor(two, BEN))
    assert "Approve" not in row
    assert "Refuse" in row


def test_what_is_decided_lapsed_or_of_somebody_gone_waits_no_more(two: World) -> None:
    for email in (BEN, VICTOR):
        reset(two, email)
        two.clock.move(60)
    assert counted(two) == [BEN, VICTOR]
    status = "UPDATE memberships SET status = :s WHERE id = :m"
    two.run(status, s="ended", m=member_id(two, BEN))
    assert counted(two) == [VICTOR]
    two.run(status, s="active", m=member_id(two, BEN))
    two.clock.move(DAY - 119)
    assert counted(two) == [VICTOR]
    browser = with_second_factor(two, DANA)
    assert browser.submit(browser.get(QUEUE), queue="1").status_code == 303
    assert counted(two) == []


def counted(world: World) -> list[str]:
    """Whose, the longest waiting first."""
    with administering(world, DANA) as admin:
        found = waiting(world, admin)
        assert reset_requests.count(admin) == len(found)
        return found


def test_it_is_told_in_parts(two: World) -> None:
    for email in (BEN, VICTOR):
        reset(two, email)
    keys = two.held.secret_keys
    with administering(two, DANA) as admin:
        first = reset_requests.waiting(admin, keys, size=1)
        second = reset_requests.waiting(admin, keys, first.next or "", size=1)
        assert {first.resets[0].email, second.resets[0].email} == {BEN, VICTOR}
        assert second.next is None
    part = told(person(two, DANA).get(f"{RESETS}?limit=1"))
    assert [each["id"] for each in part["items"]] == [first.resets[0].id]
    with administering(two, HANA, "harbor") as admin, pytest.raises(CursorRefused):
        reset_requests.waiting(admin, keys, first.next or "")


def test_another_companys_resets_wait_elsewhere(two: World) -> None:
    reset(two, BEN)
    browser = two.browser()
    assert BEN not in browser.enter("/manage/harbor/factor-resets", HANA).text
    assert "waits" not in browser.get("/manage/harbor").text


def test_whoever_works_through_it_comes_back_to_it_and_who_asked_is_told(two: World) -> None:
    """Who asked is no account admin."""
    with_roles(two, PRIYA, {"helper": {"permissions": {"console": list(MANAGES)}}})
    asked = []
    for email in (BEN, VICTOR):
        enrolled(two, email, 5.0)
        asked.append(reset(two, email, by=PRIYA).id)
        two.clock.move(1)
    browser = with_second_factor(two, DANA)
    page = browser.get(QUEUE)
    [link, _] = re.findall(r'href="([^"]+/approve[^"]*)"', page.text)
    approval = browser.get(link)
    done = browser.follow(browser.submit(approval))
    assert done.request.path == QUEUE
    assert "Their second factors are gone" in done.text
    assert (owned(two, BEN), owned(two, VICTOR)) == (0, 1)
    refused = browser.follow(browser.submit(done))
    assert "Nothing is reset." in refused.text
    assert "Nothing waits" in refused.text
    decided = two.run("SELECT status, decided_by FROM factor_resets ORDER BY status")
    assert decided == [("approved", user_id(two, DANA)), ("refused", user_id(two, DANA))]
    told_of = {each["template"] for each in letters(two) if each["to"] == PRIYA}
    assert told_of == {"person/second_factors_reset", "person/second_factors_reset_refused"}
    [event] = two.audit("person.second_factors_reset")
    assert (event["request"], event["asked_by"]) == (asked[0], user_id(two, PRIYA))


def test_an_empty_queue_says_what_comes_here(two: World) -> None:
    assert "it waits here for another one" in two.browser().enter(QUEUE).text
    two.run("UPDATE tenants SET policy = '{}'")
    assert "One admin alone resets" in two.browser().enter(QUEUE).text
