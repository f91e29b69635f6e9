"""Doing without a second factor is remembered where it was asked for, and forgotten everywhere."""

from __future__ import annotations

from typing import Any

from idp.directory import skipping
from tests.console.access_story import Story
from tests.world import BEN, PRIYA, World


def skipped(world: World, email: str) -> dict[str, Any]:
    return dict(
        world.run(
            "SELECT t.slug, m.second_factor_skipped_at FROM memberships m "
            "JOIN users u ON u.id = m.user_id JOIN tenants t ON t.id = m.tenant_id "
            "WHERE u.email = :e",
            e=email,
        )
    )


def ids(world: World, email: str, slug: str) -> tuple[str, str]:
    ((user,),) = world.run("SELECT id FROM users WHERE email = :e", e=email)
    ((tenant,),) = world.run("SELECT id FROM tenants WHERE slug = :s", s=slug)
    return user, tenant


def skip(world: World, email: str, slug: str) -> None:
    user_id, tenant_id = ids(world, email, slug)
    with world.held.database.transaction() as db:
        skipping.skip(db, user_id, tenant_id, 5.0)


def test_a_skip_counts_where_it_was_made_alone(either_world: World) -> None:
    skip(either_world, PRIYA, "harbor")
    assert skipped(either_world, PRIYA) == {"northwind": None, "harbor": 5.0}
    assert skipped(either_world, BEN) == {"northwind": None}


def test_a_guests_skip_is_remembered_at_home_too(either_world: World) -> None:
    Story(either_world).ask().submit().approve().set_up()
    skip(either_world, BEN, "harbor")
    assert skipped(either_world, BEN) == {"northwind": 5.0, "harbor": 5.0}
    assert skipped(either_world, PRIYA) == {"northwind": None, "harbor": None}


def test_forgetting_counts_everywhere_and_for_that_person_alone(either_world: World) -> None:
    for email, slug in ((PRIYA, "northwind"), (PRIYA, "harbor"), (BEN, "northwind")):
        skip(either_world, email, slug)
    priya, _ = ids(either_world, PRIYA, "harbor")
    with either_world.held.database.transaction() as db:
        assert skipping.forget(db, priya)
        assert not skipping.forget(db, priya)
    assert skipped(either_world, PRIYA) == {"northwind": None, "harbor": None}
    assert skipped(either_world, BEN) == {"northwind": 5.0}
