"""S44 for forgotten passwords: whoever is asked for, the answer and the work are the same, and how
often somebody may ask is bounded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from idp.login import resetting
from tests.mailed import ask, mail_for, run_errands
from tests.passkeys_of import Keys
from tests.security.browsing import watched_statements
from tests.security.test_sec_44_enumeration import hashing_nothing, told
from tests.world import AMARA, BEN, DANA, PASSWORD, VICTOR, World

NOBODY = "nobody@northwind.example"
NO_TENANT = "drifter@northwind.example"
INVITED = "invited@northwind.example"
KEYS_ALONE = DANA
CASES = {
    "known": AMARA,
    "unknown": NOBODY,
    "disabled": VICTOR,
    "a passkey and no password": KEYS_ALONE,
    "no password": INVITED,
    "of no company": NO_TENANT,
    "of a company that nobody knows": "somebody@elsewhere.example",
}
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@pytest.fixture
def crowd(either_world: World) -> World:
    world = either_world
    agent = [{"tenant": "northwind", "roles": ["agent"]}]
    world.apply(
        users=[
            {"email": INVITED, "name": "In Vited", "invitation": True, "memberships": agent},
            {"email": NO_TENANT, "name": "No Tenant", "password": PASSWORD},
        ]
    )
    Keys(world, KEYS_ALONE).enrol()
    world.run("DELETE FROM passwords WHERE user_id = :u", u=Keys(world, KEYS_ALONE).person.id)
    world.run("DELETE FROM outbox")
    return world


def sent(world: World, email: str) -> tuple[TestResponse, list[str]]:
    """The answer to somebody who asks, and the statements that it took."""
    browser = world.browser()
    page = browser.get("/login/forgot")
    with watched_statements() as statements:
        return browser.submit(page, email=email), list(statements)


def test_sec_44_the_answer_is_the_same_for_everybody(crowd: World) -> None:
    expected = told(sent(crowd, CASES["known"])[0], CASES["known"])
    assert expected[0] == 200
    for case, email in CASES.items():
        crowd.clock.move(MINUTE)
        assert told(sent(crowd, email)[0], email) == expected, case


def test_sec_44_the_work_is_the_same_for_everybody(
    crowd: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, not timed: nothing is hashed, nobody is looked for, and one errand is left."""
    hashing_nothing(monkeypatch)
    work = {}
    for case, email in CASES.items():
        crowd.run("DELETE FROM outbox")
        statements = sent(crowd, email)[1]
        work[case] = (crowd.run("SELECT kind FROM outbox"), statements)
    assert work["known"][0] == [(resetting.MESSAGE,)]
    assert not any("users" in each for each in work["known"][1])
    assert {case: did for case, did in work.items() if did != work["known"]} == {}


def test_sec_44_the_answer_is_the_same_for_who_has_asked_too_often(crowd: World) -> None:
    answers = [told(sent(crowd, email)[0], email) for email in (AMARA, AMARA, NOBODY, NOBODY)]
    assert len({str(each) for each in answers}) == 1


def test_sec_44_the_mailbox_alone_tells_who_has_an_account(crowd: World) -> None:
    for email in CASES.values():
        sent(crowd, email)
    run_errands(crowd)
    came = {
        email: [each["template"] for each in mail_for(crowd, email)] for email in CASES.values()
    }
    assert came[AMARA] == ["password_reset"]
    assert came[KEYS_ALONE] == ["no_password"]
    for email in (NOBODY, VICTOR, "somebody@elsewhere.example"):
        assert came[email] == []


def errands(world: World) -> int:
    [(found,)] = world.run("SELECT count(*) FROM outbox WHERE kind = :k", k=resetting.MESSAGE)
    return int(found)


def asks(world: World, email: str, seconds: float, times: int) -> Iterator[int]:
    """Letters so far, after each time."""
    for _ in range(times):
        ask(world.browser(), email)
        yield errands(world)
        world.clock.move(seconds)


def test_sec_44_an_address_is_written_to_once_a_minute(either_world: World) -> None:
    assert list(asks(either_world, AMARA, 20, 4)) == [1, 1, 1, 2]
    assert list(asks(either_world, AMARA.upper(), 20, 1)) == [2], "by any spelling"


def test_sec_44_five_times_an_hour_and_ten_times_a_day(either_world: World) -> None:
    world = either_world
    assert list(asks(world, AMARA, MINUTE, 8))[-1] == 5
    world.clock.move(HOUR)
    assert list(asks(world, AMARA, MINUTE, 8))[-1] == 10
    world.clock.move(HOUR)
    assert list(asks(world, AMARA, MINUTE, 2))[-1] == 10
    world.clock.move(DAY)
    assert list(asks(world, AMARA, MINUTE, 1)) == [11]


def test_sec_44_a_network_asks_a_hundred_times_an_hour(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    page = browser.get("/login/forgot")
    for number in range(103):
        answer = browser.submit(page, email=f"somebody-{number}@northwind.example")
        assert answer.status_code == 200
    assert errands(world) == 100
    world.clock.move(HOUR)
    ask(browser, AMARA)
    assert errands(world) == 101


def test_sec_44_a_companys_people_get_so_many_letters_a_day(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = either_world
    monkeypatch.setattr(resetting, "OF_A_COMPANY", (1, DAY))
    for email, letters in ((AMARA, 1), (BEN, 0)):
        ask(world.browser(), email)
        assert len(mail_for(world, email)) == letters
    assert len(world.audit("password.reset_asked")) == 1
    world.clock.move(DAY)
    ask(world.browser(), BEN)
    assert len(mail_for(world, BEN)) == 1


@pytest.mark.parametrize(
    "claimed", ["", "nobody", "a@@b.example", "a@b.example\r\nBcc: c@d.example"]
)
def test_sec_44_what_is_no_address_is_refused_before_anything(world: World, claimed: str) -> None:
    answer = ask(world.browser(), claimed)
    assert answer.status_code == 422
    assert errands(world) == 0
