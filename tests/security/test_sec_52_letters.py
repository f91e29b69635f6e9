"""S52: nobody's mailbox, and no operator's, is filled by what a company asks us to send."""

from __future__ import annotations

from collections import Counter

import pytest

from idp.directory import imports, invitations
from idp.directory import letters as rationed
from idp.directory.acting import TooOften
from idp.directory.letters import DAY, HOUR, TO_AN_ADDRESS
from idp.worker import import_people
from tests.console.access_story import Story
from tests.console.administering import administering
from tests.console.calling import tenants_machine
from tests.console.inviting import NADIA, invite
from tests.console.people_of import letters
from tests.storage.crew import threads_at_once
from tests.world import World

(AN_HOUR, _), (A_DAY, _) = TO_AN_ADDRESS


def send_again(world: World, made: str) -> None:
    with administering(world) as admin:
        invitations.send_again(admin, world.held.secret_keys, made)


def revoke(world: World, made: str) -> None:
    with administering(world) as admin:
        invitations.revoke(admin, made)


def test_sec_52_an_address_gets_five_invitations_an_hour_and_ten_a_day(
    either_world: World,
) -> None:
    made = invite(either_world)
    for _again in range(AN_HOUR - 1):
        send_again(either_world, made)
    with pytest.raises(TooOften):
        send_again(either_world, made)
    assert len(letters(either_world)) == AN_HOUR
    either_world.clock.move(HOUR)
    for _again in range(A_DAY - AN_HOUR):
        send_again(either_world, made)
    either_world.clock.move(HOUR)
    with pytest.raises(TooOften):
        send_again(either_world, made)
    assert len(letters(either_world)) == A_DAY
    either_world.clock.move(DAY)
    send_again(either_world, made)


def test_sec_52_revoking_and_inviting_anew_is_no_way_around(either_world: World) -> None:
    for _again in range(AN_HOUR):
        revoke(either_world, invite(either_world))
    with pytest.raises(TooOften):
        invite(either_world, NADIA.upper())
    assert len(letters(either_world)) == AN_HOUR
    assert either_world.run("SELECT id FROM invitations WHERE revoked_at IS NULL") == []


def test_sec_52_two_companies_share_what_an_address_gets(either_world: World) -> None:
    made = invite(either_world)
    for _again in range(AN_HOUR - 1):
        send_again(either_world, made)
    harbor = tenants_machine(either_world, "harbor")
    body = {"email": NADIA, "kind": "staff", "roles": ["agent"]}
    refused = harbor.post("/tenants/harbor/invitations", body)
    assert refused.status_code == 429, refused.text
    assert refused.headers["Retry-After"] == f"{HOUR:.0f}"
    assert (refused.json or {})["code"] == "too_many_requests"
    assert "email" in (refused.json or {})["errors"]


def test_sec_52_a_refused_letter_is_told_calmly_and_changes_nothing(world: World) -> None:
    made = invite(world)
    for _again in range(AN_HOUR - 1):
        send_again(world, made)
    before = world.run("SELECT token_hash FROM invitations")
    browser = world.browser()
    page = browser.enter("/manage/northwind/invitations")
    told = browser.submit(page, f"/manage/northwind/invitations/{made}/again")
    assert told.status_code == 429
    assert "has had many invitations" in told.text
    assert world.run("SELECT token_hash FROM invitations") == before


def test_sec_52_a_company_sends_no_more_than_its_share(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rationed, "OF_A_COMPANY", 2)
    with administering(either_world) as admin:
        lines = "".join(f"p{n}@x.example,staff,agent\n" for n in range(4))
        made = imports.upload(admin, f"email,kind,roles\n{lines}".encode(), "en")
    while import_people(either_world.held):
        either_world.clock.move(1)
    with administering(either_world) as admin:
        imports.start(admin, made)
    while import_people(either_world.held):
        either_world.clock.move(1)
    outcomes = either_world.run("SELECT outcome FROM people_import_lines ORDER BY number")
    assert [outcome for (outcome,) in outcomes] == ["invite", "invite", "refuse", "refuse"]
    assert len(letters(either_world)) == 2


def test_sec_52_what_is_refused_takes_nothing_of_what_the_address_may_get(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = invite(either_world)
    with monkeypatch.context() as spent:
        spent.setattr(rationed, "OF_A_COMPANY", 1)
        for _again in range(AN_HOUR):
            with pytest.raises(TooOften):
                send_again(either_world, made)
    send_again(either_world, made)
    assert len(letters(either_world)) == 2


def test_sec_52_operators_get_no_more_requests_than_a_companys_share(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rationed, "REQUESTS_A_DAY", 1)
    first = Story(either_world).ask()
    first.submit()
    second = Story(either_world).ask(company="Another Company")
    with pytest.raises(TooOften):
        second.submit()
    assert either_world.run("SELECT status FROM access_requests WHERE id = :id", id=second.id) == [
        ("draft",)
    ]


def test_sec_52_twenty_at_once_are_still_five(either_world: World) -> None:
    made = invite(either_world)

    def again(number: int) -> str:
        try:
            send_again(either_world, made)
        except TooOften:
            return "refused"
        return "sent"

    sent = AN_HOUR - 1
    assert Counter(threads_at_once(again, 20)) == {"sent": sent, "refused": 20 - sent}


def test_sec_52_an_hour_begins_with_the_first_letter_and_not_with_the_last(
    either_world: World,
) -> None:
    made = invite(either_world)
    either_world.clock.move(HOUR - 1)
    for _again in range(AN_HOUR - 1):
        send_again(either_world, made)
    either_world.clock.move(1)
    send_again(either_world, made)
    assert len(letters(either_world)) == AN_HOUR + 1
