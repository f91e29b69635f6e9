"""Doing without a second factor is remembered where it was asked for, and forgotten everywhere."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from idp.directory import skipping
from tests.console.access_story import Story
from tests.world import BEN, PRIYA, World, sent_back


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


def state(world: World, slug: str, mode: str) -> None:
    """Of its staff, from now on."""
    policy = orjson.dumps({"second_factor": {"staff": {"mode": mode}}}).decode()
    world.run("UPDATE tenants SET policy = :p WHERE slug = :s", p=policy, s=slug)


def skip_on_the_way(world: World, email: str, tenant: str) -> None:
    """To a product that opens in that company."""
    browser = world.browser()
    enrol = browser.sign_in(email, tenant=tenant)
    assert enrol.request.path == "/login/enrol", enrol.text
    assert "code" in sent_back(browser.follow(browser.submit(enrol, "/login/enrol", action="skip")))


def test_of_two_companies_of_one_name_the_one_that_leaves_it_free_remembers(
    either_world: World,
) -> None:
    either_world.run("UPDATE tenants SET name = 'Northwind Lending'")
    state(either_world, "northwind", "optional")
    state(either_world, "harbor", "required")
    skip_on_the_way(either_world, PRIYA, "northwind")
    assert skipped(either_world, PRIYA) == {"northwind": either_world.clock(), "harbor": None}


@pytest.mark.parametrize(
    ("host", "home", "remember"),
    [
        ("optional", "optional", {"northwind", "harbor"}),
        ("optional", "off", {"harbor"}),
        ("off", "optional", {"northwind"}),
    ],
)
def test_a_guests_skip_is_remembered_by_whoever_leaves_it_free(
    either_world: World, host: str, home: str, remember: set[str]
) -> None:
    Story(either_world).opened()
    state(either_world, "harbor", host)
    state(either_world, "northwind", home)
    skip_on_the_way(either_world, BEN, "harbor")
    told = skipped(either_world, BEN)
    assert {slug for slug, at in told.items() if at == either_world.clock()} == remember
    assert "code" in sent_back(either_world.browser().sign_in(BEN, tenant="harbor"))


def test_forgetting_counts_everywhere_and_for_that_person_alone(either_world: World) -> None:
    for email, slug in ((PRIYA, "northwind"), (PRIYA, "harbor"), (BEN, "northwind")):
        skip(either_world, email, slug)
    priya, _ = ids(either_world, PRIYA, "harbor")
    with either_world.held.database.transaction() as db:
        assert skipping.forget(db, priya)
        assert not skipping.forget(db, priya)
    assert skipped(either_world, PRIYA) == {"northwind": None, "harbor": None}
    assert skipped(either_world, BEN) == {"northwind": 5.0}
