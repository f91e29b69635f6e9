"""S44 and S52 for opening an account: whoever is asked for, the answer and the work are the same,
and how often somebody may ask is bounded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from idp.login import letters_asked, sign_up
from tests.mailed import mail_for, run_errands
from tests.passkeys_of import Keys
from tests.security.browsing import watched_statements
from tests.security.test_sec_44_enumeration import hashing_nothing, told
from tests.signing_up import ask_for, asking_page, browser_at, state, verify_domain
from tests.world import AMARA, DANA, OLU, PASSWORD, VICTOR, World

NOBODY = "nobody@northwind.example"
NO_TENANT = "drifter@northwind.example"
INVITED = "invited@northwind.example"
WAITS = "waits@northwind.example"
CLOSED_TO = "somebody@harbor.example"
CASES = {
    "known": AMARA,
    "unknown, and the company decides": NOBODY,
    "unknown, and the company is closed": CLOSED_TO,
    "unknown, of a company that nobody knows": "somebody@elsewhere.example",
    "unknown, of a public mailbox": "somebody@gmail.com",
    "disabled": VICTOR,
    "a passkey and no password": DANA,
    "invited, and written down": INVITED,
    "invited, and nobody yet": WAITS,
    "of no company": NO_TENANT,
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
    Keys(world, DANA).enrol()
    world.run("DELETE FROM passwords WHERE user_id = :u", u=Keys(world, DANA).person.id)
    admin = world.browser()
    form = admin.enter("/manage/northwind/invitations/new")
    assert admin.submit(form, email=WAITS, kind="staff").status_code == 303
    verify_domain(world)
    verify_domain(world, "harbor.example", "harbor")
    state(world, "harbor", sign_up="closed")
    world.run("DELETE FROM outbox")
    return world


def sent(world: World, email: str) -> tuple[TestResponse, list[str]]:
    """The answer to somebody who asks, and the statements that it took."""
    browser = world.browser()
    page = asking_page(browser)
    with watched_statements() as statements:
        return browser.submit(page, email=email), list(statements)


def test_sec_44_who_opens_an_account_is_answered_like_everybody(crowd: World) -> None:
    answers = {}
    for case, email in CASES.items():
        crowd.clock.move(MINUTE)
        answers[case] = told(sent(crowd, email)[0], email)
    assert answers["known"][0] == 200
    assert {case for case, answer in answers.items() if answer != answers["known"]} == set()


def test_sec_44_opening_an_account_is_the_same_work_for_everybody(
    crowd: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, not timed: nothing is hashed, nobody is looked for, and one errand is left."""
    hashing_nothing(monkeypatch)
    work = {}
    for case, email in CASES.items():
        crowd.run("DELETE FROM outbox")
        statements = sent(crowd, email)[1]
        work[case] = (crowd.run("SELECT kind FROM outbox"), statements)
    assert work["known"][0] == [(sign_up.MESSAGE,)]
    looked_at = "".join(work["known"][1])
    assert not any(table in looked_at for table in ("users", "domains", "invitations"))
    assert {case: did for case, did in work.items() if did != work["known"]} == {}


def test_sec_44_opening_an_account_too_often_is_answered_alike(crowd: World) -> None:
    answers = [told(sent(crowd, email)[0], email) for email in (AMARA, AMARA, NOBODY, NOBODY)]
    assert len({str(each) for each in answers}) == 1


def test_sec_44_the_mailbox_alone_tells_whether_an_account_can_be_opened(crowd: World) -> None:
    for email in CASES.values():
        sent(crowd, email)
    run_errands(crowd)
    came = {case: [each["template"] for each in mail_for(crowd, e)] for case, e in CASES.items()}
    new, has_one = ["sign_up"], ["sign_up_known"]
    assert came == {
        "known": has_one,
        "unknown, and the company decides": new,
        "unknown, and the company is closed": ["sign_up_closed"],
        "unknown, of a company that nobody knows": new,
        "unknown, of a public mailbox": new,
        "disabled": [],
        "a passkey and no password": has_one,
        "invited, and written down": has_one,
        "invited, and nobody yet": new,
        "of no company": has_one,
    }


def errands(world: World) -> int:
    [(found,)] = world.run("SELECT count(*) FROM outbox WHERE kind = :k", k=sign_up.MESSAGE)
    return int(found)


def asks(world: World, email: str, seconds: float, times: int) -> Iterator[int]:
    """Letters so far, after each time."""
    for _ in range(times):
        assert ask_for(world, email).status_code == 200
        yield errands(world)
        world.clock.move(seconds)


def test_sec_52_nobody_is_written_to_more_than_once_a_minute_to_open_an_account(
    either_world: World,
) -> None:
    assert list(asks(either_world, AMARA, 20, 4)) == [1, 1, 1, 2]
    assert list(asks(either_world, f"{AMARA.upper()}.", 20, 1)) == [2], "by any spelling"


def test_sec_52_nor_more_than_five_times_an_hour_and_ten_a_day(either_world: World) -> None:
    world = either_world
    assert list(asks(world, AMARA, MINUTE, 7))[-1] == 5
    world.clock.move(HOUR)
    assert list(asks(world, AMARA, MINUTE, 7))[-1] == 10
    world.clock.move(HOUR)
    assert list(asks(world, AMARA, MINUTE, 1))[-1] == 10
    world.clock.move(DAY)
    assert list(asks(world, AMARA, MINUTE, 1)) == [11]


def test_sec_52_a_network_asks_for_so_many_accounts_an_hour(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = either_world
    monkeypatch.setattr(letters_asked, "OF_A_NETWORK", (3, HOUR))
    browser = world.browser()
    page = asking_page(browser)
    for number in range(5):
        email = f"somebody-{number}@fresh.example"
        assert browser.submit(page, email=email).status_code == 200
    assert errands(world) == 3
    world.clock.move(HOUR)
    ask_for(world, AMARA)
    assert errands(world) == 4


def test_sec_52_and_so_do_all_the_networks_that_one_customer_has(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A /48 of IPv6 has 65,536 of them."""
    world = either_world
    monkeypatch.setattr(letters_asked, "OF_A_SITE", (3, DAY))
    for number in range(5):
        there = browser_at(world, f"2001:db8:5:{number}::1")
        assert ask_for(world, f"somebody-{number}@fresh.example", there).status_code == 200
    assert errands(world) == 3
    ask_for(world, "somebody-5@fresh.example", browser_at(world, "2001:db8:6::1"))
    assert errands(world) == 4
    for number in range(6, 10):
        ask_for(world, f"somebody-{number}@fresh.example", browser_at(world, "192.0.2.1"))
    assert errands(world) == 8, "an IPv4 address is all of its network"
    world.clock.move(DAY)
    ask_for(world, AMARA, browser_at(world, "2001:db8:5::1"))
    assert errands(world) == 9


def test_sec_52_and_all_together_for_so_many_a_day(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = either_world
    monkeypatch.setattr(sign_up, "OF_ALL", (2, DAY))
    strangers = [f"stranger-{number}@fresh.example" for number in range(3)]
    for email in (AMARA, DANA, *strangers):
        assert ask_for(world, email).status_code == 200
        run_errands(world)
    came = [len(mail_for(world, each)) for each in strangers]
    assert came == [1, 1, 0]
    assert len(mail_for(world, AMARA)) == 1, "who has an account takes none of it"
    assert [each["template"] for each in mail_for(world, OLU)] == ["sign_up/held_up"]
    assert len(world.audit("sign_up.held_up")) == 1
    world.clock.move(DAY)
    ask_for(world, strangers[2])
    assert len(mail_for(world, strangers[2])) == 1


def test_the_log_has_no_address_of_who_has_no_account(either_world: World) -> None:
    world = either_world
    for email in (NOBODY, "somebody@fresh.example"):
        ask_for(world, email)
        mail_for(world, email)
        assert email not in str(world.run("SELECT * FROM audit_events"))


@pytest.mark.parametrize(
    "claimed",
    [
        *("", "nobody", "a@@b.example", "a@localhost", "a@my_host.example", "a@10.0.0.1"),
        *("a@b.example\r\nBcc: c@d.example", "a@b.example,c@d.example", '"a@b"@c.example'),
        *("<script>@b.example", "a@\x0bb.example", "am\u200bara@northwind.example"),
        *("\u202eamara@northwind.example", "a" * 250 + "@b.example"),
    ],
)
def test_sec_59_what_is_no_address_opens_nothing(world: World, claimed: str) -> None:
    answer = ask_for(world, claimed)
    assert answer.status_code == 422
    assert "<script>@" not in answer.text
    assert errands(world) == 0
