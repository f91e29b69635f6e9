"""S79: a token hands on no more than it carries, and nobody hands on anything once they are out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from idp.directory import granting
from idp.directory.acting import EVERYTHING, Actor, Administration, Forbidden
from idp.directory.roles import ACCOUNT_ADMIN, TOP_RANK
from idp.operators import tenants, visits
from tests.console.administering import administering, with_roles
from tests.console.calling import APP, MACHINES, person, tenants_machine
from tests.console.operations import operation, user_id
from tests.console.operators_tokens import DESK, register
from tests.console.people_of import member_id, roles
from tests.world import AMARA, BEN, DANA, OLU, World

NEW = "nadia@northwind.example"
NORTHWIND = "/tenants/northwind"
PEOPLE = frozenset({"people.read", "people.manage"})
AUDITOR = {"auditor": {"rank": 10, "permissions": {"console": ["audit.read"]}}}


def invited(world: World) -> Any:
    return world.run("SELECT email, role_ids FROM invitations")


@pytest.mark.parametrize("role", [ACCOUNT_ADMIN, "auditor"])
def test_sec_79_a_narrow_token_of_an_account_admin_hands_on_no_administration(
    either_world: World, role: str
) -> None:
    with_roles(either_world, DANA, AUDITOR)
    app = person(either_world, AMARA, scope=" ".join(PEOPLE))
    body = {"email": NEW, "kind": "staff", "roles": [role]}
    assert app.post(f"{NORTHWIND}/invitations", body).status_code == 403
    assert invited(either_world) == []
    path = f"{NORTHWIND}/people/{member_id(either_world, BEN)}/roles"
    before = roles(either_world, BEN)
    assert app.change("PUT", path, {"roles": [*before, role]}).status_code == 403
    assert roles(either_world, BEN) == before


def test_sec_79_a_token_still_hands_on_what_it_carries(either_world: World) -> None:
    with_roles(either_world, DANA, AUDITOR)
    app = person(either_world, AMARA, scope=" ".join(PEOPLE | {"audit.read"}))
    body = {"email": NEW, "kind": "staff", "roles": ["auditor", "agent"]}
    assert app.post(f"{NORTHWIND}/invitations", body).status_code == 201
    assert len(invited(either_world)) == 1


def test_sec_79_an_account_admin_is_acted_on_by_no_client(either_world: World) -> None:
    give = "UPDATE roles SET rank = 99 WHERE key = 'agent'"
    either_world.run(give)
    for caller in (person(either_world, AMARA), tenants_machine(either_world)):
        path = f"{NORTHWIND}/people/{member_id(either_world, AMARA)}/disable"
        assert caller.post(path).status_code == 403


def test_sec_79_what_a_client_holds_is_cut_once_for_machines_and_for_people() -> None:
    cut = granting.by_client(EVERYTHING, PEOPLE)
    assert cut.rank == TOP_RANK - 1
    assert not cut.is_unlimited
    assert cut.holds(frozenset({("lms", "loans.read"), ("console", "people.manage")}))
    assert not cut.holds(frozenset({("console", "roles.manage")}))
    low = EVERYTHING._replace(rank=5, has_all=False)
    assert granting.by_client(low, PEOPLE).rank == 5
    assert not granting.by_client(low, PEOPLE).holds(frozenset({("console", "people.manage")}))


@contextmanager
def acting_as(world: World, actor: Actor) -> Iterator[Administration]:
    """Somebody whose request began a moment ago, in the transaction of now."""
    with administering(world) as admin:
        yield replace(admin, actor=actor)


def of_client(world: World, user: str | None, client_id: str) -> Actor:
    return Actor(
        user_id(world, user) if user else None,
        client_id,
        world.clock() if user else None,
        PEOPLE,
        granting.by_client(EVERYTHING, PEOPLE),
    )


@pytest.mark.parametrize("is_alone", [True, False])
@pytest.mark.parametrize(
    "lost", ["status = 'disabled'", "permissions = '[]'", "product_key = 'lms'"]
)
def test_sec_79_a_client_is_looked_at_again_when_its_turn_comes(
    either_world: World, is_alone: bool, lost: str
) -> None:
    tenants_machine(either_world)
    client_id = MACHINES["northwind"] if is_alone else APP
    actor = of_client(either_world, None if is_alone else AMARA, client_id)
    with acting_as(either_world, actor) as admin:
        assert granting.in_turn(admin, "people.manage").console == PEOPLE
    either_world.run(f"UPDATE clients SET {lost} WHERE client_id = :id", id=client_id)
    with acting_as(either_world, actor) as admin:
        if "permissions" in lost and not is_alone:  # those are a machine's
            granting.in_turn(admin, "people.manage")
            return
        with pytest.raises(Forbidden):
            granting.in_turn(admin, "people.manage")


def test_sec_79_the_person_behind_a_client_is_looked_at_again(either_world: World) -> None:
    tenants_machine(either_world)
    actor = of_client(either_world, AMARA, APP)
    either_world.run("UPDATE memberships SET status = 'disabled'")
    either_world.run("UPDATE memberships SET status = 'active' WHERE source <> 'home'")
    with acting_as(either_world, actor) as admin, pytest.raises(Forbidden):
        granting.in_turn(admin, "people.manage")


def visitor(world: World, client_id: str | None = None) -> Actor:
    with operation(world, client_id=client_id) as opened:
        visits.begin(opened, tenants.get_tenant(opened, "northwind"), "Ticket 4711 again", 15)
    olu = user_id(world, OLU)
    with operation(world) as opened:
        visit = visits.find_live(opened.db, "northwind", olu, opened.now, client_id)
        assert visit is not None
        console = opened.catalog.products["console"]
        return visits.visitor(visit, olu, opened.now, console, client_id)


@pytest.mark.parametrize(
    "over",
    [
        "UPDATE operator_visits SET ended_at = 1",
        "UPDATE operator_visits SET until = 1",
        "UPDATE users SET is_operator = false WHERE is_operator",
        "UPDATE users SET status = 'disabled' WHERE is_operator",
    ],
)
def test_sec_79_a_visit_is_looked_at_again_when_its_turn_comes(
    either_world: World, over: str
) -> None:
    actor = visitor(either_world)
    with acting_as(either_world, actor) as admin:
        granting.in_turn(admin, "people.manage")
    either_world.run(over)
    with acting_as(either_world, actor) as admin, pytest.raises(Forbidden):
        granting.in_turn(admin, "people.manage")


@pytest.mark.parametrize("is_by_client", [True, False])
def test_sec_79_the_client_of_a_visit_is_looked_at_again(
    either_world: World, is_by_client: bool
) -> None:
    register(either_world)
    actor = visitor(either_world, DESK if is_by_client else None)
    with acting_as(either_world, actor) as admin:
        granting.in_turn(admin, "people.manage")
    either_world.run("UPDATE clients SET status = 'disabled' WHERE client_id = :c", c=DESK)
    with acting_as(either_world, actor) as admin:
        if not is_by_client:
            granting.in_turn(admin, "people.manage")
            return
        with pytest.raises(Forbidden):
            granting.in_turn(admin, "people.manage")
