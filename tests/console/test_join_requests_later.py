"""Who waits is judged as they are when somebody decides, and waits for thirty days (product.md
S5)."""

from __future__ import annotations

import pytest

from idp import retention
from idp.app import create_pages
from idp.directory import letters, letting_in
from idp.directory.acting import Mistake
from idp.web import letters as writing
from tests.console.administering import administering
from tests.console.calling import person, tenants_machine
from tests.mailed import NEW, mail_for
from tests.signing_up import (
    NADIA,
    memberships_of,
    move_address,
    requests_of,
    sign_up,
    verify_domain,
)
from tests.world import AMARA, World

QUEUE = "/manage/northwind/join-requests"
API = "/tenants/northwind/join-requests"
PRIVATE = "nadia@else.example"
DAY = 86400.0
IN = [("Northwind Lending", "staff", "active", "agent")]


@pytest.fixture
def waiting(either_world: World) -> World:
    verify_domain(either_world)
    sign_up(either_world, NADIA, name="Nadia New")
    return either_world


def the_request(world: World) -> str:
    ((found,),) = world.run("SELECT id FROM join_requests")
    return str(found)


def move(world: World) -> None:
    move_address(world, NADIA, PRIVATE)


def remove_domain(world: World) -> None:
    world.run("DELETE FROM domains")


def lose_domain(world: World) -> None:
    world.run("UPDATE domains SET verified_at = NULL")


def hand_domain_on(world: World) -> None:
    remove_domain(world)
    verify_domain(world, slug="harbor")


def disable(world: World) -> None:
    world.run("UPDATE users SET status = 'disabled' WHERE email = :e", e=NADIA)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (move, "They have another address by now"),
        (remove_domain, "The domain of their address is not this company"),
        (lose_domain, "The domain of their address is not this company"),
        (hand_domain_on, "The domain of their address is not this company"),
        (disable, "Their account is disabled"),
    ],
)
def test_sec_80_who_is_not_who_they_were_any_more_is_let_in_by_nobody(
    waiting: World, change: object, sentence: str
) -> None:
    request_id, browser = the_request(waiting), waiting.browser()
    browser.enter(QUEUE)
    before = browser.get(f"{QUEUE}/{request_id}")
    assert sentence not in before.text
    assert callable(change)
    change(waiting)
    late = browser.submit(before, f"{QUEUE}/{request_id}/approve", kind="staff", role="agent")
    assert late.status_code == 422
    page = browser.get(f"{QUEUE}/{request_id}")
    assert sentence in page.text
    assert f"{request_id}/approve" not in page.text
    assert PRIVATE not in page.text
    assert NADIA in page.text
    caller = person(waiting)
    answer = caller.post(f"{API}/{request_id}/approve", {"roles": ["agent"]})
    assert answer.status_code == 422
    assert memberships_of(waiting, NADIA) == memberships_of(waiting, PRIVATE) == []
    with administering(waiting) as admin:
        letting_in.refuse(admin, request_id, "Not one of us")
    assert waiting.run("SELECT status FROM join_requests") == [("refused",)]


def test_who_has_changed_back_is_let_in(waiting: World) -> None:
    move_address(waiting, NADIA, PRIVATE)
    move_address(waiting, PRIVATE, NADIA)
    request_id = the_request(waiting)
    with administering(waiting) as admin:
        assert letting_in.approve(admin, request_id, "staff", ["agent"])
    assert memberships_of(waiting, NADIA) == IN


def test_the_queue_shows_the_address_by_which_they_came(waiting: World) -> None:
    move(waiting)
    text = waiting.browser().enter(QUEUE).text
    assert NADIA in text
    assert PRIVATE not in text
    [told] = person(waiting).get(API).json["items"]  # type: ignore[index]
    assert told["email"] == NADIA


def test_nobody_waits_longer_than_thirty_days(waiting: World) -> None:
    request_id = the_request(waiting)
    waiting.clock.move(30 * DAY)
    browser = waiting.browser()
    assert NADIA not in browser.enter(QUEUE).text
    assert "waited too long" in browser.get(f"{QUEUE}/{request_id}").text
    with administering(waiting) as admin:
        for decide in (
            lambda: letting_in.approve(admin, request_id, "staff", ["agent"]),
            lambda: letting_in.refuse(admin, request_id, "No"),
        ):
            with pytest.raises(Mistake):
                decide()
    assert memberships_of(waiting, NADIA) == []
    assert "let you in first" not in waiting.browser().sign_in(NADIA, NEW, "payments").text
    retention.sweep(waiting.held.database, waiting.clock())
    assert waiting.run("SELECT count(*) FROM join_requests") == [(0,)]


@pytest.mark.parametrize("is_swept", [True, False])
def test_who_waited_in_vain_for_an_address_is_told_as_that(waiting: World, is_swept: bool) -> None:
    """To whoever decides about the next one who comes by it."""
    move(waiting)
    waiting.clock.move(30 * DAY)
    if is_swept:
        retention.sweep(waiting.held.database, waiting.clock())
    sign_up(waiting, NADIA, name="Nadia Next")
    [newest, *_] = waiting.run("SELECT id FROM join_requests ORDER BY asked_at DESC")
    page = waiting.browser().enter(f"{QUEUE}/{newest[0]}")
    assert "had this address before: Nadia New (Waited)" in page.text


def test_up_to_then_somebody_may_decide(waiting: World) -> None:
    request_id = the_request(waiting)
    waiting.clock.move(30 * DAY - 60)
    retention.sweep(waiting.held.database, waiting.clock())
    with administering(waiting) as admin:
        assert letting_in.approve(admin, request_id, "staff", ["agent"])
    waiting.clock.move(300 * DAY)
    retention.sweep(waiting.held.database, waiting.clock())
    assert requests_of(waiting, NADIA) == ["approved"]


def test_sec_84_who_waits_for_a_company_that_ends_hears_of_it(waiting: World) -> None:
    browser, request_id = waiting.browser(), the_request(waiting)
    page = browser.enter("/operate/tenants/northwind/end", "operator@latchkey.example")
    assert browser.submit(page, confirm="Northwind Lending").status_code == 303
    [event] = waiting.audit("join.refused")
    assert (event["request"], event["reason"]) == (request_id, None)
    assert requests_of(waiting, NADIA) == ["refused"]
    [letter] = [e for e in mail_for(waiting, NADIA) if e["template"] == "join/refused"]
    written = writing.write(create_pages(waiting.held), letter)
    assert "is not on Latchkey any more" in written.body
    assert "reason" not in written.body


def test_a_program_lets_in_with_a_role_within_its_rights(waiting: World) -> None:
    caller, request_id = tenants_machine(waiting), the_request(waiting)
    done = caller.post(f"{API}/{request_id}/approve", {"roles": ["agent"]})
    assert done.status_code == 200, done.text
    assert memberships_of(waiting, NADIA) == IN
    [event] = waiting.audit("join.approved")
    assert (event["client"], event["after"]) == ("northwind-all", ["agent"])


def test_sec_52_so_many_letters_a_day_tell_of_who_waits(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue shows the rest."""
    world = either_world
    monkeypatch.setattr(letters, "JOINING_A_DAY", 2)
    verify_domain(world)
    for number in range(4):
        sign_up(world, f"nadia+{number}@northwind.example")
    assert told_of_joining(world) == 2
    assert len(requests(world)) == 4
    world.clock.move(DAY)
    sign_up(world, "nadia@northwind.example")
    assert told_of_joining(world) == 3


def told_of_joining(world: World) -> int:
    return len([each for each in mail_for(world, AMARA) if each["template"] == "join/asked"])


def requests(world: World) -> list[str]:
    with administering(world) as admin:
        page = letting_in.waiting(admin, world.held.secret_keys)
    return [each.email for each in page.requests]


def test_a_letter_names_who_waits_by_the_address_that_they_have_proven(waiting: World) -> None:
    """What they have typed could be a link."""
    [letter] = [e for e in mail_for(waiting, AMARA) if e["template"] == "join/asked"]
    written = writing.write(create_pages(waiting.held), letter)
    assert written.subject == f"{NADIA} waits to be let into Northwind Lending"
    assert "Nadia New" not in written.body


def test_a_member_of_companies_is_not_told_to_wait(waiting: World) -> None:
    """Two, so that none of them is named."""
    for slug in ("northwind", "harbor"):
        role = {"key": "nothing", "name": "Nothing"}
        name = {"northwind": "Northwind Lending", "harbor": "Harbor Credit Union"}[slug]
        waiting.apply(tenants=[{"slug": slug, "name": name, "roles": [role]}])
    in_both = [{"tenant": slug, "roles": ["nothing"]} for slug in ("northwind", "harbor")]
    waiting.apply(users=[{"email": NADIA, "name": "Nadia New", "memberships": in_both}])
    waiting.clock.move(2)
    assert requests_of(waiting, NADIA) == ["waiting"]
    refused = waiting.browser().sign_in(NADIA, NEW, "payments")
    assert "let you in first" not in refused.text
