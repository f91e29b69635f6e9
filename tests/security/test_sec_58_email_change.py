"""S58: an address changes by whoever has just proven who they are and reads the new mailbox; the
old one hears of it, and can be had back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from idp.audit import NOWHERE
from idp.directory.upstream_providers import IdentityProviders
from idp.login import email_change
from idp.login.email_move import LinkOver
from tests.account.proving import enrol_app, is_asked_to_prove
from tests.console.people_of import letters, user_id
from tests.security.changing_address import (
    HOUR,
    MINUTE,
    NEW,
    address_of,
    ask,
    asked_link,
    at_the_page,
    changed,
    open_link,
    signs_in,
)
from tests.world import AMARA, BEN, HANA, PASSWORD, Visitor, World


@pytest.fixture
def amara(either_world: World) -> Visitor:
    return at_the_page(either_world)


def test_sec_58_the_old_address_stays_until_the_new_one_is_proven(
    either_world: World, amara: Visitor
):
    own = user_id(either_world, AMARA)
    before = address_of(either_world, own)
    link = asked_link(either_world, amara)
    assert address_of(either_world, own) == before
    assert not signs_in(either_world, NEW)
    assert signs_in(either_world, AMARA)
    amara.get(link)
    assert address_of(either_world, own) == before, "looking at the link changed it"
    assert open_link(amara, link).status_code == 303
    assert address_of(either_world, own)[:2] == (NEW, NEW)
    assert signs_in(either_world, NEW)
    assert not signs_in(either_world, AMARA)


def test_sec_58_both_are_told(either_world: World, amara: Visitor):
    changed(either_world, amara)
    told = {(each["to"], each["template"]) for each in letters(either_world)}
    assert (AMARA, "email/change_asked") in told
    assert (AMARA, "email_changed") in told
    tags = [event["tag"] for event in either_world.audit()]
    assert tags.count("email.change_asked") == tags.count("email.changed") == 1


def test_sec_58_it_takes_a_recent_proof(either_world: World, amara: Visitor):
    opened = amara.get("/account/email")
    either_world.clock.move(16 * MINUTE)
    answer = amara.submit(opened, "/account/email", email=NEW)
    assert is_asked_to_prove(answer)
    assert 'name="password"' in amara.follow(answer).text
    assert either_world.run("SELECT count(*) FROM email_changes") == [(0,)]


def test_sec_58_a_password_alone_is_not_enough_for_who_has_a_second_factor(
    either_world: World, amara: Visitor
):
    opened = amara.get("/account/email")
    enrol_app(either_world, AMARA)
    assert is_asked_to_prove(amara.get("/account/email"))
    assert is_asked_to_prove(amara.submit(opened, "/account/email", email=NEW))
    fresh = either_world.browser()
    page = fresh.follow(fresh.get("/account/email"))
    answer = fresh.submit(page, email=AMARA, password=PASSWORD)
    answer = fresh.get(answer.headers["Location"])
    assert answer.headers["Location"].startswith("/login/second_factor")
    assert either_world.run("SELECT count(*) FROM email_changes") == [(0,)]


def test_sec_58_nothing_that_can_be_sent_makes_an_address_verified(
    either_world: World, amara: Visitor
):
    own = user_id(either_world, AMARA)
    either_world.run("UPDATE users SET email_verified_at = NULL WHERE id = :u", u=own)
    claims = {"email_verified": "true", "email_verified_at": "1", "confirmed_at": "1"}
    for path in ("/account", "/account/email", "/account/email/confirm"):
        page = amara.get("/account/email")
        amara.submit(page, path, email=NEW, name="Amara", locale="en", zoneinfo="UTC", **claims)
    assert address_of(either_world, own)[2] is None


def test_sec_58_the_link_works_once_for_an_hour_and_for_its_account_alone(
    either_world: World, amara: Visitor
):
    link = asked_link(either_world, amara)
    ben = either_world.browser()
    ben.enter("/account", BEN)
    assert ben.get(link).status_code == 404
    form = {"token": link.partition("token=")[2], "person": user_id(either_world, BEN)}
    page = ben.get("/account")
    assert ben.submit(page, "/account/email/confirm", **form).status_code == 404
    stranger = either_world.browser()
    assert is_asked_to_prove(stranger.get(link))
    for _half in range(2):
        assert amara.get(link).status_code == 200
        either_world.clock.move(HOUR / 2)
    assert amara.get(link).status_code == 404
    assert address_of(either_world, user_id(either_world, AMARA))[0] == AMARA


def test_sec_58_who_opens_the_link_elsewhere_signs_in_and_comes_back_to_it(
    either_world: World, amara: Visitor
):
    link = asked_link(either_world, amara)
    phone = either_world.browser()
    asked = phone.follow(phone.get(link))
    landed = phone.follow(phone.submit(asked, email=AMARA, password=PASSWORD))
    assert "Confirm your new address" in landed.text
    assert open_link(phone, link).status_code == 303


@pytest.mark.parametrize("spoilt", ["", "x", "%00", "a" * 43, "a" * 5000])
def test_sec_58_no_other_token_does(either_world: World, amara: Visitor, spoilt: str):
    asked_link(either_world, amara)
    for page in ("confirm", "undo"):
        answer = amara.get(f"/account/email/{page}?token={spoilt}")
        assert answer.status_code in (400, 404)
        form = {"token": spoilt} if "%" not in spoilt else {"token": "\x00"}
        sent = amara.submit(amara.get("/account"), f"/account/email/{page}", **form)
        assert sent.status_code in (400, 404)


def test_sec_58_a_newer_link_a_withdrawal_and_a_use_each_kill_it(
    either_world: World, amara: Visitor
):
    first = asked_link(either_world, amara, "first@northwind.example")
    second = asked_link(either_world, amara, "second@northwind.example")
    assert open_link(amara, first).status_code == 404
    amara.submit(amara.get("/account/email"), "/account/email", action="withdraw")
    assert open_link(amara, second).status_code == 404
    third = asked_link(either_world, amara, "third@northwind.example")
    assert open_link(amara, third).status_code == 303
    assert open_link(amara, third).status_code == 404


def test_sec_58_an_address_that_has_an_account_is_answered_the_same(
    either_world: World, amara: Visitor
):
    free, taken = ask(amara, "free@northwind.example"), ask(amara, HANA)
    assert (free.status_code, free.headers["Location"]) == (303, "/account/email")
    assert (taken.status_code, taken.headers["Location"]) == (303, "/account/email")
    (letter,) = (each for each in letters(either_world) if each["to"] == HANA)
    assert letter["template"] == "email_taken"
    assert "sealed_link" not in letter
    waiting = amara.get("/account/email").text
    assert HANA in waiting


def test_sec_58_an_address_that_got_an_account_meanwhile_is_not_taken_over(
    either_world: World, amara: Visitor
):
    link = asked_link(either_world, amara)
    either_world.run(
        "UPDATE users SET email = :n, email_canonical = :c WHERE email_canonical = :h",
        n=NEW,
        c=NEW.lower(),
        h=HANA,
    )
    assert open_link(amara, link).status_code == 404
    assert address_of(either_world, user_id(either_world, AMARA))[0] == AMARA


def test_sec_58_of_twenty_confirmations_at_once_one_does(either_world: World, amara: Visitor):
    token = asked_link(either_world, amara).partition("token=")[2]
    held, own = either_world.held, user_id(either_world, AMARA)
    given = (held.database, held.secret_keys, IdentityProviders())

    def confirm(_number: int) -> bool:
        try:
            email_change.confirm(*given, own, token, either_world.clock(), NOWHERE)
        except LinkOver:
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(confirm, range(20))) == 1
    assert len(either_world.audit("email.changed")) == 1


def test_sec_58_of_two_who_want_one_address_at_once_one_gets_it(
    either_world: World, amara: Visitor
):
    ben = either_world.browser()
    ben.enter("/account/email", BEN)
    tokens = []
    for email, visitor in ((AMARA, amara), (BEN, ben)):
        either_world.run("DELETE FROM outbox")
        link = asked_link(either_world, visitor)
        tokens.append((user_id(either_world, email), link.partition("token=")[2]))
    held = either_world.held
    given = (held.database, held.secret_keys, IdentityProviders())

    def confirm(who: tuple[str, str]) -> bool:
        try:
            email_change.confirm(*given, *who, either_world.clock(), NOWHERE)
        except LinkOver:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(confirm, tokens)) == [False, True]


def test_sec_58_letters_are_rationed(either_world: World, amara: Visitor):
    for number in range(5):
        assert ask(amara, f"free{number}@northwind.example").status_code == 303
    refused = ask(amara, "free6@northwind.example")
    assert refused.status_code == 422
    assert "as many letters as we send" in refused.text


def test_sec_58_links_wait_sealed_and_are_kept_as_hashes(either_world: World, amara: Visitor):
    token = asked_link(either_world, amara).partition("token=")[2]
    everything = str(either_world.run("SELECT * FROM email_changes"))
    everything += str(either_world.run("SELECT payload FROM outbox"))
    everything += str(either_world.run("SELECT detail FROM audit_events"))
    assert token not in everything


def test_sec_58_a_link_that_was_used_is_not_good_again_when_the_address_is_back(
    either_world: World, amara: Visitor
):
    first = asked_link(either_world, amara)
    assert open_link(amara, first).status_code == 303
    changed(either_world, amara, AMARA)
    assert open_link(amara, first).status_code == 404
    assert address_of(either_world, user_id(either_world, AMARA))[0] == AMARA


def test_sec_58_a_link_is_for_the_address_that_the_account_had(either_world: World, amara: Visitor):
    """Somebody has given it another one meanwhile."""
    own, link = user_id(either_world, AMARA), asked_link(either_world, amara)
    other = "amara.by.import@northwind.example"
    move = "UPDATE users SET email = :n, email_canonical = :n WHERE id = :u"
    either_world.run(move, n=other, u=own)
    assert open_link(amara, link).status_code == 404
    assert address_of(either_world, own)[0] == other


def test_sec_58_what_an_address_gets_is_counted_whoever_asks(either_world: World, amara: Visitor):
    """Or as many as there are people could fill a stranger's mailbox."""
    for _ in range(5):
        assert ask(amara, "free@northwind.example").status_code == 303
    ben = either_world.browser()
    ben.enter("/account/email", BEN)
    assert ask(ben, "free@northwind.example").status_code == 422
    assert ask(ben, "other@northwind.example").status_code == 303


def test_sec_58_asking_for_one_takes_back_nobody_elses(either_world: World, amara: Visitor):
    ben = either_world.browser()
    ben.enter("/account/email", BEN)
    bens = asked_link(either_world, ben, "ben.new@northwind.example")
    asked_link(either_world, amara)
    amara.submit(amara.get("/account/email"), "/account/email", action="withdraw")
    assert open_link(ben, bens).status_code == 303


def test_sec_58_what_was_proven_is_verified_from_then_on(either_world: World, amara: Visitor):
    own = user_id(either_world, AMARA)
    either_world.run("UPDATE users SET email_verified_at = NULL WHERE id = :u", u=own)
    changed(either_world, amara)
    assert address_of(either_world, own)[2] == either_world.clock()


def test_sec_58_the_record_of_a_change_stays_as_it_was(either_world: World, amara: Visitor):
    """What was confirmed was not withdrawn, and what was withdrawn was so once."""
    first = either_world.clock()
    changed(either_world, amara)
    ask(amara, "second@northwind.example")
    amara.submit(amara.get("/account/email"), "/account/email", action="withdraw")
    either_world.clock.move(10)
    ask(amara, "third@northwind.example")
    ends = "SELECT confirmed_at, withdrawn_at FROM email_changes ORDER BY created_at, new_email"
    assert sorted(either_world.run(ends), key=str) == sorted(
        [(first, None), (None, first), (None, None)], key=str
    )


def test_sec_58_a_code_on_its_way_to_the_old_address_is_worthless(
    either_world: World, amara: Visitor
):
    page = amara.get("/account/security/mail")
    amara.submit(page, "/account/security/mail", action="send")
    assert either_world.run("SELECT count(*) FROM sent_codes") == [(1,)]
    changed(either_world, amara)
    assert either_world.run("SELECT count(*) FROM sent_codes") == [(0,)]
