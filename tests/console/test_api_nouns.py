"""What the management API does with people, roles and companies, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory.acting import RECENT
from tests.console.calling import Caller, machine, person, platforms_machine, tenants_machine
from tests.console.test_api import is_problem
from tests.storage.crew import threads_at_once
from tests.world import AMARA, BEN, DANA, World

PEOPLE = "/tenants/northwind/people"
ROLES = "/tenants/northwind/roles"
AUDITOR = {"name": "Auditor", "permissions": ["lms/loans.read"]}


@pytest.fixture
def caller(either_world: World) -> Caller:
    return tenants_machine(either_world)


def told(answer: Any, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return dict(answer.json or {})


def found(caller: Caller, email: str) -> dict[str, Any]:
    """Somebody of northwind, as listed."""
    [line] = told(caller.get(f"{PEOPLE}?search={email}"))["items"]
    return dict(line)


def test_people_are_listed_part_by_part(caller: Caller) -> None:
    everybody = told(caller.get(PEOPLE))["items"]
    parts, address = [], f"{PEOPLE}?limit=2"
    following = ""
    while following is not None:
        part = told(caller.get(f"{address}&cursor={following}"))
        parts += part["items"]
        following = part["next"]
    assert parts == everybody
    assert len(everybody) == 6
    assert told(caller.get(f"{PEOPLE}?status=disabled"))["items"] == []
    assert len(told(caller.get(f"{PEOPLE}?role=agent&kind=staff"))["items"]) == 4


def test_a_cursor_is_good_for_its_own_list_alone(caller: Caller) -> None:
    cursor = told(caller.get(f"{PEOPLE}?limit=2"))["next"]
    harbor = tenants_machine(caller.world, "harbor")
    is_problem(harbor.get(f"/tenants/harbor/people?cursor={cursor}"), 400)
    is_problem(caller.get(f"{PEOPLE}?kind=staff&cursor={cursor}"), 400)
    is_problem(caller.get(f"{PEOPLE}?cursor={cursor[:-2]}"), 400)
    unable = machine(caller.world, "northwind-hr", scope="roles.manage")
    is_problem(unable.get(f"{PEOPLE}?cursor={cursor}"), 403)


def test_roles_are_given_and_taken(caller: Caller) -> None:
    address = f"{PEOPLE}/{found(caller, BEN)['id']}"
    assert told(caller.get(address))["roles"] == ["agent"]
    changed = told(caller.change("PUT", f"{address}/roles", {"roles": ["analyst"]}))
    assert changed == {"roles": ["analyst"]} == told(caller.get(f"{address}/roles"))
    assert caller.world.audit("person.roles_changed")[-1]["client"] == "northwind-all"


def test_a_machine_makes_nobody_an_account_admin(caller: Caller) -> None:
    address = f"{PEOPLE}/{found(caller, BEN)['id']}/roles"
    is_problem(caller.change("PUT", address, {"roles": ["account_admin"]}), 403)
    is_problem(caller.change("PUT", address, {"roles": ["no_such_role"]}), 422)
    assert told(caller.get(address)) == {"roles": ["agent"]}


def test_a_person_is_disabled_and_enabled(caller: Caller) -> None:
    address = f"{PEOPLE}/{found(caller, BEN)['id']}"
    his = caller.world.browser().tokens(BEN)["access_token"]
    assert caller.post(f"{address}/disable").status_code == 204
    assert told(caller.get(address))["status"] == "disabled"
    assert caller.world.userinfo(his).status_code == 401
    is_problem(caller.post(f"{address}/disable"), 422)
    assert caller.post(f"{address}/enable").status_code == 204


def test_sessions_are_seen_and_ended(caller: Caller) -> None:
    address = f"{PEOPLE}/{found(caller, BEN)['id']}/sessions"
    browsers = [caller.world.browser() for _ in range(3)]
    for browser in browsers:
        browser.tokens(BEN)
    first, *_others = told(caller.get(address))["items"]
    assert first["products"] == ["lms"]
    assert caller("DELETE", f"{address}/{first['id']}").status_code == 204
    is_problem(caller("DELETE", f"{address}/{first['id']}"), 404)
    assert len(told(caller.get(address))["items"]) == 2
    assert caller("DELETE", address).status_code == 204
    assert told(caller.get(address))["items"] == []


def test_a_role_is_made_seen_changed_and_deleted(caller: Caller) -> None:
    made = caller.post(ROLES, AUDITOR)
    address = ROLES + "/" + told(made, 201)["id"]
    assert made.headers["Location"] == f"/api/v1{address}"
    assert told(caller.get(address)) == told(made, 201)
    more = {"permissions": ["lms/loans.read", "lms/reports.read"], "rank": 20}
    changed = told(caller.change("PATCH", address, more))
    assert (changed["name"], changed["rank"]) == ("Auditor", 20)
    assert changed["permissions"] == more["permissions"]
    assert caller("DELETE", address).status_code == 204
    is_problem(caller.get(address), 404)


def test_what_deleting_a_role_would_do_is_seen_before(caller: Caller) -> None:
    ids = {each["key"]: each["id"] for each in told(caller.get(ROLES))["items"]}
    seen = told(caller.get(f"{ROLES}/{ids['analyst']}/deletion"))
    assert seen["people_count"] == len(seen["people"])
    assert {"name", "email", "products"} == set(
        told(caller.get(f"{ROLES}/{ids['agent']}/deletion"))["people"][0]
    )
    is_problem(caller.get(f"{ROLES}/{ids['account_admin']}/deletion"), 403)
    is_problem(caller.get(f"{ROLES}/none/deletion"), 404)


def test_a_role_is_made_whole_or_not_at_all(caller: Caller) -> None:
    before = told(caller.get(ROLES))
    unheard_of = {**AUDITOR, "permissions": ["lms/loans.read", "lms/nothing"]}
    is_problem(caller.post(ROLES, unheard_of), 422)
    beyond = {**AUDITOR, "permissions": ["platform/keys.manage"]}
    is_problem(caller.post(ROLES, beyond), 422)
    assert told(caller.get(ROLES)) == before
    assert caller.world.audit("role.made") == []


def test_a_change_says_what_it_read(caller: Caller) -> None:
    address = ROLES + "/" + told(caller.post(ROLES, AUDITOR), 201)["id"]
    is_problem(caller("PATCH", address, {"rank": 20}), 428)
    tag = caller.get(address).headers["ETag"]
    changed = caller("PATCH", address, {"rank": 20}, If_Match=tag)
    assert told(changed)["rank"] == 20
    for method in ("PATCH", "DELETE"):
        is_problem(caller(method, address, {"rank": 30}, If_Match=tag), 412)
    again = caller("PATCH", address, {"rank": 30}, If_Match=changed.headers["ETag"])
    assert told(again)["rank"] == 30
    assert caller("DELETE", address, If_Match="*").status_code == 204


def test_of_many_who_read_the_same_one_changes_it(caller: Caller) -> None:
    address = ROLES + "/" + told(caller.post(ROLES, AUDITOR), 201)["id"]
    tag = caller.get(address).headers["ETag"]

    def change(number: int) -> int:
        name = {"name": f"Auditor {number}"}
        return caller("PATCH", address, name, If_Match=tag).status_code

    answers = threads_at_once(change, threads=8)
    assert sorted(answers) == [200] + [412] * 7


def test_what_is_sent_again_under_its_key_is_done_once(caller: Caller) -> None:
    first = caller.post(ROLES, AUDITOR, Idempotency_Key="a-1")
    again = caller.post(ROLES, AUDITOR, Idempotency_Key="a-1")
    assert told(first, 201) == told(again, 201)
    assert first.headers["Location"] == again.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(caller.world.audit("role.made")) == 1
    other = {**AUDITOR, "name": "Another"}
    assert is_problem(caller.post(ROLES, other, Idempotency_Key="a-1"), 422)["code"] == (
        "idempotency_key_reused"
    )
    is_problem(caller.post(ROLES, other, Idempotency_Key="ü"), 422)
    told(caller.post(ROLES, other, Idempotency_Key="a-2"), 201)


def test_twenty_at_once_make_one(caller: Caller) -> None:
    def make(_number: int) -> tuple[int, str]:
        answer = caller.post(ROLES, AUDITOR, Idempotency_Key="once")
        return answer.status_code, answer.text

    answers = set(threads_at_once(make, threads=20))
    assert [status for status, _ in answers] == [201]
    assert len(caller.world.audit("role.made")) == 1


def test_a_key_is_its_clients_own_and_waits_for_no_refusal(caller: Caller) -> None:
    taken = {**AUDITOR, "name": "Analyst"}
    is_problem(caller.post(ROLES, taken, Idempotency_Key="k"), 422)
    told(caller.post(ROLES, AUDITOR, Idempotency_Key="k"), 201)
    another = machine(caller.world, "northwind-hr")
    is_problem(another.post(ROLES, AUDITOR, Idempotency_Key="k"), 422)
    harbor = tenants_machine(caller.world, "harbor")
    made = harbor.post("/tenants/harbor/roles", AUDITOR, Idempotency_Key="k")
    assert "Idempotent-Replayed" not in made.headers


def test_a_person_signs_in_again_for_what_would_hurt(world: World) -> None:
    hers = person(world, AMARA)
    told(hers.post(ROLES, AUDITOR), 201)
    world.run("UPDATE grants SET shown_at = shown_at - :t", t=RECENT + 5)
    answer = hers.post(ROLES, {**AUDITOR, "name": "Late"})
    assert is_problem(answer, 401)["code"] == "insufficient_user_authentication"
    assert 'max_age="900"' in answer.headers["WWW-Authenticate"]


def test_the_platforms_program_looks_after_companies(either_world: World) -> None:
    caller = platforms_machine(either_world)
    tenants = "/platform/tenants"
    assert [each["slug"] for each in told(caller.get(tenants))["items"]] == ["harbor", "northwind"]
    made = told(caller.post(tenants, {"slug": "pinewood", "name": "Pinewood Homes"}), 201)
    assert (made["people"], made["status"]) == (0, "active")
    is_problem(caller.post(tenants, {"slug": "pinewood", "name": "Pinewood"}), 422)
    address = f"{tenants}/pinewood"
    assert told(caller.post(f"{address}/suspend"))["status"] == "suspended"
    is_problem(caller.post(f"{address}/suspend"), 422)
    assert told(caller.post(f"{address}/resume"))["status"] == "active"
    is_problem(caller.post(f"{address}/end", {"confirm": "northwind"}), 422)
    assert told(caller.post(f"{address}/end", {"confirm": "pinewood"}))["status"] == "ended"
    is_problem(caller.get(f"{tenants}/nowhere"), 404)


def test_the_same_rules_hold_as_on_the_pages(caller: Caller) -> None:
    """Somebody who may do less has a token that may do less."""
    world = caller.world
    told(caller.post(ROLES, {"name": "Clerk", "permissions": ["console/people.read"]}), 201)
    address = f"{PEOPLE}/{found(caller, DANA)['id']}/roles"
    told(caller.change("PUT", address, {"roles": ["clerk"]}))
    hers = person(world, DANA)
    assert len(told(hers.get(PEOPLE))["items"]) == 6
    is_problem(hers.get(ROLES), 403)
    is_problem(hers.post(ROLES, AUDITOR), 403)
    is_problem(hers.post(f"{PEOPLE}/{found(caller, BEN)['id']}/disable"), 403)


def test_sec_79_an_account_admins_token_makes_no_account_admin(world: World) -> None:
    """Whatever its person may do: a program of theirs is nobody's equal at the top."""
    hers = person(world)
    address = f"{PEOPLE}/{found(hers, BEN)['id']}/roles"
    assert hers.change("PUT", address, {"roles": ["account_admin"]}).status_code == 403
    assert hers.change("PUT", address, {"roles": ["analyst"]}).status_code == 200
