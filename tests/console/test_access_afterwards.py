"""Access that was approved: its roles, its end, its form, and who is told of it (T7, N3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from idp.directory.access_requests import (
    ACTIVE,
    APPROVED,
    DRAFT,
    ENDED,
    Moved,
)
from idp.directory.acting import Forbidden, Mistake, NotFound
from idp.directory.documents import looked_at
from tests.console.access_story import SIGNED, Story, letters, operating, work
from tests.console.administering import administering
from tests.console.test_access_rules import DAY, INTO
from tests.world import AMARA, BEN, HANA, OLU, World


@pytest.fixture
def story(either_world: World) -> Story:
    return Story(either_world)


@pytest.mark.parametrize(
    ("kind", "roles", "field"),
    [
        ("staff", (), "roles"),
        ("staff", ("account_admin",), "roles"),
        ("staff", ("no-such-role",), "roles"),
        ("owner", ("agent",), "kind"),
    ],
)
def test_roles_and_kind_are_the_receiving_companys_own(
    story: Story, kind: str, roles: tuple[str, ...], field: str
) -> None:
    story.ask().submit().approve()
    with pytest.raises(Mistake) as refused:
        story.set_up(kind=kind, roles=roles)
    assert set(refused.value.errors) == {field}
    assert story.status == APPROVED


def test_a_role_that_opens_nothing_that_was_asked_for_is_no_set_up(story: Story) -> None:
    story.ask(products=("payments",)).submit().approve()
    with pytest.raises(Mistake) as refused:
        story.set_up(roles=("agent",))
    assert set(refused.value.errors) == {"roles"}
    assert story.set_up(roles=("agent", "payments_officer")).status == ACTIVE


def test_a_role_above_ones_own_rank_is_not_given_to_a_guest(story: Story) -> None:
    story.ask().submit().approve()
    roles = [
        {"key": "clerk", "name": "Clerk", "permissions": {"console": ["access.receive"]}},
        {"key": "chief", "name": "Chief", "rank": 50, "permissions": {"lms": ["loans.read"]}},
    ]
    story.world.apply(
        tenants=[{"slug": "harbor", "name": "Harbor Credit Union", "roles": roles}],
        users=[
            {
                "email": "clerk@harbor.example",
                "name": "Clerk",
                "memberships": [{"tenant": "harbor", "roles": ["clerk"]}],
            }
        ],
    )
    story.world.clock.move(2)
    with pytest.raises(Forbidden):
        story.set_up(by="clerk@harbor.example", roles=("chief",))
    assert story.set_up(by="clerk@harbor.example", roles=("agent",)).status == ACTIVE


@pytest.mark.parametrize("end", [Story.end, Story.end_there, Story.end_as_operator])
@pytest.mark.parametrize("into", [APPROVED, ACTIVE])
def test_either_company_and_an_operator_can_end_it(
    story: Story, end: Callable[[Story], Story], into: str
) -> None:
    assert end(INTO[into](story)).status == ENDED


@pytest.mark.parametrize("into", [APPROVED, ACTIVE])
def test_a_date_ends_it_and_nothing_moves_it_any_more(story: Story, into: str) -> None:
    story.ask().submit().approve(end=story.world.clock() + DAY)
    if into == ACTIVE:
        story.set_up()
    story.world.clock.move(DAY)
    assert (story.status, story.row.status_now(story.world.clock())) == (into, ENDED)
    for step in (Story.set_up, Story.end, Story.end_there, Story.end_as_operator):
        with pytest.raises(Moved):
            step(story)
    assert story.expire().status == ENDED
    row = story.row
    assert (row.ended_at, row.ended_side, row.ended_by) == (row.ends_at, "date", None)
    assert story.expire().row.ended_at == row.ended_at
    assert len(ended_events(story.world)) == 3


def ended_events(world: World) -> list[Any]:
    return list(world.run("SELECT tenant_id FROM audit_events WHERE tag = 'access.ended'"))


def test_somebody_can_come_again_after_the_end(story: Story) -> None:
    first = story.opened().end().row
    second = Story(story.world).opened().row
    assert second.membership_id != first.membership_id
    states = dict(story.world.run("SELECT id, status FROM memberships"))
    assert states[first.membership_id] == "ended"
    assert states[second.membership_id] == "active"


def test_each_companys_log_tells_it_and_of_the_other_no_more_than_that(story: Story) -> None:
    story.opened().end_there()
    tenants = dict(story.world.run("SELECT slug, id FROM tenants"))
    rows = story.world.run(
        "SELECT tag, tenant_id, actor_id, detail FROM audit_events WHERE tag LIKE 'access.%'"
        " ORDER BY id"
    )
    own = {
        "access.asked": "northwind",
        "access.submitted": "northwind",
        "access.approved": None,
        "access.set_up": "harbor",
        "access.ended": "harbor",
    }
    for tag, side in own.items():
        logs = {row[1]: row for row in rows if row[0] == tag}
        both = {None, tenants["northwind"], tenants["harbor"]}
        before = {None, tenants["northwind"]}
        assert set(logs) == (before if tag in ("access.asked", "access.submitted") else both)
        for tenant, (_, _, actor, detail) in logs.items():
            is_known = tenant in (None, tenants.get(side or ""))
            assert (actor is not None) == is_known, (tag, tenant)
            assert is_known or "roles" not in detail
            assert story.id in detail


def test_a_form_is_uploaded_by_the_company_that_asked(story: Story) -> None:
    story.ask()
    from idp.directory import asking

    with administering(story.world, HANA, "harbor") as admin, pytest.raises(NotFound):
        asking.submit(admin, story.world.held.secret_keys, story.id, looked_at(SIGNED))
    with pytest.raises(Mistake) as refused:
        story.submit(data=b"<html>")
    assert set(refused.value.errors) == {"form"}
    assert story.world.run("SELECT count(*) FROM documents") == [(0,)]
    assert story.status == DRAFT


def test_a_form_lies_encrypted_and_comes_back_as_it_was(story: Story) -> None:
    from idp.directory import asking, deciding

    story.ask().submit()
    keys = story.world.held.secret_keys
    ((sealed, size),) = story.world.run("SELECT sealed, size FROM documents")
    assert "PDF" not in sealed
    assert size == len(SIGNED)
    with administering(story.world) as admin:
        assert asking.signed_form(admin, keys, story.id)[1].data == SIGNED
    with operating(story.world) as operated:
        assert deciding.signed_form(operated, keys, story.id)[1].data == SIGNED
    assert len(story.world.audit("access.form_read")) == 3


def test_a_form_is_shown_to_nobody_else(story: Story) -> None:
    from idp.directory import asking

    story.opened()
    with administering(story.world, HANA, "harbor") as admin, pytest.raises(NotFound):
        asking.signed_form(admin, story.world.held.secret_keys, story.id)


def test_everybody_who_is_concerned_is_written_to_at_each_step(story: Story) -> None:
    world = story.world
    expected = {
        "submitted": {AMARA: "asker", BEN: "person", OLU: "operator"},
        "approved": {AMARA: "asker", BEN: "person", HANA: "admin"},
        "active": {AMARA: "asker", BEN: "person"},
        "ended": {AMARA: "asker", BEN: "person", HANA: "admin"},
    }
    story.opened().end()
    work(world)
    for step, readers in expected.items():
        written = {each["to"]: each["role"] for each in letters(world) if each["step"] == step}
        assert written == readers, step
    assert {each["step"] for each in letters(world)} == set(expected)


def test_the_reason_of_a_refusal_goes_to_who_asked_alone(story: Story) -> None:
    story.ask().submit().refuse()
    work(story.world)
    reasons = {each["to"]: each["reason"] for each in letters(story.world)}
    assert reasons[AMARA] == "The signature is missing."
    assert reasons[BEN] is None
