"""Operators decide about access requests at the API: the same rule as in the console, by a person
(product.md T6)."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory.acting import RECENT
from tests.console.access_story import SIGNED, Story
from tests.console.calling import Caller, person, platforms_machine
from tests.console.operations import user_id
from tests.console.operators_tokens import DESK, make_operator, operators_app
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.world import AMARA, BEN, DANA, HANA, OLU, World

QUEUE = "/platform/access-requests"
APPROVAL = {"company": "harbor"}


@pytest.fixture
def story(either_world: World) -> Story:
    return Story(either_world).ask().submit()


def steps(story: Story) -> list[tuple[str, Any]]:
    here = f"{QUEUE}/{story.id}"
    return [
        (f"{here}/approve", APPROVAL),
        (f"{here}/refuse", {"reason": "The form is not signed."}),
        (f"{here}/end", None),
    ]


def nothing_happened(story: Story, status: str = "submitted") -> None:
    assert story.status == status
    for tag in ("access.approved", "access.refused", "access.ended"):
        assert story.world.audit(tag) == []
    assert story.world.run("SELECT count(*) FROM memberships WHERE source <> 'home'") == [(0,)]


def test_the_whole_way_by_tokens(either_world: World) -> None:
    """Asked, decided, set up and ended, each by a person's token."""
    amara, hana = person(either_world, AMARA), person(either_world, HANA, "harbor")
    olu = operators_app(either_world)
    asked = {
        "email": BEN,
        "company": "Harbor Credit Union",
        "products": ["lms"],
        "reason": "Covers for a colleague.",
    }
    ours = "/tenants/northwind/access-requests"
    made = told(amara.post(ours, asked), 201)["id"]
    told(amara.send(f"{ours}/{made}/upload", SIGNED, "application/pdf"))
    seen = told(olu.get(f"{QUEUE}/{made}"))
    assert (seen["may"], seen["why_not"]) == (["approve", "refuse"], None)
    [named] = seen["named"]
    assert (named["slug"], named["name"]) == ("harbor", "Harbor Credit Union")
    assert named["confirmed_at"] is not None
    assert olu.post(f"{QUEUE}/{made}/signed").data == SIGNED
    approved = told(olu.post(f"{QUEUE}/{made}/approve", APPROVAL, Idempotency_Key="k"))
    again = olu.post(f"{QUEUE}/{made}/approve", APPROVAL, Idempotency_Key="k")
    assert (told(again), again.headers["Idempotent-Replayed"]) == (approved, "true")
    assert (approved["status"], approved["may"]) == ("approved", ["end"])
    there = f"/tenants/harbor/access-requests/{made}"
    assert told(hana.post(f"{there}/roles", {"roles": ["agent"]}))["status"] == "active"
    given = either_world.browser().tokens(BEN, tenant="harbor")
    assert told(olu.post(f"{QUEUE}/{made}/end"))["status"] == "ended"
    assert either_world.userinfo(given["access_token"]).status_code == 401
    for tag in ("access.approved", "access.ended"):
        by = [(e["actor"], e["client"]) for e in either_world.audit(tag) if e["client"]]
        assert by == [(user_id(either_world, OLU), DESK)]


def test_a_refusal_tells_its_reason(story: Story) -> None:
    olu = operators_app(story.world)
    (_, _), (refuse, body), _ = steps(story)
    refused = told(olu.post(refuse, body))
    assert (refused["status"], refused["may"]) == ("refused", [])
    amara = person(story.world, AMARA)
    read = told(amara.get(f"/tenants/northwind/access-requests/{story.id}"))
    assert read["timeline"][-1]["note"] == body["reason"]


def test_a_program_of_the_platforms_decides_nothing(story: Story) -> None:
    program = platforms_machine(story.world)
    assert told(program.get(f"{QUEUE}/{story.id}"))["why_not"] is None
    for path, body in steps(story):
        is_problem(program.post(path, body), 403)
    nothing_happened(story)


def test_nobody_but_an_operator_with_the_permission_decides(story: Story) -> None:
    world = story.world
    narrow = operators_app(world, scope="tenants.manage operators.manage platform.audit")
    for caller, status in (
        (narrow, 403),
        (person(world, AMARA), 401),
        (person(world, HANA, "harbor"), 401),
        (Caller(world, ""), 401),
    ):
        for path, body in steps(story):
            is_problem(caller.post(path, body), status)
    nothing_happened(story)


WHOSE: dict[str, tuple[str, dict[str, str], str]] = {
    "asked for it and handed it in": (AMARA, {}, "You asked for this yourself."),
    "it is about": (BEN, {}, "This is about your own access."),
    "is one of the company's people": (DANA, {}, "You are one of this company's people."),
}


@pytest.mark.parametrize("who", WHOSE)
def test_nobody_decides_what_is_theirs(story: Story, who: str) -> None:
    email, asked, sentence = WHOSE[who]
    make_operator(story.world, email)
    operator = operators_app(story.world, email, **asked)
    assert told(operator.get(f"{QUEUE}/{story.id}"))["why_not"].startswith(sentence)
    for path, body in steps(story)[:2]:
        is_problem(operator.post(path, body), 403)
    nothing_happened(story)


def test_an_operator_lets_nobody_into_a_company_of_their_own(story: Story) -> None:
    make_operator(story.world, HANA)
    hana = operators_app(story.world, HANA)
    refused = is_problem(hana.post(*steps(story)[0]), 422)
    assert list(refused["errors"]) == ["company"]
    nothing_happened(story)


def test_an_old_sign_in_decides_nothing(story: Story) -> None:
    olu = operators_app(story.world)
    story.world.run("UPDATE grants SET shown_at = shown_at - :t", t=RECENT + 5)
    for path, body in steps(story):
        answer = olu.post(path, body)
        assert is_problem(answer, 401)["code"] == "insufficient_user_authentication"
        assert 'max_age="900"' in answer.headers["WWW-Authenticate"]
    nothing_happened(story)


WRONG: list[tuple[str, Any, str]] = [
    ("approve", {}, "company"),
    ("approve", {"company": "nowhere"}, "company"),
    ("approve", {"company": "northwind"}, "company"),
    ("approve", {"company": "harbor", "end": "2020-01-01T00:00:00Z"}, "end"),
    ("approve", {"company": "harbor", "end": "2027-06-30"}, "end"),
    ("approve", {"company": "harbor", "decided_by": "x"}, "decided_by"),
    ("approve", {"company": ["harbor"]}, "company"),
    ("refuse", {}, "reason"),
    ("refuse", {"reason": "  "}, "reason"),
    ("refuse", {"reason": "x" * 1001}, "reason"),
]


def test_what_can_not_be_taken_is_refused_by_its_field(story: Story) -> None:
    olu = operators_app(story.world)
    for step, body, field in WRONG:
        refused = is_problem(olu.post(f"{QUEUE}/{story.id}/{step}", body), 422)
        assert list(refused["errors"]) == [field], (step, body)
    nothing_happened(story)


def test_a_company_that_the_form_calls_something_else_is_confirmed(either_world: World) -> None:
    story = Story(either_world).ask(company="The credit union").submit()
    olu, approve = operators_app(either_world), f"{QUEUE}/{story.id}/approve"
    assert told(olu.get(f"{QUEUE}/{story.id}"))["named"] == []
    for confirm in ({}, {"confirm": "northwind"}):
        refused = is_problem(olu.post(approve, {**APPROVAL, **confirm}), 422)
        assert list(refused["errors"]) == ["confirm"]
    nothing_happened(story)
    assert told(olu.post(approve, {**APPROVAL, "confirm": "harbor"}))["status"] == "approved"


def test_a_step_out_of_turn_is_a_conflict(story: Story) -> None:
    olu = operators_app(story.world)
    approve, refuse, end = steps(story)
    is_problem(olu.post(*end), 409)
    told(olu.post(*approve))
    for step in (approve, refuse):
        is_problem(olu.post(*step), 409)
    told(olu.post(*end))
    for step in (approve, refuse, end):
        is_problem(olu.post(*step), 409)


def test_a_draft_and_what_is_not_there_are_not_found(either_world: World) -> None:
    olu, draft = operators_app(either_world), Story(either_world).ask()
    for story in (draft, Story(either_world, "0" * 32)):
        for path, body in steps(story):
            is_problem(olu.post(path, body), 404)
    assert draft.status == "draft"
