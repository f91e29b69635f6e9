"""S79: whoever says who vouches for a company's people can be any of them; so nobody below the
company's own account admins does, nobody who visits, and nobody by a password alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from idp.directory import company_providers
from idp.directory.acting import (
    EVERYTHING,
    Actor,
    Administration,
    Forbidden,
    Mistake,
    SecondFactorNeeded,
)
from idp.directory.roles import ACCOUNT_ADMIN
from idp.operators import tenants, visits
from tests.console.administering import administering, proven, with_roles
from tests.console.company_providers_of import SOUND, add, columns, digest_of
from tests.console.operations import operation
from tests.console.people_of import administration, ask, company, member_id
from tests.console.test_company_providers_people import role_id
from tests.world import BEN, DANA, World

MANAGE = company_providers.PERMISSION


@contextmanager
def visiting(world: World) -> Iterator[Administration]:
    """An operator who acts for the company, and has proven a second factor."""
    with operation(world) as opened:
        visits.begin(opened, tenants.get_tenant(opened, "northwind"), "They asked for help", 30)
    ((operator_id,),) = ask(world, "SELECT operator_id FROM operator_visits")
    with world.held.database.connection() as db:
        visit = visits.find_live(db, "northwind", operator_id, world.clock())
    assert visit
    console = world.held.catalog.current(world.clock()).products["console"]
    actor = visits.visitor(visit, operator_id, world.clock(), console)
    with administration(world) as admin:
        yield replace(admin, actor=replace(actor, second_factor_at=world.clock()))


def test_sec_79_a_visiting_operator_reads_and_changes_nothing(either_world: World) -> None:
    provider_id = add(either_world)
    before = columns(either_world, provider_id)
    with visiting(either_world) as admin:
        shown = company_providers.get(admin, provider_id)
        assert not company_providers.may_change(admin)
        for act in acts(either_world, admin, provider_id, shown.digest):
            with pytest.raises(Forbidden):
                act()
    assert columns(either_world, provider_id) == before


def acts(
    world: World, admin: Administration, provider_id: str, seen: str
) -> list[Callable[[], object]]:
    return [
        lambda: company_providers.add(admin, world.held.secret_keys, SOUND),
        lambda: company_providers.set_status(admin, provider_id, seen, "disabled"),
    ]


@pytest.mark.parametrize("rank", [20, 99])
def test_sec_79_a_role_with_the_node_does_not_do(either_world: World, rank: int) -> None:
    provider_id = add(either_world)
    seen = digest_of(either_world, provider_id)
    role = {"rank": rank, "permissions": {"console": [MANAGE, "people.manage", "roles.manage"]}}
    with_roles(either_world, DANA, {"security": role})
    with proven(either_world, DANA) as admin:
        for act in acts(either_world, admin, provider_id, seen):
            with pytest.raises(Forbidden):
                act()


def test_sec_79_who_is_no_account_admin_is_not_even_asked_for_a_factor(world: World) -> None:
    with_roles(world, DANA, {"security": {"permissions": {"console": [MANAGE]}}})
    with administering(world, DANA) as admin, pytest.raises(Forbidden):
        company_providers.add(admin, world.held.secret_keys, SOUND)


def test_sec_79_an_account_admin_with_a_stolen_password_sets_nothing_up(world: World) -> None:
    with_roles(world, BEN, {ACCOUNT_ADMIN: {}})
    with administering(world, BEN) as admin, pytest.raises(SecondFactorNeeded):
        company_providers.add(admin, world.held.secret_keys, SOUND)


def program(world: World, *permissions: str) -> str:
    """A client that acts alone."""
    world.apply(
        clients=[
            {
                "client_id": "provisioning",
                "client_name": "Provisioning",
                "product": "console",
                "tenant": "northwind",
                "client_secret": "a-secret-of-more-than-32-characters",
                "grant_types": ["client_credentials"],
                "scope": " ".join(permissions),
                "permissions": list(permissions),
            }
        ]
    )
    return "provisioning"


@contextmanager
def programming(world: World, *permissions: str) -> Iterator[Administration]:
    client_id = program(world, *permissions)
    with administration(world) as admin:
        may = frozenset(permissions)
        actor = Actor(None, client_id, None, may, EVERYTHING)
        yield replace(admin, actor=actor, tenant=company(world, "northwind"))


def test_sec_79_a_program_needs_the_node_and_people_manage_to_let_newcomers_in(
    either_world: World,
) -> None:
    keys, agent = either_world.held.secret_keys, role_id(either_world, "agent")
    with programming(either_world, MANAGE) as admin:
        company_providers.add(admin, keys, SOUND)
        with pytest.raises(Forbidden):
            company_providers.add(admin, keys, SOUND._replace(admits_role_id=agent))
    with programming(either_world, MANAGE, "people.manage") as admin:
        company_providers.add(admin, keys, SOUND._replace(admits_role_id=agent))
    either_world.run("UPDATE roles SET rank = 100 WHERE id = :id", id=agent)
    with programming(either_world, MANAGE, "people.manage") as admin, pytest.raises(Forbidden):
        company_providers.add(admin, keys, SOUND._replace(admits_role_id=agent))
    with programming(either_world, "people.manage", "policy.manage") as admin:
        for act in (
            lambda: company_providers.add(admin, keys, SOUND),
            lambda: company_providers.listing(admin),
        ):
            with pytest.raises(Forbidden):
                act()
    assert ask(either_world, "SELECT count(*) FROM company_providers") == [(2,)]


def test_sec_79_a_program_locks_nobody_out_either(either_world: World) -> None:
    keys = either_world.held.secret_keys
    alone = SOUND._replace(is_only_way=True, left_out=[member_id(either_world, BEN)])
    with programming(either_world, MANAGE) as admin, pytest.raises(Mistake) as refused:
        company_providers.add(admin, keys, alone)
    assert list(refused.value.errors) == ["left_out"]
