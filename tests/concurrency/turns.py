"""A company's turn, held by another transaction while something waits for it (PostgreSQL)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from tests.world import World

TAKE_TURN = "SELECT id FROM tenants WHERE slug = 'northwind' FOR NO KEY UPDATE"
WAITING = (
    "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE NOT granted AND datname = current_database()"
)


@contextmanager
def northwinds_turn(world: World) -> Iterator[sa.Connection]:
    """Commit it to let the others go on."""
    with world.held.database.engine.connect() as holding:
        holding.execute(sa.text("SELECT set_config('latchkey.tenants', '*', false)"))
        holding.execute(sa.text(TAKE_TURN))
        yield holding


def until_waiting(world: World, how_many: int = 1) -> None:
    until = time.monotonic() + 20
    while world.run(WAITING)[0][0] < how_many:
        assert time.monotonic() < until, "nobody waits for the turn"
