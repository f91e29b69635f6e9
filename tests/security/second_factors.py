"""Products that want a second factor, for the tests of those who have to prove one."""

from __future__ import annotations

from idp.directory import catalog_version
from tests.world import World


def demand_a_second_factor(world: World, product: str = "payments") -> None:
    world.run("UPDATE products SET second_factor = true WHERE key = :key", key=product)
    with world.held.database.transaction() as db:
        catalog_version.touch(db)
    world.clock.move(2)


def require_of_staff(
    world: World, tenant: str = "northwind", mode: str = "required", since: float = 0.0
) -> None:
    """What the tenant's policy says of its staff, from now on."""
    policy = f'{{"second_factor":{{"staff":{{"mode":"{mode}","since":{since!r}}}}}}}'
    world.run("UPDATE tenants SET policy = :p WHERE slug = :t", p=policy, t=tenant)
