"""Everything is sent to a provider on SQLite, and to one on PostgreSQL with Redis."""

from __future__ import annotations

import pytest

from tests.world import World


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, world: World) -> World:
    if request.param == "sqlite":
        return world
    other: World = request.getfixturevalue("postgres_world")
    return other
