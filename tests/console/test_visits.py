"""Operators act for a tenant: for a reason, for a while, seen by it, and never otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory.acting import Forbidden, Mistake, NotFound, RecentSignInNeeded
from idp.directory.roles import TOP_RANK
from idp.operators import tenants, visits
from tests.console.administering import administering
from tests.console.operations import operation, operator, send, user_id
from tests.console.people_of import letters
from tests.world import AMARA, BEN, HANA, OLU, Visitor, World

WHY = "Ticket 4711: their only admin is on leave"
BANNER = "You are acting for Northwind Lending."


def begin(world: World, browser: Visitor, minutes: str = "15", reason: str = WHY) -> Any:
    path = "/operate/tenants/northwind/visit"
    return send(browser, path, minutes=minutes, reason=reason)


def begun(world: World, minutes: int = 15) -> str:
    with operation(world) as opened:
        visit = visits.begin(opened, tenants.get_tenant(opened, "northwind"), WHY, minutes)
        return visit.id


def test_an_operator_is_let_in_for_a_reason_and_only_there(either_world: World) -> None:
    browser = operator(either_world)
    assert browser.get("/manage/northwind").status_code == 404
    page = browser.follow(begin(either_world, browser))
    assert page.request.path == "/manage/northwind"
    for path in ("", "/people", "/visits"):
        assert BANNER in browser.get(f"/manage/northwind{path}").text
    assert browser.get("/manage/harbor").status_code == 404


def test_a_visit_is_over_with_its_time_and_no_job(either_world: World) -> None:
    browser = operator(either_world)
    begin(either_world, browser)
    either_world.clock.move(899)
    assert browser.get("/manage/northwind").status_code == 200
    either_world.clock.move(1)
    assert browser.get("/manage/northwind").status_code == 404


def test_the_operator_ends_a_visit_from_any_page(either_world: World) -> None:
    browser = operator(either_world)
    begin(either_world, browser)
    page = browser.get("/manage/northwind/people")
    ended = browser.submit(page, "/operate/tenants/northwind/visit/end")
    assert "Your visit is over." in browser.follow(ended).text
    assert browser.get("/manage/northwind").status_code == 404
    assert len(either_world.audit("visit.ended")) == 1


def test_an_account_admin_sees_a_visit_and_ends_it_at_once(either_world: World) -> None:
    browser, amara = operator(either_world), either_world.browser()
    begin(either_world, browser)
    page = amara.enter("/manage/northwind/visits", AMARA)
    for told in ("Olu Adeyemi", OLU, WHY, "Goes on"):
        assert told in page.text
    ended = amara.submit(page)
    assert "The visit is over." in amara.follow(ended).text
    assert browser.get("/manage/northwind").status_code == 404
    assert amara.submit(page).status_code == 404  # it is over already


def test_a_second_visit_takes_the_place_of_the_first(either_world: World) -> None:
    browser = operator(either_world)
    begin(either_world, browser, "60")
    begin(either_world, browser, "15")
    assert len(either_world.audit("visit.ended")) == 1
    either_world.clock.move(900)
    assert browser.get("/manage/northwind").status_code == 404


def test_nobody_but_an_account_admin_of_that_tenant_ends_it(either_world: World) -> None:
    visit = begun(either_world)
    with pytest.raises(NotFound), administering(either_world, HANA, "harbor") as admin:
        visits.end_by_tenant(admin, visit)
    with pytest.raises(Forbidden), administering(either_world, BEN) as admin:
        visits.end_by_tenant(admin, visit)
    assert either_world.audit("visit.ended") == []


def test_other_tenants_do_not_see_it(either_world: World) -> None:
    begun(either_world)
    with administering(either_world, HANA, "harbor") as admin:
        assert visits.of_tenant(admin) == []


def test_a_visitor_stands_below_the_account_admins(either_world: World) -> None:
    begun(either_world)
    olu = user_id(either_world, OLU)
    with operation(either_world) as opened:
        visit = visits.find_live(opened.db, "northwind", olu, opened.now)
        assert visit is not None
        actor = visits.visitor(visit, olu, opened.now, opened.catalog.products["console"])
    assert actor.rights.rank == TOP_RANK - 1
    assert not actor.rights.is_unlimited
    assert actor.permissions == opened.catalog.products["console"].permission_keys
    assert actor.rights.nodes == frozenset()  # to hand on


def test_a_visitor_can_not_end_visits_as_the_tenant_does(either_world: World) -> None:
    browser = operator(either_world)
    begin(either_world, browser)
    page = browser.get("/manage/northwind/visits")
    visit = either_world.audit("visit.started")[0]["visit"]
    answer = browser.submit(page, f"/manage/northwind/visits/{visit}/end")
    assert answer.status_code == 403


def test_the_account_admins_are_mailed_who_why_and_until_when(either_world: World) -> None:
    begun(either_world)
    (letter,) = letters(either_world)
    assert (letter["to"], letter["by"]) == (AMARA, "Olu Adeyemi")
    assert (letter["reason"], letter["until"]) == (WHY, either_world.clock() + 900)


def test_what_is_done_in_a_visit_says_so_in_the_tenants_audit_log(either_world: World) -> None:
    begun(either_world)
    started = either_world.audit("visit.started")[0]
    assert (started["actor"], started["reason"]) == (user_id(either_world, OLU), WHY)
    with operation(either_world) as opened:
        visit = visits.find_live(opened.db, "northwind", started["actor"], opened.now)
    assert visit is not None
    with administering(either_world) as admin:
        console = admin.catalog.products["console"]
        actor = visits.visitor(visit, started["actor"], admin.now, console)
        type(admin)(
            actor,
            admin.tenant,
            admin.catalog,
            admin.database,
            admin.rows,
            admin.db,
            admin.now,
            admin.origin,
        ).record("tenant.resumed")
    assert either_world.audit("tenant.resumed")[0]["visit"] == started["visit"]


@pytest.mark.parametrize(
    ("reason", "minutes", "field"),
    [("", 15, "reason"), ("too short", 15, "reason"), ("x" * 501, 15, "reason")]
    + [(WHY, minutes, "minutes") for minutes in (0, -15, 14, 61, 10_000)],
)
def test_a_visit_wants_a_reason_and_a_limit(
    either_world: World, reason: str, minutes: int, field: str
) -> None:
    with pytest.raises(Mistake) as refused, operation(either_world) as opened:
        visits.begin(opened, tenants.get_tenant(opened, "northwind"), reason, minutes)
    assert list(refused.value.errors) == [field]
    assert either_world.audit("visit.started") == []


def test_what_was_typed_stays(world: World) -> None:
    answer = begin(world, operator(world), reason="<i>short")
    assert answer.status_code == 422
    assert "&lt;i&gt;short</textarea>" in answer.text


def test_a_visit_wants_a_recent_sign_in_the_right_and_a_person(either_world: World) -> None:
    refusals: list[tuple[type[Exception], dict[str, Any]]] = [
        (RecentSignInNeeded, {"auth_time": either_world.clock() - 901}),
        (Forbidden, {"permissions": frozenset({"tenants.manage"}), "user_id": None}),
    ]
    for refusal, changed in refusals:
        with pytest.raises(refusal), operation(either_world, **changed) as opened:
            visits.begin(opened, tenants.get_tenant(opened, "northwind"), WHY, 15)
    with operation(either_world) as opened:
        tenant = tenants.get_tenant(opened, "northwind")
    with (
        pytest.raises(Forbidden),
        operation(either_world, permissions=frozenset({"keys.manage"})) as opened,
    ):
        visits.begin(opened, tenant, WHY, 15)
    assert either_world.audit("visit.started") == []


def test_nobody_visits_a_tenant_that_is_not_active(either_world: World) -> None:
    browser = operator(either_world)
    begin(either_world, browser)
    with operation(either_world) as opened:
        tenant = tenants.get_tenant(opened, "northwind")
        tenants.suspend(opened, tenant)
        opened.rows.refresh(tenant)
        with pytest.raises(Mistake):
            visits.begin(opened, tenant, WHY, 15)
    assert browser.get("/manage/northwind").status_code == 404


@pytest.mark.parametrize("change", ["is_operator = false", "status = 'disabled'"])
def test_a_visit_ends_with_being_an_operator(either_world: World, change: str) -> None:
    browser = operator(either_world)
    begin(either_world, browser)
    either_world.run(f"UPDATE users SET {change} WHERE is_operator")
    assert browser.get("/manage/northwind").status_code != 200


def test_a_visitor_who_signed_in_long_ago_signs_in_again_and_comes_back(world: World) -> None:
    browser = operator(world)
    world.clock.move(880)
    begin(world, browser, "60")
    world.clock.move(60)
    away = browser.get("/operate/tenants/northwind/visit")
    assert away.headers["Location"].startswith("/authorize?attempt=")
    page = browser.enter("/operate/tenants/northwind/visit", OLU)
    assert page.request.path == "/operate/tenants/northwind/visit"
    assert browser.get("/manage/northwind").status_code == 200


def test_the_mail_can_be_read(world: World) -> None:
    from idp.app import create_pages
    from idp.web import letters as writing

    begun(world)
    (payload,) = letters(world)
    letter = writing.write(create_pages(world.held), payload)
    assert letter.subject.startswith("Olu Adeyemi acts for Northwind Lending until ")
    assert WHY in letter.body
    spanish = writing.write(create_pages(world.held), {**payload, "locale": "es"})
    assert "actúa en nombre de" in spanish.subject
