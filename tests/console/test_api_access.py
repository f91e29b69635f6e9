"""Access across companies at the API: both companies take their steps as people, operators and
programs look on, and nobody sees more than on the pages."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from idp.directory import imports
from idp.directory.acting import RECENT
from idp.directory.document_kinds import MAX_BYTES
from idp.web.manage.api_nouns import NOUNS
from tests.console.access_story import SIGNED, Story
from tests.console.administering import administering
from tests.console.calling import Caller, machine, person, platforms_machine, tenants_machine
from tests.console.people_of import member_id
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.world import AMARA, BEN, DANA, HANA, World

OURS = "/tenants/northwind/access-requests"
THEIRS = "/tenants/harbor/access-requests"
QUEUE = "/platform/access-requests"
PDF = "application/pdf"
NEW: dict[str, Any] = {
    "email": BEN,
    "company": "Harbor Credit Union",
    "products": ["lms"],
    "reason": "Covers for a colleague.",
    "end": "2027-06-30T00:00:00Z",
}


@pytest.fixture
def amara(either_world: World) -> Caller:
    return person(either_world, AMARA)


def asked(caller: Caller, **changed: Any) -> str:
    return str(told(caller.post(OURS, {**NEW, **changed}), 201)["id"])


def test_the_whole_way(amara: Caller) -> None:
    world = amara.world
    hana, queue = person(world, HANA, "harbor"), platforms_machine(world)
    made = amara.post(OURS, NEW, Idempotency_Key="k")
    here = f"{OURS}/{told(made, 201)['id']}"
    assert told(amara.post(OURS, NEW, Idempotency_Key="k"), 201) == told(made, 201)
    assert told(made, 201)["may"] == ["submit", "withdraw"]
    assert told(made, 201)["wanted_end"] == NEW["end"]
    form = amara.get(f"{here}/form")
    assert (form.status_code, form.mimetype) == (200, PDF)
    assert "Covers for a colleague." in PdfReader(BytesIO(form.data)).pages[0].extract_text()
    sent = told(amara.send(f"{here}/upload", SIGNED, PDF))
    assert (sent["status"], sent["signed_form"]["size"]) == ("submitted", len(SIGNED))
    story = Story(world, sent["id"])
    assert told(hana.get(THEIRS))["items"] == []
    assert [each["id"] for each in told(queue.get(QUEUE))["items"]] == [story.id]
    story.approve(end=story.row.wanted_end)
    there = f"{THEIRS}/{story.id}"
    assert told(hana.get(there))["may"] == ["set_up", "end"]
    assert "agent" in {each["key"] for each in told(hana.get(f"{there}/roles"))["items"]}
    opened = told(hana.post(f"{there}/roles", {"roles": ["agent"]}))
    assert (opened["status"], story.status) == ("active", "active")
    ended = told(amara.post(f"{here}/end"))
    assert [each["what"] for each in ended["timeline"]] == [
        *("asked", "submitted", "approved", "set_up", "ended")
    ]


def test_each_side_sees_its_own_people_and_its_own_papers(amara: Caller) -> None:
    world = amara.world
    story = Story(world, asked(amara, end=None)).submit().approve().set_up()
    hana = person(world, HANA, "harbor")
    ours = told(amara.get(f"{OURS}/{story.id}"))
    theirs = told(hana.get(f"{THEIRS}/{story.id}"))
    operators = told(platforms_machine(world).get(f"{QUEUE}/{story.id}"))
    known = {
        side["side"]: {each["what"]: each["person"] for each in side["timeline"]}
        for side in (ours, theirs, operators)
    }
    assert known["asking"]["asked"] == known["operator"]["asked"]
    assert known["asking"]["approved"] is None
    assert known["asking"]["set_up"] is None
    assert known["receiving"] == {"asked": None, "approved": None, "set_up": known_name(world)}
    assert theirs["signed_form"] is None
    assert ours["signed_form"] == operators["signed_form"]
    assert None not in known["operator"].values()
    is_problem(hana.get(f"{THEIRS}/{story.id}/form"), 404)
    is_problem(hana.post(f"{THEIRS}/{story.id}/signed"), 404)
    for caller, path in ((amara, OURS), (platforms_machine(world), QUEUE)):
        copy = caller.post(f"{path}/{story.id}/signed")
        assert (copy.status_code, copy.data, copy.mimetype) == (200, SIGNED, PDF)
        assert copy.headers["Content-Disposition"].startswith("attachment")
        assert copy.headers["Cache-Control"] == "no-store"
    assert len(world.audit("access.form_read")) == 4  # one here, and three logs


def known_name(world: World) -> str:
    [(name,)] = world.run("SELECT name FROM users WHERE email = :email", email=HANA)
    return str(name)


def test_what_is_no_signed_form_is_not_taken(amara: Caller) -> None:
    upload = f"{OURS}/{asked(amara)}/upload"
    page = b"<html><script>alert(1)</script></html>"
    assert list(is_problem(amara.send(upload, page, PDF), 422)["errors"]) == ["form"]
    assert list(is_problem(amara.send(upload, b"", PDF), 422)["errors"]) == ["form"]
    is_problem(amara.send(upload, SIGNED, "text/html"), 415)
    is_problem(amara.post(upload, {"form": "x"}), 415)
    is_problem(amara.send(upload, b"x" * (MAX_BYTES + 1), PDF), 413)
    assert list(is_problem(amara.send(upload, padded(MAX_BYTES + 1), PDF), 413)) != []
    assert amara.world.run("SELECT count(*) FROM documents") == [(0,)]
    told(amara.send(upload, padded(MAX_BYTES), PDF))
    is_problem(amara.send(upload, SIGNED, PDF), 409)


def padded(size: int) -> bytes:
    head, tail = SIGNED[:9], SIGNED[9:]
    return head + b"%" + b" " * (size - len(SIGNED) - 2) + b"\n" + tail


def test_nobody_without_a_token_makes_us_read_a_large_file(world: World) -> None:
    upload, large = f"{OURS}/{'0' * 32}/upload", b"x" * (MAX_BYTES + 1)
    for caller in (Caller(world, ""), Caller(world, "no-token"), platforms_machine(world)):
        for media_type in (PDF, "multipart/form-data; boundary=x", "application/json"):
            is_problem(caller.send(upload, large, media_type), 401)
    is_problem(person(world).send(f"{OURS}", b"x" * 70_000, "application/json"), 413)


def test_what_can_not_be_asked_for_is_refused_by_its_field(world: World) -> None:
    amara = person(world)
    for changed, field in (
        ({"email": HANA}, "email"),
        ({"company": " "}, "company"),
        ({"company": "Northwind Lending"}, "company"),
        ({"products": []}, "products"),
        ({"products": ["console"]}, "products"),
        ({"reason": ""}, "reason"),
        ({"end": "2020-01-01T00:00:00Z"}, "end"),
        ({"end": "2027-06-30"}, "end"),
        ({"status": "approved"}, "status"),
    ):
        refused = is_problem(amara.post(OURS, {**NEW, **changed}), 422)
        assert list(refused["errors"]) == [field]
    assert world.run("SELECT count(*) FROM access_requests") == [(0,)]


def test_a_step_out_of_turn_is_a_conflict(amara: Caller) -> None:
    world, here = amara.world, f"{OURS}/{asked(amara)}"
    hana, story = person(world, HANA, "harbor"), Story(world, here.rpartition("/")[2])
    is_problem(amara.post(f"{here}/end"), 409)
    is_problem(hana.get(f"{THEIRS}/{story.id}"), 404)
    is_problem(hana.post(f"{THEIRS}/{story.id}/end"), 404)
    is_problem(platforms_machine(world).get(f"{QUEUE}/{story.id}"), 404)  # a draft
    is_problem(platforms_machine(world).post(f"{QUEUE}/{story.id}/signed"), 404)
    is_problem(amara.post(f"{here}/signed"), 404)
    story.submit().approve(end=story.row.wanted_end)
    is_problem(amara.post(f"{here}/withdraw"), 409)
    set_up = f"{THEIRS}/{story.id}/roles"
    for roles in ([], ["account_admin"], ["no-such-role"]):
        assert list(is_problem(hana.post(set_up, {"roles": roles}), 422)["errors"]) == ["roles"]
    is_problem(hana.post(set_up, {"roles": ["agent"], "kind": "owner"}), 422)
    is_problem(amara.post(f"{here}/roles", {"roles": ["agent"]}), 404)
    second = asked(amara, email=DANA)
    assert told(amara.post(f"{OURS}/{second}/withdraw"))["status"] == "withdrawn"
    is_problem(amara.post(f"{OURS}/{second}/withdraw"), 409)


def test_what_would_hurt_needs_a_recent_sign_in(amara: Caller) -> None:
    world = amara.world
    story, hana = Story(world).ask().submit().approve(), person(world, HANA, "harbor")
    world.run("UPDATE grants SET shown_at = shown_at - :t", t=RECENT + 5)
    for answer in (
        amara.post(f"{OURS}/{story.id}/end"),
        hana.post(f"{THEIRS}/{story.id}/end"),
        hana.post(f"{THEIRS}/{story.id}/roles", {"roles": ["agent"]}),
    ):
        assert is_problem(answer, 401)["code"] == "insufficient_user_authentication"
    assert story.status == "approved"


def test_lists_go_on_part_by_part_and_are_narrowed(amara: Caller) -> None:
    world = amara.world
    for number in range(5):
        Story(world).ask(company=f"Company {number}").submit()
        world.clock.move(1)
    amara, queue = person(world), platforms_machine(world)
    for caller, path in ((amara, f"{OURS}?side=asking"), (queue, f"{QUEUE}?status=submitted")):
        whole = told(caller.get(path))["items"]
        parts: list[Any] = []
        following = ""
        while following is not None:
            part = told(caller.get(f"{path}&limit=2&cursor={following}"))
            parts, following = parts + part["items"], part["next"]
        assert parts == whole
        assert len(whole) == 5
    cursor = told(amara.get(f"{OURS}?limit=2"))["next"]
    is_problem(amara.get(f"{OURS}?limit=2&status=draft&cursor={cursor}"), 400)
    is_problem(queue.get(f"{QUEUE}?limit=2&cursor={cursor}"), 400)
    assert told(amara.get(f"{OURS}?status=draft"))["items"] == []
    is_problem(queue.get(f"{QUEUE}?status=draft"), 422)


def test_a_permission_of_one_side_is_not_the_others(world: World) -> None:
    story = Story(world).ask().submit().approve()
    asks = person(world, scope="access.request")
    is_problem(asks.get(f"{OURS}?side=receiving"), 403)
    told(asks.get(f"{OURS}/{story.id}"))
    receives = person(world, scope="access.receive")
    is_problem(receives.get(f"{OURS}/{story.id}"), 404)
    is_problem(receives.get(f"{OURS}/{story.id}/form"), 403)
    is_problem(receives.post(OURS, NEW), 403)
    neither = person(world, scope="people.read")
    for path in (OURS, f"{OURS}/{story.id}"):
        is_problem(neither.get(path), 403)
    narrow = machine(world, "platform-automation", scope="keys.manage")
    for path in (QUEUE, f"{QUEUE}/{story.id}"):
        is_problem(narrow.get(path), 403)


def test_a_program_looks_and_takes_no_step_that_is_a_persons(either_world: World) -> None:
    """Every route that says so refuses a program's token, and changes nothing."""
    world = either_world
    story, program = Story(world).ask(), tenants_machine(world)
    platforms, queued = platforms_machine(world), Story(world).ask(email=DANA).submit()
    with administering(world) as admin:
        an_import = imports.upload(admin, b"email\nx@y.example", "en")
    assert len(told(program.get(OURS))["items"]) == 2
    assert told(program.get(f"{OURS}/{story.id}"))["may"] == ["submit", "withdraw"]
    assert program.get(f"{OURS}/{story.id}/form").mimetype == PDF
    routes = [route for noun in NOUNS for route in noun.routes if route.is_for_people]
    assert len(routes) >= 13
    for route in routes:
        caller, found = (program, story) if route.is_tenants else (platforms, queued)
        path = re.sub("<tenant>|<company>", "northwind", route.path)
        path = path.replace("<member>", member_id(world, DANA))
        path = re.sub(r"<\w+>", an_import, path.replace("<request_id>", found.id))
        if route.upload:
            sent = caller.send(path, SIGNED, route.upload.media_types[0])
        else:
            sent = caller(route.method, path, route.body.example if route.body else None)
        is_problem(sent, 403)
    assert (story.status, queued.status) == ("draft", "submitted")
    assert world.run("SELECT count(*) FROM access_requests") == [(2,)]
    assert world.run("SELECT count(*) FROM operator_visits") == [(0,)]
