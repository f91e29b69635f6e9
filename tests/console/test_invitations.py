"""Invitations: who may send them, what is in the mail alone, and that one is good once."""

from __future__ import annotations

import re

import pytest

from idp.app import create_pages
from idp.audit import NOWHERE
from idp.directory import invitation_listing, invitations
from idp.directory.acting import RECENT, Forbidden, Mistake, NotFound, RecentSignInNeeded
from idp.login import invitation as accepting
from idp.web import letters as writing
from tests.console.administering import administering
from tests.console.inviting import CHOSEN, NADIA, accept, invite, members, newest_token
from tests.console.people_of import add_clerk, administration, letters, roles, user_id
from tests.world import BEN, HANA, PASSWORD, VICTOR, World, claims_of


def test_somebody_new_comes_in_with_the_roles_they_were_given(either_world: World) -> None:
    invite(either_world, kind="organization", roles=("agent", "analyst"))
    accept(either_world, newest_token(either_world))
    assert members(either_world) == [("organization", "active")]
    assert roles(either_world, NADIA) == {"agent", "analyst"}
    with administration(either_world) as admin:
        assert invitation_listing.pending(admin, either_world.held.secret_keys).invitations == []
    (event,) = either_world.audit("invitation.accepted")
    assert event["actor"] == user_id(either_world, NADIA)


def test_who_may_not_give_a_role_can_not_invite_with_it(either_world: World) -> None:
    add_clerk(either_world, BEN)
    keys = either_world.held.secret_keys
    for role in ("account_admin",):
        with administering(either_world, BEN) as admin, pytest.raises(Forbidden):
            invitations.invite(admin, keys, NADIA, "staff", [role], "en")
    made = invite(either_world, roles=("account_admin",))
    with administering(either_world, BEN) as admin, pytest.raises(Forbidden):
        invitations.send_again(admin, keys, made)
    with (
        administration(either_world, may=frozenset({"people.read"})) as admin,
        pytest.raises(Forbidden),
    ):
        invitations.invite(admin, keys, "x@y.example", "staff", [], "en")
    with (
        administration(either_world, may=frozenset({"people.read"})) as admin,
        pytest.raises(Forbidden),
    ):
        invitations.revoke(admin, made)
    with administration(either_world, may=frozenset()) as admin, pytest.raises(Forbidden):
        invitation_listing.pending(admin, keys)


def test_inviting_wants_a_recent_sign_in(either_world: World) -> None:
    with administering(either_world) as admin:
        object.__setattr__(admin, "now", admin.now + RECENT + 1)
        with pytest.raises(RecentSignInNeeded):
            invitations.invite(admin, either_world.held.secret_keys, NADIA, "staff", [], "en")


def test_another_companys_invitation_is_none_here(either_world: World) -> None:
    made = invite(either_world)
    keys = either_world.held.secret_keys
    with administering(either_world, HANA, "harbor") as admin:
        assert invitation_listing.pending(admin, keys).invitations == []
    for act in (
        lambda admin: invitations.revoke(admin, made),
        lambda admin: invitations.send_again(admin, keys, made),
    ):
        with administering(either_world, HANA, "harbor") as admin, pytest.raises(NotFound):
            act(admin)


@pytest.mark.parametrize(
    ("email", "kind", "role", "field"),
    [
        ("", "staff", "agent", "email"),
        ("no address", "staff", "agent", "email"),
        ("a@b.example\r\nBcc: c@d.example", "staff", "agent", "email"),
        (BEN, "staff", "agent", "email"),
        ("BEN@Northwind.example", "staff", "agent", "email"),
        (VICTOR, "staff", "agent", "email"),
        (NADIA, "boss", "agent", "kind"),
        (NADIA, "staff", "nothing", "roles"),
    ],
)
def test_what_can_not_be_taken_is_told_by_its_field(
    either_world: World, email: str, kind: str, role: str, field: str
) -> None:
    with pytest.raises(Mistake) as told:
        invite(either_world, email, (role,), kind)
    assert list(told.value.errors) == [field]
    assert letters(either_world) == []


def test_an_address_is_invited_once_at_a_time(either_world: World) -> None:
    invite(either_world)
    with pytest.raises(Mistake):
        invite(either_world, NADIA.upper())
    assert len(letters(either_world)) == 1


def test_a_role_that_is_gone_is_not_given(either_world: World) -> None:
    invite(either_world, roles=("agent", "analyst"))
    either_world.run(
        "DELETE FROM roles WHERE key = 'analyst' AND tenant_id ="
        " (SELECT id FROM tenants WHERE slug = 'northwind')"
    )
    accept(either_world, newest_token(either_world))
    assert roles(either_world, NADIA) == {"agent"}


def test_pending_invitations_come_page_by_page(either_world: World) -> None:
    for number in range(5):
        invite(either_world, f"n{number}@x.example")
        either_world.clock.move(1)
    keys, seen, cursor = either_world.held.secret_keys, [], ""
    with administering(either_world) as admin:
        while True:
            page = invitation_listing.pending(admin, keys, cursor, size=2)
            seen += [each.email for each in page.invitations]
            if page.next is None:
                break
            cursor = page.next
    assert seen == [f"n{number}@x.example" for number in (4, 3, 2, 1, 0)]


def test_the_way_in_leads_through_the_sign_in(world: World) -> None:
    invite(world)
    browser = world.browser()
    page = browser.get(f"/invitation?token={newest_token(world)}")
    assert "Join Northwind Lending" in page.text
    short = browser.submit(page, name="Nadia Petrova", password="qzx")
    assert short.status_code == 422
    assert "Choose a password of at least 10 letters or digits." in short.text
    assert 'value="Nadia Petrova"' in short.text
    assert "qzx" not in short.text.split("<form")[1].split("password.js")[0].split("hint")[0]
    after = browser.follow(browser.submit(page, name="Nadia Petrova", password=CHOSEN))
    assert 'name="password"' in after.text  # nobody was let in
    assert f'value="{NADIA}"' in after.text
    home = browser.follow(browser.submit(after, email=NADIA, password=CHOSEN))
    assert home.status_code == 200
    assert "Nadia Petrova" in home.text
    assert browser.tokens(NADIA)["access_token"]


def test_somebody_with_an_account_signs_in_and_accepts(world: World) -> None:
    invite(world, HANA, ("agent",))
    browser = world.browser()
    browser.tokens(BEN)  # somebody else uses this browser
    page = browser.get(f"/invitation?token={newest_token(world)}")
    assert "You are signed in as ben@northwind.example here." in page.text
    sign_in = browser.follow(browser.submit(page))
    assert 'name="password"' in sign_in.text
    back = browser.follow(browser.submit(sign_in, email=HANA, password=PASSWORD))
    assert back.request.path == "/invitation"
    home = browser.follow(browser.submit(back))
    assert home.status_code == 200
    assert roles(world, HANA) == {"agent"}


def test_signing_in_as_somebody_else_accepts_nothing(world: World) -> None:
    invite(world, HANA)
    browser = world.browser()
    page = browser.get(f"/invitation?token={newest_token(world)}")
    sign_in = browser.follow(browser.submit(page))
    back = browser.follow(browser.submit(sign_in, email=BEN, password=PASSWORD))
    assert "You are signed in as ben@northwind.example here." in back.text
    again = browser.follow(browser.submit(back))
    assert 'name="password"' in again.text
    assert len(members(world, HANA)) == 1


def test_the_page_invites_and_says_so(world: World) -> None:
    browser = world.browser()
    page = browser.enter("/manage/northwind/invitations/new")
    wrong = browser.submit(page, email="nobody", kind="staff", role="agent")
    assert wrong.status_code == 422
    assert 'value="nobody"' in wrong.text
    done = browser.follow(browser.submit(page, email=NADIA, kind="customer", role="borrower"))
    assert f"The invitation is on its way to {NADIA}." in done.text
    assert "Customer" in done.text
    ((path,),) = [re.findall(r'action="([^"]+/again)"', done.text)]
    again = browser.follow(browser.submit(done, path))
    assert "The old one is dead." in again.text
    gone = browser.follow(browser.submit(again, path.replace("/again", "/revoke")))
    assert "Nobody is expected" in gone.text


def test_a_set_up_file_really_sends_what_it_says(either_world: World) -> None:
    described = {
        "email": NADIA,
        "name": "Nadia Petrova",
        "locale": "es",
        "invitation": True,
        "memberships": [{"tenant": "northwind", "roles": ["agent"]}],
    }
    assert "invitation" in [c.kind for c in either_world.apply(users=[described]).changes]
    assert either_world.apply(users=[described]).changes == []
    assert len(letters(either_world)) == 1
    assert writing.write(create_pages(either_world.held), letters(either_world)[0]).subject == (
        "Su invitación a Northwind Lending (northwind)"
    )
    accept(either_world, newest_token(either_world))
    assert either_world.apply(users=[described]).changes == []
    assert roles(either_world, NADIA) == {"agent"}
    assert len(members(either_world)) == 1


OVER = {"ended": "status = 'ended'", "by its date": "ends_at = 1"}


@pytest.mark.parametrize("over", OVER)
def test_sec_77_whoever_left_can_be_invited_again_and_inherits_nothing(
    either_world: World, over: str
) -> None:
    """No role, and no token: the old membership stays behind (security.md S77)."""
    world = either_world
    left = world.browser().tokens(BEN, scope="openid offline_access")
    of_ben = "user_id = (SELECT id FROM users WHERE email = :email)"
    world.run(f"UPDATE memberships SET {OVER[over]} WHERE {of_ben}", email=BEN)
    invite(world, BEN, roles=("analyst",), kind="customer")
    with administering(world) as admin, pytest.raises(Mistake):
        invitations.invite(admin, world.held.secret_keys, BEN, "staff", [], "en")
    token, now = newest_token(world), world.clock()
    accepting.accept(world.held.database, token, user_id(world, BEN), now, NOWHERE)
    assert sorted(members(world, BEN)) == [("customer", "active"), ("staff", "ended")]
    given = world.browser().tokens(BEN)
    assert claims_of(given["access_token"])["roles"] == ["analyst"]
    assert world.refresh(left["refresh_token"]).status_code == 400
    assert not world.introspect(left["access_token"])["active"]
    with administering(world) as admin, pytest.raises(Mistake):
        invitations.invite(admin, world.held.secret_keys, BEN, "staff", [], "en")
