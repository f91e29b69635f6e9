"""An operator visits a company at the API: begun and ended by a person's token, and while it lasts
that client's tokens are good there, marked and seen by the company."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory.acting import RECENT
from tests.console.calling import Caller, nobody, person, platforms_machine
from tests.console.operations import operator, send, user_id
from tests.console.operators_tokens import (
    DESK,
    NODES,
    OTHER,
    make_operator,
    operators_app,
    register,
    signed_in,
    touch,
)
from tests.console.people_of import letters, member_id
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.world import AMARA, BEN, HANA, OLU, World, claims_of

VISITS = "/platform/tenants/northwind/visits"
NORTHWIND = "/tenants/northwind"
WHY = "Ticket 4711: their only admin is on leave"
NEW = {"reason": WHY, "minutes": 15}


@pytest.fixture
def olu(either_world: World) -> Caller:
    return operators_app(either_world)


def begun(caller: Caller, **changed: Any) -> str:
    return str(told(caller.post(VISITS, {**NEW, **changed}), 201)["id"])


def is_inside(caller: Caller) -> bool:
    answer = caller.get(f"{NORTHWIND}/people")
    assert answer.status_code in (200, 404), answer.text
    return bool(answer.status_code == 200)


def test_a_visit_opens_one_company_for_a_while(olu: Caller) -> None:
    for slug in ("northwind", "harbor", "nowhere"):
        is_problem(olu.get(f"/tenants/{slug}"), 404)
    made = olu.post(VISITS, NEW, Idempotency_Key="k")
    seen = told(made, 201)
    assert (seen["operator"], seen["email"], seen["reason"]) == ("Olu Adeyemi", OLU, WHY)
    assert (seen["is_live"], made.headers["Location"]) == (True, f"/api/v1{VISITS}/{seen['id']}")
    assert told(olu.post(VISITS, NEW, Idempotency_Key="k"), 201) == seen
    assert told(olu.get(VISITS))["items"] == [told(olu.get(f"{VISITS}/{seen['id']}"))] == [seen]
    assert told(olu.get(NORTHWIND))["slug"] == "northwind"
    assert is_inside(olu)
    is_problem(olu.get("/tenants/harbor"), 404)
    olu.world.clock.move(899)
    assert is_inside(operators_app_again(olu))
    olu.world.clock.move(1)
    assert not is_inside(operators_app_again(olu))


def operators_app_again(olu: Caller) -> Caller:
    """A newer token by the same client, since they live for minutes."""
    given = signed_in(olu.world.browser())
    return Caller(olu.world, given["access_token"])


def test_the_operator_ends_it_at_once(olu: Caller) -> None:
    visit = begun(olu)
    assert is_inside(olu)
    assert olu.post(f"{VISITS}/{visit}/end").status_code == 204
    assert not is_inside(olu)
    is_problem(olu.post(f"{VISITS}/{visit}/end"), 404)
    assert told(olu.get(f"{VISITS}/{visit}"))["is_live"] is False
    [event] = olu.world.audit("visit.ended")
    assert (event["actor"], event["client"]) == (user_id(olu.world, OLU), DESK)


def test_an_account_admin_sees_it_and_ends_it_at_once(olu: Caller) -> None:
    visit, amara = begun(olu), person(olu.world, AMARA)
    [seen] = told(amara.get(f"{NORTHWIND}/visits"))["items"]
    assert (seen["id"], seen["operator"], seen["reason"]) == (visit, "Olu Adeyemi", WHY)
    [letter] = [each for each in letters(olu.world) if each.get("reason") == WHY]
    assert letter["to"] == AMARA
    assert amara.post(f"{NORTHWIND}/visits/{visit}/end").status_code == 204
    assert not is_inside(olu)


def test_what_is_done_in_a_visit_says_so_in_the_companys_audit_log(olu: Caller) -> None:
    visit = begun(olu)
    told(olu.post(f"{NORTHWIND}/roles", {"name": "Auditor"}), 201)
    [event] = olu.world.audit("role.made")
    who = (event["actor"], event["client"], event["visit"])
    assert who == (user_id(olu.world, OLU), DESK, visit)
    mine = told(person(olu.world, AMARA).get(f"{NORTHWIND}/audit-events"))["items"]
    assert {"role.made", "visit.started"} <= {each["tag"] for each in mine}
    assert "tenant" not in claims_of(olu.token)


def test_a_visitor_is_below_the_account_admins_and_hands_on_nothing(olu: Caller) -> None:
    visit = begun(olu)
    amara, ben = (member_id(olu.world, each) for each in (AMARA, BEN))
    console_role = {"name": "Back door", "permissions": ["console/people.manage"]}
    tried: list[tuple[str, Any]] = [
        (f"{NORTHWIND}/people/{amara}/disable", None),
        (f"{NORTHWIND}/visits/{visit}/end", None),
        (f"{NORTHWIND}/invitations", {"email": "x@y.example", "roles": ["account_admin"]}),
    ]
    for path, body in tried:
        is_problem(olu.post(path, body), 403)
    assert olu.post(f"{NORTHWIND}/roles", console_role).status_code in (403, 422)
    assert olu.world.run("SELECT count(*) FROM roles WHERE name = 'Back door'") == [(0,)]
    assert olu.post(f"{NORTHWIND}/people/{ben}/disable").status_code == 204


def test_a_visit_is_good_where_it_was_begun_and_nowhere_else(olu: Caller) -> None:
    """Not for another client's token, nor for a page; the console's is no token's."""
    world = olu.world
    begun(olu)
    other = operators_app(world, client_id=OTHER)
    browser = operator(world)
    assert not is_inside(other)
    assert told(other.get(VISITS))["items"] == []
    assert browser.get("/manage/northwind").status_code == 404
    assert is_inside(operators_app_again(olu))
    path = "/operate/tenants/northwind/visit"
    browser.follow(send(browser, path, minutes="15", reason=WHY))
    assert browser.get("/manage/northwind").status_code == 200
    assert not is_inside(olu), "one at a time"
    assert not is_inside(other)


def test_a_colleagues_visit_is_not_ones_own(olu: Caller) -> None:
    make_operator(olu.world, HANA)
    hana, visit = operators_app(olu.world, HANA), begun(olu)
    assert not is_inside(hana)
    assert told(hana.get(VISITS))["items"] == []
    is_problem(hana.get(f"{VISITS}/{visit}"), 404)
    is_problem(hana.post(f"{VISITS}/{visit}/end"), 404)
    is_problem(olu.post(f"/platform/tenants/harbor/visits/{visit}/end"), 404)
    assert is_inside(olu)


def test_a_second_visit_takes_the_place_of_the_first(olu: Caller) -> None:
    first = begun(olu, minutes=60)
    begun(olu, minutes=15)
    assert told(olu.get(f"{VISITS}/{first}"))["is_live"] is False
    assert len(olu.world.audit("visit.ended")) == 1


def test_a_program_has_no_visits(olu: Caller) -> None:
    visit, program = begun(olu), platforms_machine(olu.world)
    is_problem(program.post(VISITS, NEW), 403)
    is_problem(program.post(f"{VISITS}/{visit}/end"), 403)
    is_problem(program.get(f"{VISITS}/{visit}"), 404)
    assert told(program.get(VISITS))["items"] == []
    is_problem(program.get(NORTHWIND), 401)
    assert is_inside(olu)


def test_nobody_else_begins_one(either_world: World) -> None:
    narrow = operators_app(either_world, scope="operators.manage access.decide platform.audit")
    is_problem(narrow.post(VISITS, NEW), 403)
    for caller in (person(either_world, AMARA), nobody(either_world)):
        is_problem(caller.post(VISITS, NEW), 401)
    assert either_world.run("SELECT count(*) FROM operator_visits") == [(0,)]


def test_a_token_without_the_permission_acts_in_no_visit(olu: Caller) -> None:
    begun(olu)
    narrow = operators_app(olu.world, scope="platform.health access.decide")
    answer = narrow.get(NORTHWIND)
    assert is_problem(answer, 403)["code"] == "insufficient_scope"
    assert is_inside(olu)


def test_what_can_not_be_taken_is_refused_by_its_field(olu: Caller) -> None:
    for changed, field in (
        ({"reason": ""}, "reason"),
        ({"reason": "too short"}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 61}, "minutes"),
        ({"minutes": "15"}, "minutes"),
        ({"until": 9}, "until"),
    ):
        refused = is_problem(olu.post(VISITS, {**NEW, **changed}), 422)
        assert list(refused["errors"]) == [field], changed
    is_problem(olu.post("/platform/tenants/nowhere/visits", NEW), 404)
    assert olu.world.run("SELECT count(*) FROM operator_visits") == [(0,)]


def test_an_old_sign_in_begins_none_and_changes_little_in_one(olu: Caller) -> None:
    begun(olu, minutes=60)
    olu.world.run("UPDATE grants SET shown_at = shown_at - :t", t=RECENT + 5)
    ben = member_id(olu.world, BEN)
    for path, body in ((VISITS, NEW), (f"{NORTHWIND}/people/{ben}/disable", None)):
        answer = olu.post(path, body)
        assert is_problem(answer, 401)["code"] == "insufficient_user_authentication"
    assert is_inside(olu)


def suspended(olu: Caller) -> None:
    told(olu.post("/platform/tenants/northwind/suspend"))


def no_operator(olu: Caller) -> None:
    make_operator(olu.world, AMARA)
    make_operator(olu.world, OLU, operator=False)


def no_node(olu: Caller) -> None:
    register(olu.world, scope=f"openid {NODES.replace('tenants.manage ', '')}")


def no_client(olu: Caller) -> None:
    olu.world.run("UPDATE clients SET status = 'disabled' WHERE client_id = :c", c=DESK)
    touch(olu.world)


@pytest.mark.parametrize("what", [suspended, no_operator, no_node, no_client])
def test_a_visit_ends_with_whatever_it_rests_on(olu: Caller, what: Any) -> None:
    begun(olu)
    assert is_inside(olu)
    what(olu)
    assert olu.get(f"{NORTHWIND}/people").status_code in (401, 403, 404)


def test_nobody_visits_a_company_that_is_suspended(olu: Caller) -> None:
    suspended(olu)
    refused = is_problem(olu.post(VISITS, NEW), 422)
    assert list(refused["errors"]) == ["reason"]
