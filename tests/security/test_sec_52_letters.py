"""S52: nobody's mailbox, and no operator's, is filled by what a company asks us to send."""

from __future__ import annotations

from collections import Counter

import pytest

from idp.directory import imports, invitations
from idp.directory import letters as rationed
from idp.directory.acting import Mistake, TooOften
from idp.directory.confirming import Share
from idp.directory.letters import DAY, HOUR, TO_AN_ADDRESS
from idp.worker import import_people
from tests.console.access_story import Story
from tests.console.administering import administering
from tests.console.calling import tenants_machine
from tests.console.inviting import NADIA, invite
from tests.console.people_of import letters
from tests.signing_up import COMPANY, FREDA, browser_at, sign_up
from tests.storage.crew import threads_at_once
from tests.world import DANA, PASSWORD, Visitor, World

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


def test_sec_52_companies_that_nobody_confirmed_send_less_each_and_all_together(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody founds one in a minute; those that are confirmed lack nothing by it."""
    monkeypatch.setattr(rationed, "UNCONFIRMED", Share(2, 9, 3))
    first = founded_by(either_world, "one@first.example", "First")
    second = founded_by(either_world, "two@second.example", "Second")
    assert invitations_until_refused(either_world, "one@first.example", first) == 2
    assert invitations_until_refused(either_world, "two@second.example", second) == 1
    invite(either_world)
    either_world.run("UPDATE tenants SET confirmed_at = 1 WHERE name = 'Second'")
    assert invitations_until_refused(either_world, "two@second.example", second, most=4) == 4


def test_sec_52_one_founder_of_many_companies_takes_a_share_and_no_more(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the network from which they were founded, whenever that was, and from wherever they
    invite; whoever founds one elsewhere lacks nothing by it."""
    monkeypatch.setattr(rationed, "UNCONFIRMED", Share(2, 3, 9))
    for number, share in enumerate([2, 1, 0]):
        email, there = f"one@first{number}.example", f"2001:db8:5:{number}::1"
        slug = founded_by(either_world, email, f"First {number}", browser_at(either_world, there))
        either_world.run("UPDATE attempt_limits SET paused_until = paused_until + 86400")
        assert invitations_until_refused(either_world, email, slug) == share
    elsewhere = browser_at(either_world, "2001:db8:6::1")
    other = founded_by(either_world, "two@second.example", "Second", elsewhere)
    assert invitations_until_refused(either_world, "two@second.example", other) == 2


def test_sec_52_what_strangers_companies_send_somebody_is_apart_from_what_others_may(
    either_world: World,
) -> None:
    """Two a day, of all of them together; a company that is confirmed invites as if there were
    none of it."""
    slugs = {}
    for email in ("one@first.example", "two@second.example"):
        slugs[email] = founded_by(either_world, email, email)
        with administering(either_world, email, slugs[email]) as admin:
            invitations.invite(admin, either_world.held.secret_keys, NADIA, "staff", (), "en")
    assert [again_until_refused(either_world, *each) for each in slugs.items()] == [0, 0]
    made = invite(either_world)
    for _again in range(AN_HOUR - 1):
        send_again(either_world, made)
    either_world.clock.move(DAY)
    assert [again_until_refused(either_world, *each) for each in slugs.items()] == [2, 0]


def again_until_refused(world: World, by: str, slug: str) -> int:
    [(made,)] = world.run(
        "SELECT i.id FROM invitations i JOIN tenants t ON t.id = i.tenant_id WHERE t.slug = :s",
        s=slug,
    )
    for number in range(9):
        try:
            with administering(world, by, slug) as admin:
                invitations.send_again(admin, world.held.secret_keys, made)
        except TooOften:
            return number
    return 9


def test_sec_52_of_many_at_once_from_one_founders_companies_a_share_is_sent(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rationed, "UNCONFIRMED", Share(9, 3, 99))
    slugs = [founded_by(either_world, f"one@at{n}.example", f"At {n}") for n in range(4)]

    def at_once(number: int) -> str:
        place = number % len(slugs)
        try:
            with administering(either_world, f"one@at{place}.example", slugs[place]) as admin:
                whom = f"p{number}@x.example"
                invitations.invite(admin, either_world.held.secret_keys, whom, "staff", (), "en")
        except TooOften:
            return "refused"
        return "sent"

    assert Counter(threads_at_once(at_once, 20)) == {"sent": 3, "refused": 17}


def test_sec_52_who_changes_to_an_address_takes_none_of_its_invitations(
    either_world: World,
) -> None:
    """Anybody has an account."""
    browser = either_world.browser()
    browser.sign_in(DANA, PASSWORD)
    for _again in range(AN_HOUR):
        sent = browser.submit(browser.get("/account/email"), email=NADIA)
        assert sent.status_code == 303, sent.text
    refused = browser.submit(browser.get("/account/email"), email=NADIA)
    assert "as many letters as we send" in refused.text
    invite(either_world)


def founded_by(world: World, email: str, name: str, visitor: Visitor | None = None) -> str:
    """Its slug."""
    sign_up(world, email, company=name, visitor=visitor)
    [(slug,)] = world.run("SELECT slug FROM tenants WHERE name = :n", n=name)
    return str(slug)


def invitations_until_refused(world: World, by: str, slug: str, most: int = 9) -> int:
    for number in range(most):
        try:
            with administering(world, by, slug) as admin:
                whom = f"p{number}-{most}@{slug}.example"
                invitations.invite(admin, world.held.secret_keys, whom, "staff", (), "en")
        except TooOften:
            return number
    return most


@pytest.mark.parametrize(("confirmed", "each", "together"), [(False, 1, 2), (True, 3, 99)])
def test_sec_52_files_of_people_are_rationed(
    either_world: World,
    monkeypatch: pytest.MonkeyPatch,
    confirmed: bool,
    each: int,
    together: int,
) -> None:
    """Upload, drop, upload: what was sent is kept for a while."""
    monkeypatch.setattr(imports, "UPLOADS", 3)
    monkeypatch.setattr(imports, "UNCONFIRMED", Share(1, 9, 2))
    done = 0
    for number in range(3):
        email = f"one@company{number}.example"
        slug = founded_by(either_world, email, f"Company {number}")
        if confirmed:
            either_world.run("UPDATE tenants SET confirmed_at = 1")
        done += uploads_until_refused(either_world, email, slug, at_most=each)
    assert done == min(3 * each, together)


def uploads_until_refused(world: World, by: str, slug: str, at_most: int) -> int:
    done = 0
    for _each in range(at_most + 1):
        try:
            with administering(world, by, slug) as admin:
                made = imports.upload(admin, b"email,kind,roles\na@x.example,staff,\n", "en")
                done += 1
            world.run("UPDATE people_imports SET state = 'dropped' WHERE id = :i", i=made)
        except TooOften:
            pass
    assert done <= at_most
    return done


def test_sec_52_who_is_not_confirmed_imports_few_at_a_time(either_world: World) -> None:
    slug = founded_by(either_world, FREDA, COMPANY)
    lines = "".join(f"p{n}@x.example,staff,\n" for n in range(201))
    with administering(either_world, FREDA, slug) as admin, pytest.raises(Mistake) as refused:
        imports.upload(admin, f"email,kind,roles\n{lines}".encode(), "en")
    assert "200 people" in refused.value.errors["file"]
    assert either_world.run("SELECT count(*) FROM people_import_lines") == [(0,)]
    with administering(either_world) as admin:
        imports.upload(admin, f"email,kind,roles\n{lines}".encode(), "en")


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
