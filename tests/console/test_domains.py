"""Verified domains: proven by a record of a real nameserver's, for one company alone."""

from __future__ import annotations

import re
from dataclasses import replace
from threading import Barrier, Thread

import pytest

from idp import text_records
from idp.directory import domain_looks, domains
from idp.directory.acting import Forbidden, Mistake, NotFound, TooOften
from idp.directory.domain_looks import AT_MOST_EVERY, LOST_AFTER, RECHECK_AFTER
from tests.console.administering import administering, with_roles
from tests.console.calling import tenants_machine
from tests.console.name_server import SILENT, Zone
from tests.console.proving_domains import (
    DOMAINS,
    NAME,
    add,
    asking,
    look,
    save,
    text_of,
    verified,
    zone,
)
from tests.world import AMARA, DANA, HANA, World

__all__ = ["asking", "zone"]

HUGE = [f'TXT "{"x" * 250}{number:04}"' for number in range(45)]


def test_a_company_proves_that_a_domain_is_its_own(asking: World, zone: Zone) -> None:
    browser = asking.browser()
    page = browser.follow(save(browser, browser.enter(DOMAINS), domain=" Northwind.EXAMPLE. "))
    assert "_latchkey.northwind.example" in page.text
    text = re.findall(r"latchkey-domain=[\w-]{43}", page.text)[0]
    missing = browser.follow(save(browser, page))
    assert "There is no such record." in missing.text
    zone.records[f"_latchkey.{NAME}"] = ['TXT "something else"', f'TXT "{text}"']
    asking.clock.move(AT_MOST_EVERY)
    assert "is verified for your company" in browser.follow(save(browser, page)).text
    assert verified(asking) == ["northwind"]
    assert [event["name"] for event in asking.audit("domain.verified")] == [NAME]


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        (None, "missing"),
        ([], "missing"),
        (['TXT "v=spf1 -all"', 'TXT "latchkey-domain="'], "wrong"),
        (["A 127.0.0.1"], "missing"),
        (["CNAME elsewhere.example."], "alias"),
        ([f'TXT "{number}"' for number in range(51)], "too many"),
        (HUGE, "wrong"),
    ],
)
def test_what_is_not_the_record_verifies_nothing(
    asking: World, zone: Zone, records: list[str] | None, outcome: str
) -> None:
    domain_id = add(asking)
    zone.records["elsewhere.example"] = [text_of(asking, domain_id)]
    zone.records[NAME] = [text_of(asking, domain_id)]
    if records is not None:
        zone.records[f"_latchkey.{NAME}"] = records
    assert look(asking, domain_id) == outcome
    assert verified(asking) == []
    page = asking.browser().enter(f"{DOMAINS}/{domain_id}")
    assert 'role="status"' in page.text


def test_an_answer_too_large_for_a_datagram_is_read_whole(asking: World, zone: Zone) -> None:
    domain_id = add(asking)
    zone.records[f"_latchkey.{NAME}"] = [*HUGE, text_of(asking, domain_id)]
    assert look(asking, domain_id) == "found"


def test_a_nameserver_that_does_not_answer_proves_nothing(
    asking: World, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_records, "LIFETIME", 0.3)
    domain_id = add(asking)
    zone.records[f"_latchkey.{NAME}"] = SILENT
    assert look(asking, domain_id) == "unanswered"
    assert verified(asking) == []


def test_nobody_waits_for_a_row_while_a_nameserver_is_asked(
    asking: World, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain_id = add(asking)
    asked = text_records.texts_of

    def while_asked(*names: object) -> list[str]:
        assert asking.run("UPDATE tenants SET name = name") == 2
        return asked(*names)  # type: ignore[arg-type]

    monkeypatch.setattr(text_records, "texts_of", while_asked)
    zone.records[f"_latchkey.{NAME}"] = [text_of(asking, domain_id)]
    assert look(asking, domain_id) == "found"


def test_a_company_has_one_look_under_way(
    asking: World, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask at once, and for however many domains."""
    names = [add(asking, f"{letter}.example") for letter in "abcde"]
    asked, ready = [], Barrier(5)
    outcomes: list[str] = []
    texts_of = text_records.texts_of

    def counted(*about: object) -> list[str]:
        asked.append(about)
        return texts_of(*about)  # type: ignore[arg-type]

    monkeypatch.setattr(text_records, "texts_of", counted)
    asking.clock.move(AT_MOST_EVERY)

    def ask(domain_id: str) -> None:
        ready.wait()
        try:
            with administering(asking) as admin:
                outcomes.append(domain_looks.check(admin, asking.settings, asking.clock, domain_id))
        except TooOften:
            outcomes.append("too often")

    threads = [Thread(target=ask, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    assert sorted(outcomes) == ["missing", *["too often"] * 4]


def test_a_look_that_is_asked_for_again_at_the_api_is_one_look(asking: World, zone: Zone) -> None:
    caller = tenants_machine(asking)
    made = caller.post("/tenants/northwind/domains", {"name": NAME}).json or {}
    zone.records[f"_latchkey.{NAME}"] = [text_of(asking, made["id"])]
    path = f"/tenants/northwind/domains/{made['id']}/check"
    first = caller.post(path, Idempotency_Key="a-look")
    assert (first.status_code, (first.json or {})["id"]) == (200, made["id"]), first.text
    again = caller.post(path, Idempotency_Key="a-look")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.data == first.data
    refused = caller.post(path, Idempotency_Key="another")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "5"
    assert verified(asking) == ["northwind"]


def test_the_text_of_another_companys_record_is_worth_nothing(asking: World, zone: Zone) -> None:
    ours, theirs = add(asking), add(asking, NAME, HANA, "harbor")
    zone.records[f"_latchkey.{NAME}"] = [text_of(asking, ours)]
    assert look(asking, theirs, HANA, "harbor") == "wrong"
    assert look(asking, ours) == "found"


def test_of_two_companies_one_verifies_it(asking: World, zone: Zone) -> None:
    ours, theirs = add(asking), add(asking, NAME, HANA, "harbor")
    both = [text_of(asking, ours), text_of(asking, theirs)]
    zone.records[f"_latchkey.{NAME}"] = both
    asking.clock.move(AT_MOST_EVERY)
    started, outcomes = Barrier(2), []

    def race(domain_id: str, email: str, slug: str) -> None:
        started.wait()
        with administering(asking, email, slug) as admin:
            outcomes.append(domain_looks.check(admin, asking.settings, asking.clock, domain_id))

    sides = ((ours, AMARA, "northwind"), (theirs, HANA, "harbor"))
    threads = [Thread(target=race, args=side) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["found", "taken"]
    assert len(verified(asking)) == 1


def test_it_is_free_for_another_company_once_it_is_removed(asking: World, zone: Zone) -> None:
    ours, theirs = add(asking), add(asking, NAME, HANA, "harbor")
    zone.records[f"_latchkey.{NAME}"] = [text_of(asking, ours), text_of(asking, theirs)]
    assert look(asking, ours) == "found"
    assert look(asking, theirs, HANA, "harbor") == "taken"
    browser = asking.browser()
    page = browser.enter(f"{DOMAINS}/{ours}/remove")
    assert "is removed." in browser.follow(save(browser, page)).text
    assert look(asking, theirs, HANA, "harbor") == "found"


def test_a_domain_that_was_removed_meanwhile_is_not_verified(
    asking: World, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain_id = add(asking)
    text = text_of(asking, domain_id)[5:-1]

    def removed_meanwhile(*_: object) -> list[str]:
        asking.run("DELETE FROM domains")
        return [text]

    monkeypatch.setattr(text_records, "texts_of", removed_meanwhile)
    with pytest.raises(NotFound):
        look(asking, domain_id)


def test_the_worker_looks_again_and_takes_back_what_is_gone(asking: World, zone: Zone) -> None:
    domain_id = add(asking)
    zone.records[f"_latchkey.{NAME}"] = [text_of(asking, domain_id)]
    look(asking, domain_id)

    def recheck() -> int:
        held = asking.held
        return domain_looks.recheck(held.database, held.settings, asking.clock())

    assert recheck() == 0
    asking.clock.move(RECHECK_AFTER)
    assert (recheck(), recheck()) == (1, 0)
    del zone.records[f"_latchkey.{NAME}"]
    asking.clock.move(RECHECK_AFTER)
    assert recheck() == 1
    assert verified(asking) == ["northwind"]
    assert "the record is gone" in asking.browser().enter(DOMAINS).text
    asking.clock.move(LOST_AFTER)
    assert recheck() == 1
    assert verified(asking) == []
    assert len(asking.audit("domain.lost")) == 1


def test_a_record_that_comes_back_in_time_keeps_the_domain(
    asking: World, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_records, "LIFETIME", 0.3)
    domain_id = add(asking)
    record = [text_of(asking, domain_id)]
    zone.records[f"_latchkey.{NAME}"] = record
    look(asking, domain_id)
    for found in ([], SILENT, record, SILENT, []):
        zone.records[f"_latchkey.{NAME}"] = found
        asking.clock.move(LOST_AFTER - 1)
        domain_looks.recheck(asking.held.database, asking.held.settings, asking.clock())
        if found is record:
            assert asking.run("SELECT failing_since FROM domains") == [(None,)]
        if found == SILENT:
            asking.run("UPDATE domains SET failing_since = NULL")
    assert verified(asking) == ["northwind"]


def test_it_is_added_once_and_a_company_has_a_bounded_number(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(world)
    for name in (NAME, NAME.upper()):
        with pytest.raises(Mistake):
            add(world, name)
    monkeypatch.setattr(domains, "MAX_DOMAINS", 1)
    with pytest.raises(Mistake):
        add(world, "second.example")


def test_looking_up_is_throttled(asking: World, zone: Zone) -> None:
    domain_id = add(asking)
    look(asking, domain_id)
    browser = asking.browser()
    page = browser.enter(f"{DOMAINS}/{domain_id}")
    assert save(browser, page).status_code == 429
    assert len(zone.asked) == 1


def test_another_companys_domain_is_not_there(world: World) -> None:
    foreign = add(world, "harbor.example", HANA, "harbor")
    browser = world.browser()
    page = browser.enter(DOMAINS)
    assert "harbor.example" not in page.text
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
    for path in ("", "/remove"):
        assert browser.get(f"{DOMAINS}/{foreign}{path}").status_code == 404
        assert browser.post(f"{DOMAINS}/{foreign}{path}", csrf_token=token).status_code == 404
    assert world.run("SELECT count(*) FROM domains") == [(1,)]


def test_without_the_permission_there_are_no_domains(world: World) -> None:
    domain_id = add(world)
    with_roles(world, DANA, {"reader": {"permissions": {"console": ["people.read"]}}})
    browser = world.browser()
    browser.enter("/manage/northwind", DANA)
    for path in ("", f"/{domain_id}", f"/{domain_id}/remove"):
        assert browser.get(DOMAINS + path).status_code == 403
    with administering(world, DANA) as admin:
        for act in (
            lambda: domains.add(admin, "x.example"),
            lambda: domains.remove(admin, domain_id),
            lambda: domain_looks.check(admin, world.settings, world.clock, domain_id),
        ):
            with pytest.raises(Forbidden):
                act()


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("192.0.2.1", [("192.0.2.1", 53)]),
        (
            "192.0.2.1:5353, [2001:db8::1]:54, 2001:db8::2",
            [("192.0.2.1", 5353), ("2001:db8::1", 54), ("2001:db8::2", 53)],
        ),
        ("[2001:db8::1]", [("2001:db8::1", 53)]),
    ],
)
def test_nameservers_are_named_with_or_without_a_port(
    world: World, named: str, expected: list[tuple[str, int]]
) -> None:
    resolver = text_records._resolver(replace(world.settings, dns_nameservers=named))
    found = [(each.address, each.port) for each in resolver.nameservers]  # type: ignore[union-attr]
    assert found == expected
