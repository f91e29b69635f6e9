"""A company ends: what it asked of others, and what others have in it, ends with it (T7, N9)."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from idp.directory import access_lists, people
from idp.directory.access_requests import (
    ACTIVE,
    APPROVED,
    DRAFT,
    ENDED,
    REFUSED,
    SUBMITTED,
    WITHDRAWN,
    Side,
)
from idp.directory.acting import Mistake
from idp.operators import ending, tenants
from tests.console.access_story import Story, letters, person, work
from tests.console.administering import administering
from tests.console.operations import operation
from tests.console.test_access_rules import DAY, INTO
from tests.flows.test_cross_tenant import told_products
from tests.world import AMARA, BEN, HANA, OLU, World


@pytest.fixture
def story(either_world: World) -> Story:
    return Story(either_world)


def end(world: World, slug: str) -> dict[str, int]:
    with operation(world) as operated:
        return ending.end(operated, tenants.get_tenant(operated, slug), slug)


@pytest.mark.parametrize(
    ("slug", "before", "after"),
    [
        ("northwind", DRAFT, WITHDRAWN),
        ("northwind", SUBMITTED, WITHDRAWN),
        ("northwind", APPROVED, ENDED),
        ("northwind", ACTIVE, ENDED),
        ("northwind", REFUSED, REFUSED),
        ("harbor", SUBMITTED, SUBMITTED),  # whom the name means, nobody has said yet
        ("harbor", APPROVED, ENDED),
        ("harbor", ACTIVE, ENDED),
    ],
)
def test_requests_of_either_side_end_with_a_company(
    story: Story, slug: str, before: str, after: str
) -> None:
    INTO[before](story)
    end(story.world, slug)
    row = story.row
    assert row.status == after
    if before != after:
        by = (row.ended_by, row.ended_at, row.ended_side)
        assert by == (person(story.world, OLU), story.world.clock(), Side.OPERATOR)


def test_the_company_that_was_entered_sees_that_it_ended_and_is_written_to(story: Story) -> None:
    story.opened()
    end(story.world, "northwind")
    with administering(story.world, HANA, "harbor") as admin:
        keys = story.world.held.secret_keys
        (listed,) = access_lists.of_tenant(admin, keys, Side.RECEIVING, "").requests
        found = people.people(admin, keys, people.Wanted(status=ENDED)).people
    assert listed.status == ENDED
    assert [(each.email, each.status) for each in found] == [(BEN, ENDED)]
    work(story.world)
    told = {each["to"]: each["role"] for each in letters(story.world) if each["step"] == "ended"}
    assert told == {AMARA: "asker", BEN: "person", HANA: "admin"}


def test_each_log_tells_of_the_end(story: Story) -> None:
    story.opened()
    end(story.world, "northwind")
    slugs = dict(story.world.run("SELECT id, slug FROM tenants"))
    told = "SELECT tenant_id, actor_id FROM audit_events WHERE tag = 'access.ended'"
    by = {slugs.get(tenant): actor for tenant, actor in story.world.run(told)}
    assert by == {None: person(story.world, OLU), "northwind": None, "harbor": None}


def test_products_are_told_once_and_nothing_wakes_up(story: Story) -> None:
    story.opened()
    story.world.browser().tokens(BEN, tenant="harbor")
    end(story.world, "northwind")
    live = "SELECT count(*) FROM grants WHERE ended_at IS NULL"
    assert story.world.run(live) == [(0,)]
    work(story.world)
    assert told_products(story.world) == ["lms"]


def test_what_a_date_had_ended_before_is_told_as_that(story: Story) -> None:
    story.ask().submit().approve(end=story.world.clock() + DAY).set_up()
    story.world.clock.move(2 * DAY)
    end(story.world, "northwind")
    row = story.row
    assert (row.status, row.ended_side, row.ended_by) == (ENDED, Side.DATE, None)
    assert row.ended_at == row.ends_at
    assert {event["actor"] for event in story.world.audit("access.ended")} == {None}


@pytest.mark.parametrize(
    ("slug", "side", "company"),
    [
        ("northwind", "asking", "Harbor Credit Union"),
        ("harbor", "receiving", "Northwind Lending"),
    ],
)
def test_the_evidence_says_who_had_access_where(
    story: Story, slug: str, side: str, company: str
) -> None:
    story.opened()
    assert end(story.world, slug)["access"] == 1
    (line,) = evidence(story.world, "access.jsonl")
    assert (line["access_request_id"], line["side"], line["status"]) == (story.id, side, ACTIVE)
    assert (line["email"], line["other_company"], line["products"]) == (BEN, company, "lms")


def evidence(world: World, name: str) -> list[dict[str, Any]]:
    ((packed,),) = world.run("SELECT packed FROM tenant_ending_files WHERE name = :n", n=name)
    return [json.loads(line) for line in zlib.decompress(packed).splitlines()]


@pytest.mark.parametrize("slug", ["northwind", "harbor"])
def test_nothing_is_approved_for_or_by_a_company_that_has_ended(story: Story, slug: str) -> None:
    story.ask().submit()
    end(story.world, slug)
    story.world.run("UPDATE access_requests SET status = 'submitted'")
    with pytest.raises(Mistake):
        story.approve()


def test_others_requests_are_left_alone(story: Story) -> None:
    """An operator ends a third company."""
    story.opened()
    with operation(story.world) as operated:
        tenants.create(operated, "acme", "Acme Loans")
    end(story.world, "acme")
    assert story.status == ACTIVE
