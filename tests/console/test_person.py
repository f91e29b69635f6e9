"""One member: who may give them what, switch them off, sign them out; and that they are told."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from idp.app import create_pages
from idp.directory import person
from idp.directory.acting import RECENT, Forbidden, Mistake, NotFound, RecentSignInNeeded
from idp.grants import membership
from idp.web import letters as writing
from tests.console.administering import administering
from tests.console.people_of import (
    add_clerk,
    address,
    administration,
    give_role,
    letters,
    member_id,
    roles,
)
from tests.world import AMARA, BEN, DANA, HANA, PRIYA, World

IDLE = 3600.0


def test_an_admin_gives_and_takes_roles_and_the_person_is_told(either_world: World) -> None:
    with administering(either_world, AMARA) as admin:
        ben = member_id(either_world, BEN)
        assert person.change_roles(admin, ben, {"payments_officer"}, {"agent"})
        assert not person.change_roles(admin, ben, {"payments_officer"}, {"agent"})
    assert roles(either_world, BEN) == {"payments_officer"}
    (letter,) = letters(either_world)
    assert (letter["to"], letter["locale"]) == (BEN, "es-US")
    (event,) = either_world.audit("person.roles_changed")
    assert (event["before"], event["after"]) == (["agent"], ["payments_officer"])
    assert event["membership"] == ben


def test_the_letter_is_in_the_persons_language(world: World) -> None:
    with administering(world, AMARA) as admin:
        person.change_roles(admin, member_id(world, BEN), {"payments_officer"}, set())
    letter = writing.write(create_pages(world.held), letters(world)[0])
    assert letter.subject == "Sus roles en Northwind Lending han cambiado"
    assert "Ben Castillo" in letter.body


def test_nobody_changes_their_own_roles_or_switches_themselves_off(either_world: World) -> None:
    add_clerk(either_world, AMARA)
    for give, take in (({"agent"}, set()), (set(), {"clerk"}), (set(), {"account_admin"})):
        with administering(either_world, AMARA) as admin, pytest.raises(Forbidden):
            person.change_roles(admin, member_id(either_world, AMARA), give, take)
    with administering(either_world, AMARA) as admin, pytest.raises(Forbidden):
        membership.disable(admin, member_id(either_world, AMARA))
    assert roles(either_world, AMARA) == {"account_admin", "clerk"}


def test_nobody_reaches_above_their_rank(either_world: World) -> None:
    """S79: neither by giving, nor by taking, nor by acting on somebody higher."""
    add_clerk(either_world, BEN)
    amara, dana = member_id(either_world, AMARA), member_id(either_world, DANA)
    for who, give, take in (
        (dana, {"account_admin"}, set()),
        (amara, set(), {"account_admin"}),
        (amara, {"account_admin", "agent"}, set()),
    ):
        with administering(either_world, BEN) as admin, pytest.raises(Forbidden):
            person.change_roles(admin, who, give, take)
    for act in (membership.disable, membership.enable):
        with administering(either_world, BEN) as admin, pytest.raises(Forbidden):
            act(admin, amara)
    with administering(either_world, BEN) as admin, pytest.raises(Forbidden):
        membership.end_sessions(admin, amara, IDLE)
    with administering(either_world, BEN) as admin:
        assert person.change_roles(admin, dana, set(), {"analyst"})
    assert roles(either_world, AMARA) == {"account_admin"}


@pytest.mark.parametrize("may", [frozenset(), frozenset({"people.read"})])
def test_without_the_permission_nothing_is_changed(
    either_world: World, may: frozenset[str]
) -> None:
    ben = member_id(either_world, BEN)
    for act in (
        lambda admin: person.change_roles(admin, ben, {"analyst"}, set()),
        lambda admin: membership.disable(admin, ben),
        lambda admin: membership.enable(admin, ben),
        lambda admin: membership.end_sessions(admin, ben, IDLE),
    ):
        with administration(either_world, may=may) as admin, pytest.raises(Forbidden):
            act(admin)
    if not may:
        with administration(either_world, may=may) as admin, pytest.raises(Forbidden):
            person.member(admin, ben)
        with administration(either_world, may=may) as admin, pytest.raises(Forbidden):
            membership.open_sessions(admin, person.find_member(admin, ben), IDLE)


def test_a_change_wants_a_recent_sign_in(either_world: World) -> None:
    ben = member_id(either_world, BEN)
    for act in (
        lambda admin: person.change_roles(admin, ben, {"analyst"}, set()),
        lambda admin: membership.disable(admin, ben),
        lambda admin: membership.enable(admin, ben),
        lambda admin: membership.end_sessions(admin, ben, IDLE),
    ):
        with administering(either_world, AMARA) as admin:
            object.__setattr__(admin, "now", admin.now + RECENT + 1)
            with pytest.raises(RecentSignInNeeded):
                act(admin)
    assert roles(either_world, BEN) == {"agent"}


def test_another_companys_member_is_nobody_here(either_world: World) -> None:
    hana = member_id(either_world, HANA, "harbor")
    for act in (
        lambda admin: person.member(admin, hana),
        lambda admin: person.change_roles(admin, hana, {"agent"}, set()),
        lambda admin: membership.disable(admin, hana),
        lambda admin: membership.enable(admin, hana),
        lambda admin: membership.end_sessions(admin, hana, IDLE),
    ):
        with administering(either_world, AMARA) as admin, pytest.raises(NotFound):
            act(admin)
    with administering(either_world, AMARA) as admin, pytest.raises(Mistake):
        person.change_roles(admin, member_id(either_world, BEN), {"no-such-role"}, set())


def test_the_last_account_admin_stays(either_world: World) -> None:
    amara = member_id(either_world, AMARA)
    with administering(either_world, AMARA) as admin, pytest.raises(Forbidden):
        person.change_roles(admin, amara, set(), {"account_admin"})
    with administering(either_world, AMARA) as admin, pytest.raises(Forbidden):
        membership.disable(admin, amara)
    assert roles(either_world, AMARA) == {"account_admin"}
    give_role(either_world, DANA, "account_admin")
    with administering(either_world, DANA) as admin:
        assert person.change_roles(admin, amara, set(), {"account_admin"})


@pytest.mark.parametrize("act", ["take the role", "disable"])
def test_of_two_admins_who_remove_each_other_at_once_one_stays(
    either_world: World, act: str
) -> None:
    give_role(either_world, DANA, "account_admin")
    removals, ready = [(AMARA, DANA), (DANA, AMARA)], threading.Barrier(2)
    outcomes: list[str] = []

    def remove(actor: str, target: str) -> None:
        try:
            ready.wait()
            with administering(either_world, actor) as admin:
                if act == "disable":
                    membership.disable(admin, member_id(either_world, target))
                else:
                    person.change_roles(
                        admin, member_id(either_world, target), set(), {"account_admin"}
                    )
            outcomes.append("removed")
        except (Forbidden, Mistake):
            outcomes.append("refused")

    threads = [threading.Thread(target=remove, args=pair) for pair in removals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused", "removed"]
    left = either_world.run(
        "SELECT u.email FROM membership_roles mr JOIN roles r ON r.id = mr.role_id"
        " JOIN memberships m ON m.id = mr.membership_id JOIN users u ON u.id = m.user_id"
        " JOIN tenants t ON t.id = m.tenant_id"
        " WHERE r.key = 'account_admin' AND t.slug = 'northwind' AND m.status = 'active'"
    )
    assert len(left) == 1


def test_disabling_ends_at_once_what_the_membership_opens(either_world: World) -> None:
    browser = either_world.browser()
    tokens = browser.tokens(DANA, scope="openid offline_access")
    dana = member_id(either_world, DANA)
    with administering(either_world, AMARA) as admin:
        membership.disable(admin, dana)
    assert either_world.introspect(tokens["access_token"]) == {"active": False}
    assert either_world.userinfo(tokens["access_token"]).status_code == 401
    assert either_world.refresh(tokens["refresh_token"]).status_code == 400
    assert 'name="password"' in browser.follow(browser.authorize()).text  # the session is over
    told = either_world.run("SELECT client_id FROM outbox WHERE kind = 'backchannel_logout'")
    assert told == [("lms",)]
    assert letters(either_world)[-1]["template"] == "person/disabled"
    with administering(either_world, AMARA) as admin, pytest.raises(Mistake):
        membership.disable(admin, dana)
    with administering(either_world, AMARA) as admin:
        membership.enable(admin, dana)
    assert either_world.browser().tokens(DANA)["access_token"]
    tags = [event["tag"] for event in either_world.audit() if event["tag"].startswith("person.")]
    assert tags == ["person.disabled", "person.enabled"]


def test_disabling_in_one_company_leaves_the_others_alone(either_world: World) -> None:
    browser = either_world.browser()
    tokens = browser.tokens(PRIYA, tenant="harbor")
    with administering(either_world, AMARA) as admin:
        membership.disable(admin, member_id(either_world, PRIYA))
    assert either_world.introspect(tokens["access_token"])["active"] is True
    assert (
        browser.authorize(tenant="harbor").headers["Location"].startswith("http://localhost:8001")
    )


def test_an_admin_ends_one_session_or_all_and_products_are_told(either_world: World) -> None:
    browsers = [either_world.browser() for _ in range(3)]
    for browser in browsers:
        browser.tokens(BEN)
    ben = member_id(either_world, BEN)
    with administering(either_world, AMARA) as admin:
        first, *others = membership.open_sessions(admin, person.member(admin, ben), IDLE)
        assert first.products == ("lms",)
        assert membership.end_sessions(admin, ben, IDLE, first.id) == 1
        assert membership.end_sessions(admin, ben, IDLE, first.id) == 0
        assert membership.end_sessions(admin, ben, IDLE) == len(others) == 2
    for browser in browsers:
        assert 'name="password"' in browser.follow(browser.authorize()).text
    told = either_world.run("SELECT client_id FROM outbox WHERE kind = 'backchannel_logout'")
    assert told == [("lms",)] * 3
    written = Counter(letter["template"] for letter in letters(either_world))
    assert written == {"sign_in/new_device": 2, "person/sessions_ended": 2}
    assert len(either_world.audit("person.sessions_ended")) == 2


def test_somebody_elses_session_is_not_ended_by_its_id(either_world: World) -> None:
    either_world.browser().tokens(HANA)
    ((session_id,),) = either_world.run("SELECT id FROM sessions")
    with administering(either_world, AMARA) as admin:
        ben = member_id(either_world, BEN)
        assert membership.end_sessions(admin, ben, IDLE, session_id) == 0
    assert either_world.run("SELECT ended_at FROM sessions") == [(None,)]


def test_whoever_came_from_another_company_keeps_their_sessions_to_themselves(
    either_world: World,
) -> None:
    either_world.browser().tokens(PRIYA, tenant="harbor")
    either_world.run(
        "UPDATE memberships SET source = 'cross_tenant' WHERE id = :m",
        m=member_id(either_world, PRIYA),
    )
    with administering(either_world, AMARA) as admin:
        priya = person.member(admin, member_id(either_world, PRIYA))
        assert membership.open_sessions(admin, priya, IDLE) == []
        assert membership.end_sessions(admin, priya.id, IDLE) == 0


def test_the_page_gives_a_role_and_says_so(world: World) -> None:
    browser = world.browser()
    where = address(world, BEN)
    page = browser.enter(where)
    assert page.text.count('name="shown"') == 1
    done = browser.follow(
        browser.post(
            f"{where}/roles",
            csrf_token=page.text.split('name="csrf_token" value="')[1].split('"')[0],
            shown="agent",
            role="analyst",
        )
    )
    assert "The roles have been changed." in done.text
    assert roles(world, BEN) == {"analyst"}


def test_the_page_disables_after_saying_what_that_does(world: World) -> None:
    browser = world.browser()
    page = browser.enter(f"{address(world, BEN)}/disable")
    assert "What happens, to one person: Ben Castillo" in page.text
    done = browser.follow(browser.submit(page))
    assert "Ben Castillo can open nothing here any more." in done.text
    assert "Enable again" in done.text
    again = browser.submit(page)
    assert again.status_code == 422
    assert "Somebody has changed this person meanwhile." in again.text


def test_the_page_of_oneself_offers_nothing_to_change(world: World) -> None:
    page = world.browser().enter(address(world, AMARA))
    assert "Nobody changes their own roles." in page.text
    assert "Save roles" not in page.text
    assert "/disable" not in page.text


def test_who_may_only_look_is_offered_nothing_to_change(world: World) -> None:
    reader = {"key": "reader", "name": "Reader", "permissions": {"console": ["people.read"]}}
    world.apply(tenants=[{"slug": "northwind", "name": "Northwind Lending", "roles": [reader]}])
    give_role(world, BEN, "reader")
    world.clock.move(2)
    page = world.browser().enter(address(world, DANA), BEN)
    assert page.status_code == 200
    for offered in ("Save roles", "/disable", "End all"):
        assert offered not in page.text
