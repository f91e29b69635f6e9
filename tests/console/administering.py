"""People of the demo as administrators, for tests that ask the rules without a page between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from idp.audit import NOWHERE
from idp.directory import memberships
from idp.directory.acting import Actor, Administration, TenantName, administration, rights_of
from idp.directory.products import CONSOLE
from tests.world import AMARA, World


@contextmanager
def administering(
    world: World, email: str = AMARA, slug: str = "northwind"
) -> Iterator[Administration]:
    """With the rights that their roles amount to now, as the console's guard finds them."""
    database, catalog = world.held.database, world.held.catalog.current(world.clock())
    ((user_id,),) = world.run("SELECT id FROM users WHERE email = :email", email=email)
    with database.connection() as db:
        found = memberships.standings(db, user_id, CONSOLE, world.clock())
        standing = next(each for each in found if each.tenant == slug)
        actor = Actor(
            user_id=user_id,
            client_id=None,
            auth_time=world.clock(),
            permissions=frozenset(standing.permissions(catalog.products[CONSOLE])),
            rights=rights_of(db, standing.membership_id),
        )
    confirmed = bool(standing.is_confirmed)
    tenant = TenantName(standing.tenant_id, standing.tenant, standing.tenant_name, confirmed)
    with administration(database, catalog, tenant, actor, world.clock(), NOWHERE) as admin:
        yield admin


@contextmanager
def proven(
    world: World, email: str = AMARA, age: float = 0.0, slug: str = "northwind"
) -> Iterator[Administration]:
    """An admin who has proven a second factor so many seconds ago."""
    with administering(world, email, slug) as admin:
        actor = replace(admin.actor, second_factor_at=world.clock() - age)
        yield replace(admin, actor=actor)


def with_roles(world: World, email: str, roles: dict[str, dict[str, Any]]) -> None:
    """Give somebody of northwind these roles and no other: name of the role -> its form."""
    forms = [{"key": key, "name": key.title(), **form} for key, form in roles.items()]
    world.apply(
        tenants=[{"slug": "northwind", "name": "Northwind Lending", "roles": forms}],
        users=[
            {
                "email": email,
                "name": "Somebody",
                "memberships": [{"tenant": "northwind", "roles": list(roles)}],
            }
        ],
    )
    world.clock.move(2)
