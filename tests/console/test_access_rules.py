"""Access to another company: who may take which step, when, and in whose logs it stands (T5 to T7,
N3)."""

from __future__ import annotations

import json
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
from idp.directory.documents import looked_at
from tests.console.access_story import SIGNED, Story, letters, operating, person, work
from tests.console.administering import administering
from tests.world import AMARA, BEN, DANA, HANA, OLU, PRIYA, VICTOR, World

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
