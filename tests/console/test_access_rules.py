"""Access to another company: who may take which step, when, and in whose logs it stands (T5 to T7,
N3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from idp.directory.access_requests import (
    ACTIVE,
    APPROVED,
    DRAFT,
    ENDED,
    MOVES,
    REFUSED,
    STATUSES,
    SUBMITTED,
    WITHDRAWN,
    Action,
    Moved,
)
from idp.directory.acting import Forbidden, Mistake, NotFound
from tests.console.access_story import Story, operating, person
from tests.console.administering import administering
from tests.world import AMARA, BEN, DANA, HANA, OLU, PRIYA, World

DAY = 86400.0
ID_OF_BEN = f"(SELECT id FROM users WHERE email = '{BEN}')"
INTO: dict[str, Callable[[Story], Story]] = {
    DRAFT: lambda s: s.ask(),
    SUBMITTED: lambda s: s.ask().submit(),
    APPROVED: lambda s: s.ask().submit().approve(),
    ACTIVE: lambda s: s.opened(),
    REFUSED: lambda s: s.ask().submit().refuse(),
    WITHDRAWN: lambda s: s.ask().withdraw(),
    ENDED: lambda s: s.opened().end(),
}
BY_PEOPLE = [action for action in Action if action != Action.EXPIRE]


@pytest.fixture
def story(either_world: World) -> Story:
    return Story(either_world)


LEGAL = [(status, action) for action in BY_PEOPLE for status in MOVES[action][0]]


@pytest.mark.parametrize(("status", "action"), LEGAL)
def test_a_request_moves_where_its_table_says(world: World, status: str, action: Action) -> None:
    assert INTO[status](Story(world)).take(action).status == MOVES[action][1]


@pytest.mark.parametrize("status", STATUSES)
def test_and_nowhere_else(story: Story, status: str) -> None:
    """Each action that does not begin where it is leaves everything as it was."""
    INTO[status](story)
    before = story.world.run("SELECT * FROM access_requests")
    for action in BY_PEOPLE:
        if (status, action) not in LEGAL:
            with pytest.raises((Moved, NotFound)):
                story.take(action)
            assert story.world.run("SELECT * FROM access_requests") == before


def test_every_status_is_reached_and_every_action_is_somebodys() -> None:
    assert set(INTO) == set(STATUSES)
    assert {ends for _, ends in MOVES.values()} | {DRAFT} == set(STATUSES)


def make_operator(world: World, email: str) -> None:
    world.run("UPDATE users SET is_operator = true WHERE email = :e", e=email)


def make_admin_of_both(world: World, email: str) -> None:
    memberships = [{"tenant": slug, "roles": ["account_admin"]} for slug in ("northwind", "harbor")]
    world.apply(users=[{"email": email, "name": "Of both", "memberships": memberships}])


@pytest.mark.parametrize("decide", ["approve", "refuse"])
@pytest.mark.parametrize(
    ("asks", "sends", "is_about", "decides", "may"),
    [
        (AMARA, AMARA, BEN, OLU, True),
        (DANA, AMARA, BEN, DANA, False),  # who asked
        (AMARA, DANA, BEN, DANA, False),  # who uploaded
        (AMARA, AMARA, DANA, DANA, False),  # whom it is about
        (AMARA, AMARA, BEN, DANA, False),  # one of the company that asks
    ],
)
def test_nobody_decides_what_is_theirs(
    story: Story, decide: str, asks: str, sends: str, is_about: str, decides: str, may: bool
) -> None:
    for email in {asks, sends} - {AMARA}:
        admins = [{"tenant": "northwind", "roles": ["account_admin"]}]
        story.world.apply(users=[{"email": email, "name": "Dana", "memberships": admins}])
    make_operator(story.world, decides)
    story.ask(by=asks, email=is_about).submit(by=sends)
    if may:
        getattr(story, decide)(by=decides)
        return
    with pytest.raises(Forbidden):
        getattr(story, decide)(by=decides)
    assert story.status == SUBMITTED


@pytest.mark.parametrize("decide", ["approve", "refuse"])
@pytest.mark.parametrize("own", ["asked_by", "submitted_by", "user_id"])
def test_not_even_somebody_of_no_company_decides_what_is_theirs(
    story: Story, decide: str, own: str
) -> None:
    """Each reason alone, since above one of the company's people is refused for that already."""
    story.ask().submit()
    operator = person(story.world, OLU)
    story.world.run(f"UPDATE access_requests SET {own} = :o", o=operator)
    with pytest.raises(Forbidden):
        getattr(story, decide)()
    assert story.status == SUBMITTED


def test_an_operator_lets_nobody_into_a_company_of_their_own(story: Story) -> None:
    story.world.apply(
        users=[
            {
                "email": OLU,
                "name": "Olu Adeyemi",
                "memberships": [{"tenant": "harbor", "roles": ["analyst"]}],
            }
        ]
    )
    with pytest.raises(Mistake) as refused:
        story.ask().submit().approve()
    assert set(refused.value.errors) == {"company"}


@pytest.mark.parametrize(
    ("is_about", "approves", "sets_up", "may"),
    [
        (BEN, OLU, HANA, True),
        (PRIYA, OLU, PRIYA, False),  # their own access
        (BEN, PRIYA, PRIYA, False),  # what they approved themselves
        (BEN, OLU, PRIYA, True),
    ],
)
def test_nobody_sets_up_their_own_access_nor_their_own_decision(
    story: Story, is_about: str, approves: str, sets_up: str, may: bool
) -> None:
    world = story.world
    world.run(
        "DELETE FROM membership_roles WHERE membership_id IN (SELECT m.id FROM memberships m"
        " JOIN users u ON u.id = m.user_id JOIN tenants t ON t.id = m.tenant_id"
        " WHERE u.email = :e AND t.slug = 'harbor')",
        e=PRIYA,
    )
    story.ask(email=is_about if is_about != PRIYA else BEN).submit().approve()
    admins = [{"tenant": "harbor", "roles": ["account_admin"]}]
    world.apply(users=[{"email": PRIYA, "name": "Priya Raman", "memberships": admins}])
    world.run(
        "UPDATE access_requests SET decided_by = :d, user_id = :u",
        d=person(world, approves),
        u=person(world, is_about),
    )
    if may:
        assert story.set_up(by=sets_up).status == ACTIVE
        return
    with pytest.raises(Forbidden):
        story.set_up(by=sets_up)
    assert story.status == APPROVED


@pytest.mark.parametrize(
    "step", [Story.ask, Story.submit, Story.withdraw, Story.end, Story.set_up, Story.end_there]
)
def test_each_step_asks_for_its_own_permission(story: Story, step: Callable[..., Any]) -> None:
    """Somebody with every other permission of the console can't."""
    with administering(story.world) as admin:
        everything = admin.actor.permissions
    needed = "access.receive" if step in (Story.set_up, Story.end_there) else "access.request"
    others = sorted(everything - {needed})
    story.opened()
    slug, company = (
        ("harbor", "Harbor Credit Union")
        if needed == "access.receive"
        else (
            "northwind",
            "Northwind Lending",
        )
    )
    role = {"key": "others", "name": "Others", "permissions": {"console": others}}
    member = [{"tenant": slug, "roles": ["others"]}]
    email = "somebody@else.example"
    story.world.apply(
        tenants=[{"slug": slug, "name": company, "roles": [role]}],
        users=[{"email": email, "name": "Somebody", "memberships": member}],
    )
    story.world.clock.move(2)
    with pytest.raises(Forbidden):
        step(story, by=email)


def test_an_operator_without_the_permission_decides_nothing(story: Story) -> None:
    from dataclasses import replace

    from idp.directory import deciding

    story.ask().submit()
    with operating(story.world) as operated:
        bare = replace(operated, actor=replace(operated.actor, permissions=frozenset()))
        for refused in (
            lambda: deciding.approve(bare, story.id, "harbor", None),
            lambda: deciding.refuse(bare, story.id, "No."),
            lambda: deciding.end(bare, story.id),
            lambda: deciding.signed_form(bare, story.world.held.secret_keys, story.id),
        ):
            with pytest.raises(Forbidden):
                refused()


def test_a_machine_takes_no_step(story: Story) -> None:
    from dataclasses import replace

    from idp.directory import asking, deciding, receiving
    from idp.directory.asking import Asked

    story.ask().submit()
    with administering(story.world) as admin:
        machine = replace(admin, actor=replace(admin.actor, user_id=None, client_id="m"))
        with pytest.raises(Forbidden):
            asking.ask(machine, Asked(DANA, "Harbor", ("lms",), "Why", None))
        with pytest.raises(Forbidden):
            asking.withdraw(machine, story.id)
    with operating(story.world) as operated:
        client = replace(operated, actor=replace(operated.actor, user_id=None, client_id="m"))
        with pytest.raises(Forbidden):
            deciding.approve(client, story.id, "harbor", None)
    story.approve()
    with administering(story.world, HANA, "harbor") as admin:
        machine = replace(admin, actor=replace(admin.actor, user_id=None, client_id="m"))
        with pytest.raises(Forbidden):
            receiving.set_up(machine, story.id, "staff", [])
