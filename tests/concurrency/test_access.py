"""Of many who take the same step of an access request at once, one does, on either database."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from idp.directory import access_requests, asking
from idp.directory.access_requests import Moved
from idp.directory.acting import Mistake
from tests.console.access_story import Story
from tests.storage.crew import threads_at_once
from tests.world import World

AT_ONCE = 20
DONE, LATE, TAKEN = "done", "late", "taken"
Step = Callable[[Story], Story]


@pytest.fixture
def restless(either_world: World) -> Iterator[Story]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield Story(either_world)
    sys.setswitchinterval(usual)


def race(story: Story, *steps: Step) -> Counter[str]:
    """Each thread takes one of the steps, in turn."""

    def deed(number: int) -> str:
        try:
            steps[number % len(steps)](Story(story.world, story.id))
        except Moved:
            return LATE
        except Mistake:
            return TAKEN
        return DONE

    return Counter(threads_at_once(deed, AT_ONCE))


def counted(story: Story, table: str, condition: str = "1 = 1") -> int:
    ((count,),) = story.world.run(f"SELECT count(*) FROM {table} WHERE {condition}")
    return int(count)


STEPS: dict[str, tuple[Step, tuple[Step, ...], str]] = {
    "uploads": (lambda s: s.ask(), (Story.submit,), "access.submitted"),
    "approvals": (lambda s: s.ask().submit(), (Story.approve,), "access.approved"),
    "set-ups": (lambda s: s.ask().submit().approve(), (Story.set_up,), "access.set_up"),
    "ends": (
        lambda s: s.opened(),
        (Story.end, Story.end_there, Story.end_as_operator),
        "access.ended",
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_of_twenty_at_once_one_has_an_effect(restless: Story, name: str) -> None:
    begin, steps, tag = STEPS[name]
    begin(restless)
    platform = f"tag = '{tag}' AND tenant_id IS NULL"
    assert race(restless, *steps) == {DONE: 1, LATE: AT_ONCE - 1}
    assert counted(restless, "audit_events", platform) == 1
    assert counted(restless, "outbox", f"payload LIKE '%{restless.status}%'") == 1
    assert counted(restless, "documents") == 1
    guests = counted(restless, "memberships", "source = 'cross_tenant'")
    assert guests == (0 if name == "uploads" else 1)
    assert counted(restless, "membership_roles mr", _OF_GUESTS) == (
        1 if name in ("set-ups", "ends") else 0
    )


_OF_GUESTS = "membership_id IN (SELECT id FROM memberships WHERE source = 'cross_tenant')"


def test_of_an_approval_and_a_refusal_at_once_one_counts(restless: Story) -> None:
    restless.ask().submit()
    assert race(restless, Story.approve, Story.refuse) == {DONE: 1, LATE: AT_ONCE - 1}
    guests = counted(restless, "memberships", "source = 'cross_tenant'")
    assert guests == (1 if restless.status == "approved" else 0)


def test_of_approvals_and_ends_at_once_one_of_each_counts_and_in_this_order(
    restless: Story,
) -> None:
    """An end comes too early until it is approved, and is then the last word."""
    restless.ask().submit()
    came = race(restless, Story.approve, Story.end, Story.end_as_operator)
    ended = int(restless.status == "ended")
    assert came == {DONE: 1 + ended, LATE: AT_ONCE - 1 - ended}
    tags = [event["tag"] for event in restless.world.audit()]
    assert tags.count("access.approved") == 3  # in the logs of both companies and of the platform
    assert tags.count("access.ended") == 3 * ended


def test_whoever_comes_too_late_is_told_so_calmly(restless: Story) -> None:
    restless.ask().submit()

    def deed(number: int) -> str:
        try:
            (restless.approve, restless.refuse)[number % 2]()
        except Moved as late:
            return late.public_message
        return DONE

    said = Counter(threads_at_once(deed, AT_ONCE))
    sentence = "This request is no longer where it was. Look at it again."
    assert said == {DONE: 1, sentence: AT_ONCE - 1}


def test_of_a_withdrawal_and_an_approval_at_once_one_counts(restless: Story) -> None:
    restless.ask().submit()
    assert race(restless, Story.withdraw, Story.approve) == {DONE: 1, LATE: AT_ONCE - 1}
    guests = counted(restless, "memberships", "source = 'cross_tenant'")
    assert guests == (1 if restless.status == "approved" else 0)


def test_of_many_who_ask_for_the_same_at_once_one_has_asked(restless: Story) -> None:
    assert race(restless, Story.ask) == {DONE: 1, TAKEN: AT_ONCE - 1}
    assert counted(restless, "access_requests") == 1


def test_many_who_ask_at_once_are_not_let_past_what_a_company_may_ask(
    restless: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_requests, "MOST_UNDECIDED", 3)
    Story(restless.world).ask(company="Company of old")

    def deed(number: int) -> str:
        try:
            Story(restless.world).ask(company=f"Company {number}")
        except Mistake as mistake:
            return mistake.errors["company"]
        return DONE

    came = Counter(threads_at_once(deed, AT_ONCE))
    assert came == {DONE: 2, asking.TOO_MANY: AT_ONCE - 2}
    assert counted(restless, "access_requests") == 3


def test_of_two_requests_for_one_company_one_is_approved(restless: Story) -> None:
    first = Story(restless.world).ask().submit()
    second = Story(restless.world).ask(company="harbor").submit()

    def deed(number: int) -> str:
        try:
            (first, second)[number % 2].approve()
        except (Moved, Mistake):
            return LATE
        return DONE

    assert Counter(threads_at_once(deed, AT_ONCE)) == {DONE: 1, LATE: AT_ONCE - 1}
    assert counted(restless, "memberships", "source = 'cross_tenant'") == 1
    assert sorted((first.status, second.status)) == ["approved", "submitted"]
