"""Asking for access to another company: what can be asked, of whom, for whom (T5)."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory.access_requests import (
    SUBMITTED,
)
from idp.directory.acting import Mistake
from tests.console.access_story import Story
from tests.world import DANA, HANA, PRIYA, VICTOR, World


@pytest.fixture
def story(either_world: World) -> Story:
    return Story(either_world)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", HANA),  # works at the other company
        ("email", "nobody@nowhere.example"),
        ("email", "no address"),
        ("email", VICTOR),  # disabled
        ("company", ""),
        ("company", "x" * 201),
        ("company", "Northwind  LENDING"),
        ("company", "northwind"),
        ("products", ()),
        ("products", ("lms", "console")),
        ("products", ("platform",)),
        ("products", ("no-such",)),
        ("reason", "  "),
        ("reason", "x" * 1001),
        ("end", 0.0),
        ("end", 9e12),
    ],
)
def test_a_request_that_can_not_be_asked_is_refused_beside_its_field(
    story: Story, field: str, value: Any
) -> None:
    with pytest.raises(Mistake) as refused:
        story.ask(**{field: value})
    assert set(refused.value.errors) == {field}
    assert story.world.run("SELECT count(*) FROM access_requests") == [(0,)]


def test_a_guest_of_ones_own_company_is_not_ones_to_send_on(story: Story) -> None:
    """Only the company where somebody's home is asks for them."""
    story.opened()
    with pytest.raises(Mistake) as refused:
        Story(story.world).ask(by=HANA, slug="harbor", company="Northwind Lending")
    assert set(refused.value.errors) == {"email"}


def test_a_company_that_does_not_exist_is_asked_for_in_the_same_words(story: Story) -> None:
    """Whether it exists shows in nothing before an operator has decided."""
    known = story.ask().submit().row
    unknown = Story(story.world).ask(company="No Such Company").submit().row
    for field in ("status", "receiving_tenant_id", "membership_id"):
        assert getattr(known, field) == getattr(unknown, field)
    with pytest.raises(Mistake) as refused:
        Story(story.world, unknown.id).approve(company="no-such-company")
    assert set(refused.value.errors) == {"company"}


def test_one_request_is_open_for_a_person_and_a_company_at_a_time(story: Story) -> None:
    story.ask()
    with pytest.raises(Mistake) as refused:
        Story(story.world).ask(company="HARBOR  credit union")
    assert set(refused.value.errors) == {"company"}
    Story(story.world).ask(email=DANA)
    story.withdraw()
    Story(story.world).ask()


def test_two_spellings_of_one_company_meet_at_the_operator(story: Story) -> None:
    story.ask().submit().approve()
    second = Story(story.world).ask(company="harbor").submit()
    with pytest.raises(Mistake) as refused:
        second.approve()
    assert set(refused.value.errors) == {"request"}
    assert second.status == SUBMITTED
    assert second.row.membership_id is None
    assert len(story.world.audit("access.approved")) == 3  # the first one's, in three logs


def test_who_is_at_home_in_the_other_company_is_refused_by_the_operator(story: Story) -> None:
    story.ask(email=PRIYA).submit()
    with pytest.raises(Mistake) as refused:
        story.approve()
    assert set(refused.value.errors) == {"request"}
    story.refuse(reason="She works there.")
    assert story.row.decision_reason == "She works there."
