"""S58: an address changes by whoever has just proven who they are and reads the new mailbox; the
old one hears of it, and can be had back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from idp.app import create_pages
from idp.audit import NOWHERE
from idp.credentials.code_destinations import EMAIL, SMS
from idp.credentials.second_factor_tries import MISSING
from idp.directory.upstream_providers import IdentityProviders
from idp.login import email_change
from idp.login.email_move import LinkOver
from idp.web import letters as writing
from tests.account.proving import enrol_app, is_asked_to_prove, link_in, mail_to
from tests.authenticator import b64
from tests.console.people_of import letters, user_id
from tests.credentials import proving
from tests.mailed import NEW as CHOSEN
from tests.mailed import by_link, link_for, mail_for
from tests.passkeys_of import Keys
from tests.world import AMARA, BEN, HANA, PASSWORD, Visitor, World

NEW = "amara.new@northwind.example"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@pytest.fixture
def amara(either_world: World) -> Visitor:
    browser = either_world.browser()
    browser.enter("/account/email")
    return browser


def ask(visitor: Visitor, email: str = NEW) -> Any:
    return visitor.submit(visitor.get("/account/email"), "/account/email", email=email)


def asked_link(world: World, visitor: Visitor, email: str = NEW) -> str:
    assert ask(visitor, email).status_code == 303
    wanted = (email.lower(), "email_link")
    sent = [each for each in letters(world) if (each["to"], each["template"]) == wanted]
    return link_in(world, sent[-1])


def open_link(visitor: Visitor, link: str) -> Any:
    page = visitor.get(link)
    return visitor.submit(page, link.partition("?")[0]) if page.status_code == 200 else page


def undo_link(world: World, old: str) -> str:
    return link_in(world, mail_to(world, old, "email_changed"))


def changed(world: World, visitor: Visitor, email: str = NEW) -> None:
    assert open_link(visitor, asked_link(world, visitor, email)).status_code == 303


def address_of(world: World, user: str) -> Any:
    query = "SELECT email, email_canonical, email_verified_at FROM users WHERE id = :u"
    return world.run(query, u=user)[0]


def signs_in(world: World, email: str) -> bool:
    browser = world.browser()
    page = browser.enter("/account", email)
    return "Sign-in and security" in page.text


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


def test_sec_58_the_old_address_can_be_had_back_and_everybody_is_signed_out(
    either_world: World, amara: Visitor
):
    own = user_id(either_world, AMARA)
    other = either_world.browser()
    tokens = other.tokens()
    changed(either_world, amara)
    link = undo_link(either_world, AMARA)
    stranger = either_world.browser()
    assert stranger.get(link).status_code == 200
    assert address_of(either_world, own)[0] == NEW, "looking at the link changed it"
    assert open_link(stranger, link).status_code == 200
    assert address_of(either_world, own)[0] == AMARA
    assert is_asked_to_prove(amara.get("/account"))
    assert is_asked_to_prove(other.get("/account"))
    assert either_world.introspect(tokens["access_token"]) == {"active": False}
    assert stranger.get(link).status_code == 404
    assert mail_to(either_world, AMARA, "email/given_back")


def test_sec_58_changing_again_does_not_shake_the_old_address_off(
    either_world: World, amara: Visitor
):
    own = user_id(either_world, AMARA)
    changed(either_world, amara, "thief@evil.example")
    either_world.clock.move(10)
    changed(either_world, amara, "thief2@evil.example")
    waiting = asked_link(either_world, amara, "thief3@evil.example")
    thiefs, owners = undo_link(either_world, "thief@evil.example"), undo_link(either_world, AMARA)
    visitor = either_world.browser()
    assert open_link(visitor, owners).status_code == 200
    assert address_of(either_world, own)[0] == AMARA
    assert open_link(visitor, thiefs).status_code == 404, "the thief's own way back"
    either_world.clock.move(1)
    amara.enter("/account", AMARA)
    assert open_link(amara, waiting).status_code == 404, "the thief's next change"
    assert address_of(either_world, own)[0] == AMARA


def test_sec_58_going_back_by_an_ordinary_change_ends_the_ways_to_addresses_since(
    either_world: World, amara: Visitor
):
    own = user_id(either_world, AMARA)
    changed(either_world, amara, "thief@evil.example")
    either_world.clock.move(10)
    changed(either_world, amara, "thief2@evil.example")
    either_world.clock.move(10)
    changed(either_world, amara, AMARA.title())
    visitor = either_world.browser()
    assert open_link(visitor, undo_link(either_world, "thief@evil.example")).status_code == 404
    told = mail_to(either_world, "thief2@evil.example", "email_changed")
    assert "sealed_link" not in told, "its own way back would have been the last one left"
    assert address_of(either_world, own)[1] == AMARA


def test_sec_58_the_way_to_an_address_from_before_it_stays(either_world: World, amara: Visitor):
    own = user_id(either_world, AMARA)
    changed(either_world, amara, "first@northwind.example")
    either_world.clock.move(10)
    changed(either_world, amara, "second@northwind.example")
    either_world.clock.move(10)
    changed(either_world, amara, "First@northwind.example")
    assert open_link(either_world.browser(), undo_link(either_world, AMARA)).status_code == 200
    assert address_of(either_world, own)[0] == AMARA


def test_sec_58_a_way_back_ends_after_a_week(either_world: World, amara: Visitor):
    changed(either_world, amara)
    link = undo_link(either_world, AMARA)
    either_world.clock.move(7 * DAY)
    visitor = either_world.browser()
    assert visitor.get(link).status_code == 404
    assert address_of(either_world, user_id(either_world, NEW.lower()))[0] == NEW


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


@pytest.mark.parametrize("form", ["link", "temporary_password"])
def test_sec_58_what_was_mailed_to_the_other_address_opens_nothing_once_the_old_is_back(
    either_world: World, amara: Visitor, form: str
):
    """Whoever changed the address had another password mailed there."""
    world, thiefs = either_world, "thief@evil.example"
    if form == "link":
        by_link(world)
    changed(world, amara, thiefs)
    thief = world.browser()
    thief.submit(thief.get(link_for(world, thiefs)), password=CHOSEN)
    got = CHOSEN if form == "link" else mail_for(world, thiefs)[-1]["code"]
    world.clock.move(1)
    assert open_link(world.browser(), undo_link(world, AMARA)).status_code == 200
    world.clock.move(1)
    assert world.browser().sign_in(AMARA, got).status_code == 400
    again = world.browser()
    again.submit(again.get(link_for(world, AMARA)), password="dovetail-lantern-83")
    world.clock.move(1)
    own = "dovetail-lantern-83" if form == "link" else mail_for(world, AMARA)[-1]["code"]
    assert world.browser().sign_in(AMARA, own).status_code != 400


def given_back(world: World) -> None:
    """By the old mailbox, a moment later."""
    world.clock.move(1)
    assert open_link(world.browser(), undo_link(world, AMARA)).status_code == 200


def test_sec_58_what_was_enrolled_since_goes_with_the_other_address_and_what_was_before_stays(
    either_world: World, amara: Visitor
):
    world, thiefs = either_world, NEW.lower()
    link = asked_link(world, amara)
    hers = Keys(world).enrol()
    proving.enrol_app(world, BEN)
    world.clock.move(1)
    assert open_link(amara, link).status_code == 303
    world.clock.move(1)
    Keys(world, thiefs).enrol()
    proving.enrol_app(world, thiefs)
    for channel in (SMS, EMAIL):
        proving.enrol_code(world, channel, thiefs)
    codes = proving.new_codes(world, thiefs)
    proving.enrol_app(world, BEN)
    given_back(world)
    assert [key.credential_id for key in Keys(world).listed()] == [b64(hers.credential_id)]
    assert [each.method for each in proving.factors_of(world, AMARA)] == ["passkey"]
    assert proving.refused(proving.recover, world, codes[0]) == MISSING
    assert [each.method for each in proving.factors_of(world, BEN)] == ["totp"]


def test_sec_58_the_audit_and_the_letter_say_what_went_with_the_other_address(
    either_world: World, amara: Visitor
):
    world, thiefs = either_world, NEW.lower()
    changed(world, amara)
    world.clock.move(1)
    proving.enrol_app(world, thiefs)
    proving.new_codes(world, thiefs)
    given_back(world)
    (event,) = world.audit("email.given_back")
    assert sorted(event["factors"]) == ["recovery", "totp"]
    letter = mail_to(world, AMARA, "email/given_back")
    body = writing.write(create_pages(world.held), letter).body
    assert "is removed, and proves nothing any more" in body
    assert "- an authenticator app" in body
    assert "- recovery codes" in body


def test_sec_58_where_nothing_was_enrolled_since_the_letter_tells_of_nothing(
    either_world: World, amara: Visitor
):
    world = either_world
    changed(world, amara)
    given_back(world)
    assert world.audit("email.given_back")[0]["factors"] == []
    letter = mail_to(world, AMARA, "email/given_back")
    assert "is removed" not in writing.write(create_pages(world.held), letter).body


def test_sec_58_recovery_codes_from_before_still_guard_what_a_stranger_replaced(
    either_world: World, amara: Visitor
):
    """Else who reads a mailbox that somebody has left would find no second factor in the way."""
    world = either_world
    link = asked_link(world, amara)
    proving.enrol_app(world)
    codes = proving.new_codes(world)
    world.clock.move(1)
    assert open_link(amara, link).status_code == 303
    world.clock.move(1)
    thiefs = proving.enrol_app(world, NEW.lower())
    given_back(world)
    assert [each.method for each in proving.factors_of(world)] == ["recovery"]
    code = proving.code_of(thiefs, world.clock())
    assert proving.refused(proving.enter, world, code) == MISSING
    assert proving.recover(world, codes[0]).method == "recovery"


def test_sec_58_what_an_earlier_owner_of_the_link_enrolled_stays_when_a_later_one_is_undone(
    either_world: World, amara: Visitor
):
    """A link removes what came since its own change, not since the first."""
    world, between = either_world, "between@northwind.example"
    changed(world, amara, between)
    waiting = asked_link(world, amara)
    world.clock.move(1)
    proving.enrol_app(world, between)
    world.clock.move(1)
    assert open_link(amara, waiting).status_code == 303
    world.clock.move(1)
    proving.enrol_code(world, SMS, NEW.lower())
    assert open_link(world.browser(), undo_link(world, between)).status_code == 200
    assert [each.method for each in proving.factors_of(world, between)] == ["totp"]


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


def test_sec_58_going_back_ends_nobody_elses_way_back(either_world: World, amara: Visitor):
    changed(either_world, amara)
    either_world.clock.move(1)
    ben = either_world.browser()
    ben.enter("/account/email", BEN)
    changed(either_world, ben, "ben.new@northwind.example")
    links = undo_link(either_world, AMARA), undo_link(either_world, BEN)
    for link in links:
        assert open_link(either_world.browser(), link).status_code == 200


def test_sec_58_what_outlived_a_sign_out_ends_with_the_other_address(
    either_world: World, amara: Visitor
):
    world = either_world
    offline = world.browser()
    kept = offline.tokens(AMARA, scope="openid offline_access")
    offline.submit(offline.get("/logout"), decision="sign_out")
    kept = world.refresh(kept["refresh_token"]).json or {}
    changed(world, amara)
    given_back(world)
    answer = world.refresh(kept["refresh_token"])
    assert (answer.json or {})["error"] == "invalid_grant"


def test_sec_58_recovery_codes_that_were_made_since_go_although_what_they_stand_in_for_stays(
    either_world: World, amara: Visitor
):
    world = either_world
    link = asked_link(world, amara)
    Keys(world).enrol()
    world.clock.move(1)
    assert open_link(amara, link).status_code == 303
    world.clock.move(1)
    codes = proving.new_codes(world, NEW.lower())
    given_back(world)
    assert [each.method for each in proving.factors_of(world)] == ["passkey"]
    assert proving.refused(proving.recover, world, codes[0]) == MISSING
