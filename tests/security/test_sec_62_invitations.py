"""S62: an invitation is good once, for a while, for one address; its link is in the mail alone."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from idp.audit import NOWHERE
from idp.directory import invitation_listing, invitations
from idp.directory.invitations import LIFETIME
from idp.login import invitation
from idp.login.invitation import NotOpen, SomebodyElse
from tests.console.administering import administering
from tests.console.inviting import NADIA, accept, invite, members, newest_token, prepared
from tests.console.people_of import user_id
from tests.passkeys_of import Keys
from tests.storage.crew import threads_at_once
from tests.world import BEN, DANA, HANA, World


def test_sec_62_what_is_stored_opens_nothing(either_world: World) -> None:
    made = invite(either_world)
    token = newest_token(either_world)
    for table in ("invitations", "outbox", "audit_events"):
        assert token not in str(either_world.run(f"SELECT * FROM {table}"))
    browser = either_world.browser()
    page = browser.enter("/manage/northwind/invitations")
    assert NADIA in page.text
    assert token not in page.text
    assert made in page.text
    stored = either_world.run("SELECT token_hash FROM invitations")[0][0]
    assert browser.get(f"/invitation?token={stored}").status_code == 404


def test_sec_62_twenty_at_once_give_one_membership(either_world: World) -> None:
    invite(either_world)
    token, database = newest_token(either_world), either_world.held.database
    given = (either_world.held.secret_keys, *prepared(either_world, token, "Nadia"))

    def come(number: int) -> str:
        try:
            invitation.accept_as_new(database, token, *given, either_world.clock(), NOWHERE)
        except NotOpen:
            return "refused"
        return "in"

    assert Counter(threads_at_once(come, 20)) == {"in": 1, "refused": 19}
    assert members(either_world) == [("staff", "active")]
    assert len(either_world.audit("invitation.accepted")) == 1


def test_sec_62_twenty_signed_in_at_once_give_one_membership(either_world: World) -> None:
    invite(either_world, HANA)
    token, database = newest_token(either_world), either_world.held.database
    hana = user_id(either_world, HANA)

    def come(number: int) -> str:
        try:
            return invitation.accept(database, token, hana, either_world.clock(), NOWHERE)
        except NotOpen:
            return "refused"

    assert Counter(threads_at_once(come, 20)) == {"northwind": 1, "refused": 19}
    assert len(members(either_world, HANA)) == 2


def spoil(world: World, how: str) -> None:
    if how == "expired":
        world.clock.move(LIFETIME)
    elif how == "revoked":
        with administering(world) as admin:
            (waiting,) = invitation_listing.pending(admin, world.held.secret_keys).invitations
            invitations.revoke(admin, waiting.id)
    elif how == "sent again":
        world.clock.move(1)
        with administering(world) as admin:
            (waiting,) = invitation_listing.pending(admin, world.held.secret_keys).invitations
            invitations.send_again(admin, world.held.secret_keys, waiting.id)
    elif how == "used":
        accept(world, newest_token(world))
    elif how == "company suspended":
        world.run("UPDATE tenants SET status = 'suspended' WHERE slug = 'northwind'")
    elif how == "made by somebody else":
        world.run("UPDATE invitations SET token_hash = 'x'")


BAD = ["expired", "revoked", "sent again", "used", "company suspended", "made by somebody else"]


@pytest.mark.parametrize("how", BAD)
def test_sec_62_a_link_that_is_over_says_no_more(either_world: World, how: str) -> None:
    """Nothing has cleaned up after it."""
    invite(either_world)
    token = newest_token(either_world)
    spoil(either_world, how)
    before = members(either_world)
    with pytest.raises(NotOpen):
        accept(either_world, token)
    browser = either_world.browser()
    page, unknown = browser.get(f"/invitation?token={token}"), browser.get("/invitation?token=no")
    assert page.status_code == unknown.status_code == 404
    for each in (page, unknown):
        assert "This invitation can&#39;t be used." in each.text or "can't be used" in each.text
        assert "Northwind" not in each.text
    reference = re.compile(r"[0-9a-f]{16,}|<code>.*?</code>")
    assert reference.sub("", page.text) == reference.sub("", unknown.text)
    assert members(either_world) == before
    if how == "sent again":
        accept(either_world, newest_token(either_world))
        assert members(either_world) == [("staff", "active")]


def test_sec_62_it_is_for_the_address_that_was_invited(either_world: World) -> None:
    invite(either_world, HANA)
    token = newest_token(either_world)
    for other in (BEN, DANA):
        with pytest.raises(SomebodyElse):
            invitation.accept(
                either_world.held.database,
                token,
                user_id(either_world, other),
                either_world.clock(),
                NOWHERE,
            )
    assert len(members(either_world, HANA)) == 1


def test_sec_62_no_password_is_set_beside_a_passkey(world: World) -> None:
    """Whoever reads their mail has not proven who they are to an account without a password."""
    keys = Keys(world, HANA)
    keys.enrol()
    world.run("DELETE FROM passwords WHERE user_id = :u", u=user_id(world, HANA))
    invite(world, HANA)
    token = newest_token(world)
    assert 'name="password"' not in world.get(f"/invitation?token={token}").text
    with pytest.raises(NotOpen):
        accept(world, token)
    owned = "SELECT count(*) FROM passwords WHERE user_id = :u"
    assert world.run(owned, u=user_id(world, HANA)) == [(0,)]


def test_sec_62_an_account_is_never_opened_over_one_that_is_there(either_world: World) -> None:
    invite(either_world, HANA)
    with pytest.raises(NotOpen):
        accept(either_world, newest_token(either_world))
    assert either_world.browser().tokens(HANA, tenant="harbor")["access_token"]
    assert len(members(either_world, HANA)) == 1
    with administering(either_world) as admin:
        waiting = invitation_listing.pending(admin, either_world.held.secret_keys)
        assert len(waiting.invitations) == 1  # it is not spent by who failed
