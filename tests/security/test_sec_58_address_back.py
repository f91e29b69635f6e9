"""S58: an address can be had back by its mailbox, and what came with the other goes with it."""

from __future__ import annotations

import pytest

from idp.app import create_pages
from idp.credentials.code_destinations import EMAIL, SMS
from idp.credentials.second_factor_tries import MISSING
from idp.web import letters as writing
from tests.account.proving import is_asked_to_prove, mail_to
from tests.authenticator import b64
from tests.console.people_of import user_id
from tests.credentials import proving
from tests.mailed import NEW as CHOSEN
from tests.mailed import by_link, link_for, mail_for
from tests.passkeys_of import Keys
from tests.security.changing_address import (
    DAY,
    NEW,
    address_of,
    asked_link,
    at_the_page,
    changed,
    given_back,
    open_link,
    undo_link,
)
from tests.world import AMARA, BEN, Visitor, World


@pytest.fixture
def amara(either_world: World) -> Visitor:
    return at_the_page(either_world)


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
