"""A domain that may be somebody else's by now lets nobody in by itself, and is the company's as
before: its record is gone, or its nameservers say nothing."""

from __future__ import annotations

from typing import Any

import pytest

from idp import text_records
from idp.directory import domain_looks
from idp.directory.domain_looks import DOUBT_AFTER, RECHECK_AFTER
from tests.console.administering import with_roles
from tests.console.calling import tenants_machine
from tests.console.name_server import SILENT, Zone
from tests.console.proving_domains import (
    DOMAINS,
    add,
    asking,
    look,
    text_of,
    verified,
    zone,
)
from tests.flows.test_admitted import IN, PAGE, QUEUE, decision_page, said, say, waits
from tests.signing_up import NADIA, memberships_of, sign_up, verify_domain
from tests.world import DANA, World

__all__ = ["asking", "zone"]

RECORD = "_latchkey.northwind.example"
EVIL = "evil.example"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_records, "LIFETIME", 0.3)


def admitting(world: World, zone: Zone) -> str:
    """Northwind's domain, as it is proven and stated; its id."""
    domain_id = add(world)
    zone.records[RECORD] = [text_of(world, domain_id)]
    assert look(world, domain_id) == "found"
    world.clock.move(1)
    say(world)
    return domain_id


def recheck(world: World) -> None:
    world.clock.move(RECHECK_AFTER)
    assert domain_looks.recheck(world.held.database, world.settings, world.clock()) == 1


def test_sec_80_a_domain_whose_nameservers_say_nothing_admits_nobody(
    asking: World, zone: Zone
) -> None:
    """Whoever has bought it decides what they say. The company keeps it, and who comes waits."""
    domain_id = admitting(asking, zone)
    found = zone.records[RECORD]
    zone.records[RECORD] = SILENT
    for _ in range(2):
        recheck(asking)
    assert verified(asking) == ["northwind"]
    sign_up(asking, NADIA)
    assert waits(asking, NADIA)
    zone.records[RECORD] = found
    assert look(asking, domain_id) == "found"
    sign_up(asking, "another@northwind.example")
    assert memberships_of(asking, "another@northwind.example") == [IN]


def test_an_outage_of_the_dns_is_over_an_hour_later(asking: World, zone: Zone) -> None:
    """For a few of the domains at a time, those first that have waited longest."""
    names = [f"{letter}.example" for letter in "abcde"]
    for name in names:
        verify_domain(asking, name, at=asking.clock())
        asking.clock.move(1)
    asking.run("UPDATE domains SET outcome = 'unanswered'")
    for name in names:
        zone.records[f"_latchkey.{name}"] = ['TXT "latchkey-domain=c"']
    asking.clock.move(DOUBT_AFTER - 10)

    def doubtful() -> list[str]:
        domain_looks.recheck(asking.held.database, asking.settings, asking.clock())
        rows = asking.run("SELECT name FROM domains WHERE outcome <> 'found' ORDER BY name")
        return [name for (name,) in rows]

    assert doubtful() == names, "not before an hour is over"
    asking.clock.move(10)
    assert doubtful() == names[3:]
    assert doubtful() == []


def test_one_look_that_nobody_answers_makes_no_record_come_back(asking: World, zone: Zone) -> None:
    admitting(asking, zone)
    del zone.records[RECORD]
    recheck(asking)
    zone.records[RECORD] = SILENT
    recheck(asking)
    assert "but the record is gone" in asking.browser().enter(DOMAINS).text
    sign_up(asking, NADIA)
    assert waits(asking, NADIA)


GONE, QUIET = "the record is gone", "no answer"


@pytest.mark.parametrize(("found", "state"), [([], GONE), (SILENT, QUIET)])
def test_the_pages_say_what_the_doubt_is_and_what_it_does(
    asking: World, zone: Zone, found: list[str] | str, state: str
) -> None:
    one = f"{DOMAINS}/{admitting(asking, zone)}"
    browser = asking.browser()
    assert "badge-bad" not in browser.enter(one).text
    zone.records[RECORD] = found
    recheck(asking)
    browser = asking.browser()
    assert f"Verified, but {state}" in browser.enter(DOMAINS).text
    page = browser.get(one).text
    assert f"Verified, but {state}" in page
    assert "nobody comes in by themselves with an address of this domain" in page
    assert ("After three days without it" in page) is (state == GONE)
    shown = said(browser.get(PAGE).text, "northwind.example")
    assert shown.startswith("Waits for approval, since the ")
    assert ("record in the DNS is gone" in shown) is (state == GONE)


@pytest.mark.parametrize(("found", "doubt"), [([], "gone"), (SILENT, "unanswered")])
def test_the_api_says_the_same(
    asking: World, zone: Zone, found: list[str] | str, doubt: str
) -> None:
    domain_id = admitting(asking, zone)

    def told(path: str) -> dict[str, Any]:
        caller = tenants_machine(asking)
        return dict(caller.get(f"/tenants/northwind/{path}").json or {})

    assert told(f"domains/{domain_id}")["doubt"] is None
    zone.records[RECORD] = found
    recheck(asking)
    assert told(f"domains/{domain_id}")["doubt"] == doubt
    its = {"name": "northwind.example", "admits": False, "doubt": doubt}
    assert told("sign-up-policy")["domains"] == [its]


@pytest.mark.parametrize(
    ("found", "doubt", "words"),
    [([], "gone", "is gone from the DNS"), (SILENT, "unanswered", "did not answer when we last")],
)
def test_who_decides_is_told_that_reading_the_mail_proves_little(
    asking: World, zone: Zone, found: list[str] | str, doubt: str, words: str
) -> None:
    admitting(asking, zone)
    zone.records[RECORD] = found
    recheck(asking)
    sign_up(asking, NADIA)
    page = decision_page(asking, NADIA)
    assert words in page
    assert "may be somebody else's by now" in page
    assert "has proven to read the mail there" not in page
    assert "may be somebody else's by now" in asking.browser().enter(QUEUE).text
    [told] = (tenants_machine(asking).get("/tenants/northwind/join-requests").json or {})["items"]
    assert (told["can_be_let_in"], told["doubt"]) == (True, doubt)


def test_sec_79_a_domain_that_is_verified_while_somebody_saves_is_not_what_they_meant(
    asking: World, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever manages domains alone lets nobody in by a nameserver that takes its time."""
    verify_domain(asking)
    with_roles(asking, DANA, {"keeper": {"permissions": {"console": ["domains.manage"]}}})
    domain_id = add(asking, EVIL, DANA)
    zone.records[f"_latchkey.{EVIL}"] = [text_of(asking, domain_id)]
    texts_of = text_records.texts_of

    def slowly(*about: object) -> list[str]:
        asking.clock.move(2)
        say(asking)
        asking.clock.move(1)
        return texts_of(*about)  # type: ignore[arg-type]

    monkeypatch.setattr(text_records, "texts_of", slowly)
    assert look(asking, domain_id, DANA) == "found"
    assert asking.run("SELECT verified_at FROM domains WHERE id = :id", id=domain_id) == [
        (asking.clock(),)
    ]
    sign_up(asking, f"dana2@{EVIL}")
    assert waits(asking, f"dana2@{EVIL}")
