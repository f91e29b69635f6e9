"""A person's history: what happened to them in one company, to whoever may read that."""

from __future__ import annotations

import re
from typing import Any

import pytest

from idp import audit
from idp.audit import Origin
from idp.directory import history
from idp.directory.acting import Forbidden, NotFound
from idp.directory.paging import CursorRefused
from tests.console.calling import person, tenants_machine
from tests.console.people_of import (
    add_clerk,
    address,
    administration,
    company,
    member_id,
    user_id,
)
from tests.console.test_api import is_problem
from tests.world import AMARA, BEN, DANA, HANA, PRIYA, START, World

PLACE = Origin("198.51.100.7", "the-request", "")
EVENTS = 12  # of Priya's in northwind
KINDS = ("person.disabled", "person.enabled", "tenant.chosen")


@pytest.fixture
def told(either_world: World) -> World:
    """Priya, who is in both companies, was changed by others in both and chose between them; Dana
    was changed once, and Amara did other things."""
    amara, priya, dana = (user_id(either_world, email) for email in (AMARA, PRIYA, DANA))
    with either_world.held.database.transaction() as db:

        def record(tag: str, slug: str, number: int, actor: str, **more: Any) -> None:
            tenant = company(either_world, slug).id
            at = START + number
            audit.record(db, tag, at, PLACE, actor=actor, tenant=tenant, number=number, **more)

        for number in range(EVENTS):
            tag = KINDS[number % 3]
            whom = {} if tag == "tenant.chosen" else {"person": priya}
            record(tag, "northwind", number, amara if whom else priya, **whom)
        record("person.disabled", "northwind", 100, amara, person=dana)
        record("role.changed", "northwind", 101, priya)
        record("person.disabled", "harbor", 102, user_id(either_world, HANA), person=priya)
    either_world.clock.move(1000)
    return either_world


def read(world: World, email: str, slug: str = "northwind", **asked: Any) -> history.Page:
    with administration(world, slug) as admin:
        member = member_id(world, email, slug)
        return history.of_person(admin, world.held.secret_keys, member, **asked)


def numbers(page: history.Page) -> list[Any]:
    return [each.entry.detail["number"] for each in page.events]


def test_a_history_is_of_one_person_in_one_company_whoever_did_it(told: World) -> None:
    assert numbers(read(told, PRIYA)) == list(range(EVENTS - 1, -1, -1))
    assert numbers(read(told, DANA)) == [100]
    assert numbers(read(told, AMARA)) == []
    assert numbers(read(told, PRIYA, "harbor")) == [102]
    pages = [read(told, PRIYA, size=5)]
    while pages[-1].next:
        pages.append(read(told, PRIYA, size=5, cursor=pages[-1].next))
    assert [numbers(page) for page in pages] == [[11, 10, 9, 8, 7], [6, 5, 4, 3, 2], [1, 0]]


def test_who_may_not_read_it_gets_nothing(told: World) -> None:
    cursor = read(told, PRIYA, size=5).next or ""
    with administration(told) as admin:
        of_log = history.events(admin, told.held.secret_keys, history.Wanted(), size=5).next or ""
    asks = (
        (DANA, "northwind", cursor),
        (PRIYA, "harbor", cursor),
        *((PRIYA, "northwind", wrong) for wrong in (of_log, "5", "x" * 5000)),
    )
    for email, slug, wrong in asks:
        with pytest.raises(CursorRefused):
            read(told, email, slug, cursor=wrong)
    priya = member_id(told, PRIYA)
    for may in (frozenset({"people.read"}), frozenset({"audit.read"}), frozenset[str]()):
        with administration(told, may=may) as admin, pytest.raises(Forbidden):
            history.of_person(admin, told.held.secret_keys, priya)
    with administration(told, "harbor") as admin, pytest.raises(NotFound):
        history.of_person(admin, told.held.secret_keys, priya)


def test_the_person_s_page_has_the_latest_and_another_all_of_it(told: World) -> None:
    browser, place = told.browser(), address(told, PRIYA)
    shown = re.compile(r'<a href="/manage/northwind/audit/([^"]+)">')
    page = browser.enter(place)
    assert len(shown.findall(page.text)) == 5
    assert f'href="{place}/history"' in page.text
    all_of_it = browser.get(f"{place}/history")
    assert len(shown.findall(all_of_it.text)) == EVENTS
    assert browser.get(f"/manage/northwind/audit/{shown.findall(page.text)[0]}").status_code == 200
    assert browser.get(f"{place}/history?after=forged").status_code == 400
    nothing = browser.get(address(told, BEN)).text
    assert "Nothing has been done with this person here yet." in nothing
    assert shown.findall(nothing) == []


def test_who_looks_after_people_and_may_not_read_the_log_sees_no_history(told: World) -> None:
    add_clerk(told, BEN)
    browser, place = told.browser(), address(told, PRIYA)
    page = browser.enter(place, BEN)
    assert page.status_code == 200
    assert "/audit/" not in page.text
    assert browser.get(f"{place}/history").status_code == 403


def test_the_api_tells_the_same(told: World) -> None:
    caller = tenants_machine(told)
    path = f"/tenants/northwind/people/{member_id(told, PRIYA)}/history"
    first = caller.get(f"{path}?limit=10").json or {}
    rest = caller.get(f"{path}?limit=10&cursor={first['next']}").json or {}
    items = [item["detail"]["number"] for item in (*first["items"], *rest["items"])]
    assert items == list(range(EVENTS - 1, -1, -1))
    assert first["items"][0]["actor_email"] in (AMARA, PRIYA)
    is_problem(person(told, scope="people.read").get(path), 403)
    is_problem(person(told, scope="audit.read").get(path), 403)
    theirs = f"/tenants/harbor/people/{member_id(told, PRIYA, 'harbor')}/history"
    is_problem(caller.get(theirs), 404)
    is_problem(
        caller.get(f"/tenants/northwind/people/{member_id(told, HANA, 'harbor')}/history"), 404
    )
