"""An operator decides on access to another company: for how long, and which one is meant (T6)."""

from __future__ import annotations

import json

import pytest

from idp.directory.access_requests import (
    APPROVED,
    ENDED,
    SUBMITTED,
)
from idp.directory.acting import Mistake
from tests.console.access_story import Story
from tests.console.test_access_rules import DAY, ID_OF_BEN
from tests.world import BEN, DANA, World


@pytest.fixture
def story(either_world: World) -> Story:
    return Story(either_world)


@pytest.mark.parametrize(
    ("happens", "field"),
    [
        ("UPDATE tenants SET status = 'suspended' WHERE slug = 'northwind'", "request"),
        ("UPDATE tenants SET status = 'suspended' WHERE slug = 'harbor'", "company"),
        (f"UPDATE users SET status = 'disabled' WHERE email = '{BEN}'", "request"),
        (
            f"UPDATE memberships SET status = 'disabled' WHERE user_id = {ID_OF_BEN}",
            "request",
        ),
    ],
)
def test_what_has_changed_since_it_was_asked_is_seen_at_the_decision(
    story: Story, happens: str, field: str
) -> None:
    story.ask().submit()
    story.world.run(happens)
    with pytest.raises(Mistake) as refused:
        story.approve()
    assert set(refused.value.errors) == {field}
    assert story.status == SUBMITTED


@pytest.mark.parametrize("end", [-1.0, 0.0, 6 * 366 * DAY])
def test_an_end_lies_ahead_and_not_for_ever(story: Story, end: float) -> None:
    story.ask().submit()
    with pytest.raises(Mistake) as refused:
        story.approve(end=story.world.clock() + end)
    assert set(refused.value.errors) == {"end"}


@pytest.mark.parametrize("days", [None, 11, 366])
def test_no_approval_outlasts_what_was_signed(story: Story, days: int | None) -> None:
    now = story.world.clock()
    story.ask(end=now + 10 * DAY).submit()
    with pytest.raises(Mistake) as refused:
        story.approve(end=None if days is None else now + days * DAY)
    assert set(refused.value.errors) == {"end"}
    assert story.status == SUBMITTED


@pytest.mark.parametrize("days", [1, 10])
def test_an_approval_is_as_long_as_was_signed_or_shorter(story: Story, days: int) -> None:
    now = story.world.clock()
    story.ask(end=now + 10 * DAY).submit().approve(end=now + days * DAY)
    assert (story.status, story.row.ends_at) == (APPROVED, now + days * DAY)


@pytest.mark.parametrize("confirmed", ["", "northwind", "Harbor Credit Union"])
def test_a_company_that_the_form_calls_something_else_is_confirmed(
    story: Story, confirmed: str
) -> None:
    story.ask(company="Harbour Bank").submit()
    with pytest.raises(Mistake) as refused:
        story.approve(confirmed=confirmed)
    assert set(refused.value.errors) == {"confirm"}
    assert story.status == SUBMITTED
    assert story.approve(confirmed="harbor").status == APPROVED


@pytest.mark.parametrize("typed", ["HARBOR  credit union", "Harbor"])
def test_its_own_name_in_any_spelling_needs_no_confirming(story: Story, typed: str) -> None:
    assert story.ask(company=typed).submit().approve().status == APPROVED


def test_the_log_of_an_approval_names_the_company_that_is_entered(story: Story) -> None:
    story.ask().submit().approve()
    ((harbor,),) = story.world.run("SELECT id FROM tenants WHERE slug = 'harbor'")
    told = "SELECT detail FROM audit_events WHERE tag = 'access.approved' AND tenant_id IS NULL"
    ((detail,),) = story.world.run(told)
    assert json.loads(detail)["after"]["receiving_tenant_id"] == harbor


def test_what_a_date_ended_is_nobodys_deed_whoever_approves_next(story: Story) -> None:
    story.ask().submit().approve(end=story.world.clock() + DAY)
    second = Story(story.world).ask(email=DANA).submit()
    story.world.clock.move(2 * DAY)
    second.approve()
    assert story.status == ENDED
    told = "SELECT actor_id, client_id, address FROM audit_events WHERE tag = 'access.ended'"
    assert set(story.world.run(told)) == {(None, None, "")}


def test_an_operator_does_not_approve_a_company_for_itself(story: Story) -> None:
    with pytest.raises(Mistake):
        story.ask().submit().approve(company="northwind")
