"""S52: nobody is bombed with codes, and no number that costs money is called."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from idp.audit import Origin
from idp.credentials import code_budgets, phone_numbers
from idp.credentials.networks import network_of, site_of
from idp.credentials.phone_numbers import ELSEWHERE, NO_MOBILE, UNSOUND, PhoneMistake
from idp.credentials.sent_code import ENROL, SIGN_IN
from idp.directory.confirming import Share
from idp.settings import Settings
from tests.console.people_of import company
from tests.credentials.proving import PHONE, enrol_code, place, send, sent
from tests.signing_up import FREDA, NADIA, browser_at, sign_up, verify_domain
from tests.storage.crew import threads_at_once
from tests.world import AMARA, BEN, DANA, OLU, World

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
TAKEN = "SELECT failed FROM attempt_limits WHERE key = :key"
EXAMPLES = {  # by country
    "+1 201 555 0123": "+12015550123",
    "(201) 555-0123": "+12015550123",
    "00442079460000": UNSOUND,
    "+44 7400 123456": "+447400123456",
    "+34 612 34 56 78": "+34612345678",
    "+34 810 12 34 56": NO_MOBILE,
    "+44 9012 345678": NO_MOBILE,  # premium
    "+1 900 234 5678": NO_MOBILE,  # premium
    "+44 8431 234567": NO_MOBILE,  # shared cost
    "+34 901 12 34 56": NO_MOBILE,  # shared cost
    "+1 800 234 5678": NO_MOBILE,
    "+371 21 234 567": ELSEWHERE,
    "+882 16 12345678": ELSEWHERE,
    "+88216123456789012": UNSOUND,
    "+1 876 210 1234": ELSEWHERE,  # Jamaica shares its code with the USA
    "+1 201 555 0123 ext. 5": UNSOUND,
    "": UNSOUND,
    "tel:evil": UNSOUND,
    "1" * 5000: UNSOUND,
    "+1\u0000201": UNSOUND,
}


@pytest.mark.parametrize("typed", EXAMPLES)
def test_sec_52_only_mobiles_of_chosen_countries_are_written_to(typed: str) -> None:
    expected = EXAMPLES[typed]
    if expected.startswith("+"):
        assert phone_numbers.read(Settings(), typed) == expected
        return
    with pytest.raises(PhoneMistake) as caught:
        phone_numbers.read(Settings(), typed)
    assert str(caught.value) == expected


def test_sec_52_no_country_means_no_number() -> None:
    for number in ("+12015550123", "2015550123"):
        with pytest.raises(PhoneMistake):
            phone_numbers.read(Settings(sms_countries=""), number)


@pytest.mark.parametrize("purpose", [SIGN_IN, ENROL])
def test_sec_52_an_account_gets_one_a_minute_five_an_hour_and_ten_a_day(
    either_world: World, purpose: str
) -> None:
    there = enrol_code(either_world, "sms")._replace(purpose=purpose)
    either_world.clock.move(DAY)
    either_world.run("DELETE FROM outbox")
    at: list[float] = []
    began = either_world.clock()
    for number in range(100):  # every 15 seconds, and then every quarter of an hour
        before = len(sent(either_world))
        send(either_world, there._replace(binding=f"attempt {number}"), PHONE)
        if len(sent(either_world)) > before:
            at.append(either_world.clock() - began)
        either_world.clock.move(15 if number < 50 else 900)
    assert at[:5] == [0, 60, 120, 180, 240]
    assert [sum(1 for t in at if t < HOUR), sum(1 for t in at if t < DAY)] == [5, 10]
    withheld = Counter(e["reason"] for e in either_world.audit("second_factor.code_withheld"))
    assert set(withheld) == {"of the account"}


def test_sec_52_a_number_is_spared_by_whichever_accounts(either_world: World) -> None:
    for email in (AMARA, BEN, DANA):
        for number in range(3):
            there = place(either_world, "sms", ENROL, email, f"attempt {number}")
            send(either_world, there, PHONE)
            either_world.clock.move(61)
    assert len(sent(either_world)) == 5
    reasons = {e["reason"] for e in either_world.audit("second_factor.code_withheld")}
    assert reasons == {"of the destination"}


def test_sec_52_changing_the_number_is_no_way_around(either_world: World) -> None:
    for last in range(20):
        send(either_world, place(either_world, "sms", ENROL), f"+120155501{last:02}")
        either_world.clock.move(61)
    assert len(sent(either_world)) == 5


def test_sec_52_a_network_and_a_company_have_their_budgets(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(either_world.settings, code_network_budget=2)
    monkeypatch.setattr(either_world, "held", replace(either_world.held, settings=few))
    for number, email in enumerate((AMARA, BEN, DANA)):
        there = place(either_world, "sms", ENROL, email)
        send(either_world, there, f"+1201555010{number}")
    assert len(sent(either_world)) == 2
    there = place(either_world, "sms", ENROL, DANA)
    send(either_world, there, "+12015550102", Origin("198.51.100.9"))
    assert len(sent(either_world)) == 3
    poor = replace(either_world.settings, code_tenant_budget=3)
    monkeypatch.setattr(either_world, "held", replace(either_world.held, settings=poor))
    either_world.clock.move(61)
    send(either_world, there, "+12015550102", Origin("198.51.100.9"))
    assert len(sent(either_world)) == 3
    reasons = [e["reason"] for e in either_world.audit("second_factor.code_withheld")]
    assert reasons == ["of the network", "of the company"]


def test_sec_52_who_is_in_no_confirmed_company_costs_little_money(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by a company that they founded, nor before they have come to one."""
    monkeypatch.setattr(code_budgets, "ENROLLING", Share(2, 9, 3))
    texts = []
    for number in range(5):
        email = f"one@company{number}.example"
        sign_up(either_world, email, company=f"Company {number}")
        company = "a company" if number < 3 else ""
        before = texts_of(either_world)
        there = place(either_world, "sms", ENROL, email)
        origin = Origin(f"198.51.100.{number}")
        send(either_world, there, f"+1201555010{number}", origin, tenant_id=company)
        texts.append(texts_of(either_world) - before)
    assert texts == [1, 1, 0, 1, 0]
    reasons = {e["reason"] for e in either_world.audit("second_factor.code_withheld")}
    assert reasons == {"of the company"}
    for known in (AMARA, OLU):
        before = texts_of(either_world)
        send(either_world, place(either_world, "sms", ENROL, known), PHONE)
        assert texts_of(either_world) == before + 1
        either_world.clock.move(61)
    either_world.run("UPDATE tenants SET confirmed_at = 1")
    last = place(either_world, "sms", ENROL, "one@company4.example")
    send(either_world, last, "+12015550107", Origin("198.51.100.99"))
    assert either_world.audit("second_factor.code_withheld")[2:] == []


def test_sec_52_who_enrols_many_numbers_keeps_nobody_from_signing_in(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that is enrolled has its own budget, which is bounded too."""
    world = either_world
    monkeypatch.setattr(code_budgets, "ENROLLING", Share(9, 9, 1))
    monkeypatch.setattr(code_budgets, "ENROLLED", Share(9, 9, 2))
    sign_up(world, FREDA)
    world.run("DELETE FROM outbox")
    enrol_code(world, "sms", FREDA)
    world.run("DELETE FROM outbox")
    sign_up(world, "mallory@evil.example", company="Evil")
    send(world, place(world, "sms", ENROL, "mallory@evil.example"), "+12015550177")
    assert texts_of(world) == 0, "what there was to enrol with is used up"
    for expected in (1, 2, 2):
        world.clock.move(61)
        send(world, place(world, "sms", SIGN_IN, FREDA))
        assert texts_of(world) == expected
    reasons = [e["reason"] for e in world.audit("second_factor.code_withheld")]
    assert reasons == ["of the company"] * 2


def test_sec_52_one_founder_takes_a_share_of_the_texts(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, texts = either_world, []
    monkeypatch.setattr(code_budgets, "ENROLLING", Share(9, 1, 9))
    for number, network in enumerate(["192.0.2.1", "192.0.2.1", "192.0.2.2"]):
        email = f"one@company{number}.example"
        sign_up(world, email, company=f"Company {number}", visitor=browser_at(world, network))
        [(company,)] = world.run("SELECT id FROM tenants WHERE name = :n", n=f"Company {number}")
        there, origin = place(world, "sms", ENROL, email), Origin(f"198.51.100.{number}")
        before = texts_of(world)
        send(world, there, f"+1201555010{number}", origin, tenant_id=company)
        texts.append(texts_of(world) - before)
    assert texts == [1, 0, 1]


def texts_of(world: World) -> int:
    [(found,)] = world.run("SELECT count(*) FROM outbox WHERE kind = 'sms'")
    return int(found)


def test_sec_52_those_who_wait_for_a_company_have_a_budget_of_their_own(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = either_world
    verify_domain(world)
    sign_up(world, NADIA)
    world.run("DELETE FROM outbox")
    poor = replace(world.settings, code_tenant_budget=1)
    monkeypatch.setattr(world, "held", replace(world.held, settings=poor))
    for number, email in enumerate((NADIA, DANA)):  # where she is in no company by now
        send(world, place(world, "sms", ENROL, email), f"+1201555010{number}")
    assert len(sent(world)) == 2
    world.clock.move(61)
    send(world, place(world, "sms", ENROL, NADIA), "+12015550100")
    assert len(sent(world)) == 2
    assert world.audit("second_factor.code_withheld")[-1]["reason"] == "of the company"
    northwinds = company(world, "northwind").id
    assert world.run(TAKEN, key=f"codes for:{northwinds}") == [], "nothing of its people's"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "nonsense", True),
    ],
)
def test_sec_52_a_network_is_what_its_owner_can_not_change(
    one: str, other: str, is_same: bool
) -> None:
    assert (network_of(one) == network_of(other)) is is_same


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8:5:1::1", "2001:db8:5:ffff::2", True),
        ("2001:db8:5::1", "2001:db8:6::1", False),
    ],
)
def test_sec_52_a_customer_may_have_many_networks(one: str, other: str, is_same: bool) -> None:
    assert (site_of(one) == site_of(other)) is is_same


def test_sec_52_of_twenty_who_ask_at_once_one_is_sent_a_code(either_world: World) -> None:
    there = place(either_world, "sms", ENROL)
    threads_at_once(lambda number: send(either_world, there, PHONE), 20)
    assert len(sent(either_world)) == 1
    assert len(either_world.audit("second_factor.code_withheld")) == 19


def test_sec_52_what_is_withheld_leaves_the_code_before_it_good(either_world: World) -> None:
    there = enrol_code(either_world, "sms")
    send(either_world, there)
    before = either_world.run("SELECT * FROM sent_codes")
    send(either_world, there)
    assert either_world.run("SELECT * FROM sent_codes") == before


def test_who_has_enrolled_nothing_is_sent_nothing(world: World) -> None:
    send(world, place(world, "sms"))
    send(world, place(world, "email"))
    assert sent(world) == []


def test_sec_52_what_is_counted_names_no_number(world: World) -> None:
    send(world, place(world, "sms", ENROL), PHONE)
    kept = str(world.run("SELECT key FROM attempt_limits"))
    assert "codes to:" in kept
    assert PHONE not in kept
