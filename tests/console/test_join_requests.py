"""Who waits to be let in: by whom they are, with what, once (product.md S5)."""

from __future__ import annotations

import pytest

from idp.directory import letting_in
from idp.directory.acting import RECENT, Forbidden, Mistake, NotFound, RecentSignInNeeded
from tests.console.administering import administering, with_roles
from tests.console.calling import person, tenants_machine
from tests.mailed import NEW, mail_for
from tests.signing_up import (
    NADIA,
    ask_for,
    is_somebody,
    memberships_of,
    requests_of,
    sign_up,
    verify_domain,
)
from tests.world import AMARA, DANA, HANA, PASSWORD, Visitor, World

QUEUE = "/manage/northwind/join-requests"
API = "/tenants/northwind/join-requests"
IN = [("Northwind Lending", "staff", "active", "agent")]


@pytest.fixture
def waiting(either_world: World) -> World:
    verify_domain(either_world)
    sign_up(either_world, NADIA, name="Nadia New")
    return either_world


def the_request(world: World) -> str:
    ((found,),) = world.run("SELECT id FROM join_requests")
    return str(found)


def opens(world: World, browser: Visitor | None = None) -> int:
    return (browser or world.browser()).sign_in(NADIA, NEW, "lms").status_code


def test_an_admin_lets_somebody_in_with_roles(waiting: World) -> None:
    browser = waiting.browser()
    queue = browser.enter(QUEUE)
    assert NADIA in queue.text
    page = browser.get(f"{QUEUE}/{the_request(waiting)}")
    assert "Nadia New" in page.text
    done = browser.submit(
        page, f"{QUEUE}/{the_request(waiting)}/approve", kind="staff", role="agent"
    )
    assert done.status_code == 303
    assert "They are in" in browser.follow(done).text
    assert (memberships_of(waiting, NADIA), requests_of(waiting, NADIA)) == (IN, ["approved"])
    assert opens(waiting) == 303
    [event] = waiting.audit("join.approved")
    assert event["after"] == ["agent"]
    assert mail_for(waiting, NADIA)[-1]["template"] == "join/approved"
    people = browser.get("/manage/northwind/people?search=nadia")
    assert NADIA in people.text


def test_an_admin_refuses_with_a_reason_that_is_mailed(waiting: World) -> None:
    browser = waiting.browser()
    browser.enter(QUEUE)
    page = browser.get(f"{QUEUE}/{the_request(waiting)}")
    where = f"{QUEUE}/{the_request(waiting)}/refuse"
    for reason in ("", "  ", "x" * 1001):
        answer = browser.submit(page, where, reason=reason)
        assert answer.status_code == 422
        assert 'id="reason-error"' in answer.text
    assert requests_of(waiting, NADIA) == ["waiting"]
    assert browser.submit(page, where, reason="Not one of us <b>").status_code == 303
    assert (memberships_of(waiting, NADIA), requests_of(waiting, NADIA)) == ([], ["refused"])
    letter = mail_for(waiting, NADIA)[-1]
    assert (letter["template"], letter["reason"]) == ("join/refused", "Not one of us <b>")
    assert is_somebody(waiting, NADIA)
    refused = waiting.browser().sign_in(NADIA, NEW, "payments")
    assert refused.status_code == 403
    assert "let you in first" not in refused.text


def test_who_was_refused_can_be_invited(waiting: World) -> None:
    request_id = the_request(waiting)
    with administering(waiting) as admin:
        letting_in.refuse(admin, request_id, "Ask me first")
    waiting.clock.move(61)
    ask_for(waiting, NADIA)
    assert "sign_up_known" in [each["template"] for each in mail_for(waiting, NADIA)]
    browser = waiting.browser()
    form = browser.enter("/manage/northwind/invitations/new")
    assert browser.submit(form, email=NADIA, kind="staff", role="agent").status_code == 303


def test_who_has_come_in_meanwhile_stays_as_they_are(waiting: World) -> None:
    member = {
        "email": NADIA,
        "name": "Nadia New",
        "memberships": [{"tenant": "northwind", "roles": ["agent"]}],
    }
    waiting.apply(users=[member])
    request_id = the_request(waiting)
    with administering(waiting) as admin:
        assert letting_in.approve(admin, request_id, "customer", []) is None
    assert memberships_of(waiting, NADIA) == IN
    assert waiting.audit("join.approved")[0]["membership"] is None


def test_a_decision_is_made_once(waiting: World) -> None:
    request_id, browser = the_request(waiting), waiting.browser()
    browser.enter(QUEUE)
    page = browser.get(f"{QUEUE}/{request_id}")
    with administering(waiting) as admin:
        letting_in.refuse(admin, request_id, "No")
    late = browser.submit(page, f"{QUEUE}/{request_id}/approve", kind="staff", role="agent")
    assert late.status_code == 422
    assert "has decided about this meanwhile" in late.text
    assert browser.get(f"{QUEUE}/{request_id}").status_code == 422
    assert memberships_of(waiting, NADIA) == []
    with administering(waiting) as admin:
        assert letting_in.waiting(admin, waiting.held.secret_keys).requests == []


@pytest.mark.parametrize(
    ("kind", "role", "field"), [("boss", "agent", "kind"), ("staff", "nothing", "roles")]
)
def test_what_can_not_be_given_is_refused(waiting: World, kind: str, role: str, field: str) -> None:
    browser = waiting.browser()
    browser.enter(QUEUE)
    where = f"{QUEUE}/{the_request(waiting)}"
    answer = browser.submit(browser.get(where), f"{where}/approve", kind=kind, role=role)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert requests_of(waiting, NADIA) == ["waiting"]


def test_nobody_lets_in_without_the_right_or_above_their_own(waiting: World) -> None:
    request_id = the_request(waiting)
    with_roles(waiting, DANA, {"reader": {"permissions": {"console": ["people.read"]}}})
    assert waiting.browser().enter(QUEUE, DANA).status_code == 403
    with administering(waiting, DANA) as admin:
        for act in (
            lambda: letting_in.waiting(admin, waiting.held.secret_keys),
            lambda: letting_in.one(admin, request_id),
            lambda: letting_in.approve(admin, request_id, "staff", []),
            lambda: letting_in.refuse(admin, request_id, "No"),
        ):
            with pytest.raises(Forbidden):
                act()
    keeper = {"permissions": {"console": ["people.read", "people.manage"]}, "rank": 5}
    with_roles(waiting, DANA, {"keeper": keeper})
    with administering(waiting, DANA) as admin, pytest.raises(Forbidden):
        letting_in.approve(admin, request_id, "staff", ["account_admin"])
    assert requests_of(waiting, NADIA) == ["waiting"]
    assert memberships_of(waiting, NADIA) == []
    with administering(waiting, DANA) as admin:
        assert letting_in.approve(admin, request_id, "staff", []) is not None


def test_another_company_has_no_such_request(waiting: World) -> None:
    request_id, browser = the_request(waiting), waiting.browser()
    browser.enter("/manage/harbor/join-requests", HANA)
    assert browser.get(f"/manage/harbor/join-requests/{request_id}").status_code == 404
    with administering(waiting, HANA, "harbor") as admin:
        with pytest.raises(NotFound):
            letting_in.approve(admin, request_id, "staff", [])
        with pytest.raises(NotFound):
            letting_in.refuse(admin, request_id, "No")
    assert requests_of(waiting, NADIA) == ["waiting"]


def test_a_sign_in_that_is_not_recent_decides_nothing(waiting: World) -> None:
    request_id = the_request(waiting)
    with administering(waiting) as admin:
        old = type(admin)(**{**admin.__dict__, "now": admin.now + RECENT + 1})
        with pytest.raises(RecentSignInNeeded):
            letting_in.approve(old, request_id, "staff", [])
        with pytest.raises(RecentSignInNeeded):
            letting_in.refuse(old, request_id, "No")


def test_nobody_lets_themselves_in(waiting: World) -> None:
    waiting.run(
        "UPDATE join_requests SET user_id = (SELECT id FROM users WHERE email = :e)", e=AMARA
    )
    request_id = the_request(waiting)
    with administering(waiting) as admin, pytest.raises(Forbidden):
        letting_in.approve(admin, request_id, "staff", [])


def test_whoever_manages_people_is_told_and_nobody_else(either_world: World) -> None:
    world = either_world
    keeper = {"permissions": {"console": ["people.read", "people.manage"]}}
    with_roles(world, DANA, {"keeper": keeper})
    verify_domain(world)
    sign_up(world, NADIA)
    for email, letters in ((AMARA, 1), (DANA, 1), (HANA, 0), (NADIA, 0)):
        told = [each for each in mail_for(world, email) if each["template"] == "join/asked"]
        assert len(told) == letters, email


def test_the_queue_is_in_the_order_of_waiting_and_in_parts(either_world: World) -> None:
    world = either_world
    verify_domain(world)
    for number in range(3):
        sign_up(world, f"new-{number}@northwind.example")
        world.clock.move(5)
    with administering(world) as admin:
        keys = world.held.secret_keys
        first = letting_in.waiting(admin, keys, size=2)
        assert [each.email[:5] for each in first.requests] == ["new-0", "new-1"]
        rest = letting_in.waiting(admin, keys, first.next or "", size=2)
        assert [each.email[:5] for each in rest.requests] == ["new-2"]
        assert rest.next is None


def test_the_tenant_that_ends_refuses_who_waits(waiting: World) -> None:
    browser = waiting.browser()
    page = browser.enter("/operate/tenants/northwind/end", "operator@latchkey.example")
    assert browser.submit(page, confirm="Northwind Lending").status_code == 303
    assert requests_of(waiting, NADIA) == ["refused"]
    assert waiting.audit("tenant.evidence_made")[0]["counts"]["join-requests"] == 1
    stranger = waiting.browser().sign_in(NADIA, NEW, "payments")
    assert "let you in first" not in stranger.text


def test_it_is_the_same_at_the_api(waiting: World) -> None:
    caller, request_id = person(waiting), the_request(waiting)
    [told] = caller.get(API).json["items"]  # type: ignore[index]
    assert (told["id"], told["email"], told["name"]) == (request_id, NADIA, "Nadia New")
    may = {"can_be_let_in": True, "is_known_address": False, "doubt": None}
    assert set(told) == {"id", "name", "email", "asked_at", *may}
    assert told.items() >= may.items()
    assert person(waiting, HANA, "harbor").get(API).status_code == 404
    assert person(waiting, scope="people.read").get(API).status_code == 403
    refused = caller.post(f"{API}/{request_id}/refuse", {"reason": ""})
    assert refused.status_code == 422
    done = caller.post(f"{API}/{request_id}/approve", {"roles": ["agent"]})
    assert done.status_code == 200, done.text
    assert memberships_of(waiting, NADIA) == IN
    assert caller.post(f"{API}/{request_id}/refuse", {"reason": "No"}).status_code == 422
    assert caller.get(API).json["items"] == []  # type: ignore[index]


def test_a_program_refuses_by_the_api(waiting: World) -> None:
    caller, request_id = tenants_machine(waiting), the_request(waiting)
    above = caller.post(f"{API}/{request_id}/approve", {"roles": ["account_admin"]})
    assert above.status_code == 403
    assert caller.post(f"{API}/{request_id}/refuse", {"reason": "No"}).status_code == 204
    assert requests_of(waiting, NADIA) == ["refused"]


def test_the_waiting_person_reaches_nothing_of_the_company(waiting: World) -> None:
    browser = waiting.browser()
    account = browser.follow(browser.get("/account"))
    browser.follow(browser.submit(account, email=NADIA, password=NEW))
    for path in ("/manage/northwind", QUEUE, f"{QUEUE}/{the_request(waiting)}"):
        assert browser.follow(browser.get(path)).status_code == 404, path
    assert "Northwind" not in browser.get("/").text
    assert PASSWORD != NEW


def test_mistakes_are_told_by_the_rule_itself(waiting: World) -> None:
    request_id = the_request(waiting)
    with administering(waiting) as admin, pytest.raises(Mistake):
        letting_in.approve(admin, request_id, "boss", [])
