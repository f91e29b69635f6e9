"""Products that want a second factor, for the tests of those who have to prove one."""

from __future__ import annotations

from idp.directory import catalog
from tests.world import World


def demand_a_second_factor(world: World, product: str = "payments") -> None:
    world.run("UPDATE products SET second_factor = true WHERE key = :key", key=product)
    with world.held.database.transaction() as db:
        catalog.touch(db)
    world.clock.move(2)
