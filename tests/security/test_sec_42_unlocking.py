"""S42: a lock's owner is written to once, and can lift it; so can an admin; nobody else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.app import create_pages
from idp.audit import NOWHERE
from idp.credentials import unlocking
from idp.credentials.password import MOST_WRONG
from idp.credentials.unlocking import LinkOver
from idp.directory import person
from idp.directory.acting import Forbidden, Mistake, NotFound, RecentSignInNeeded
from idp.web import letters as writing
from tests.console.administering import administering
from tests.console.people_of import add_clerk, administration, letters, member_id
from tests.security.choosing import choose, is_right, user_id
from tests.security.test_sec_42_devices import HALF_AN_HOUR, device, known_browser, lock
from tests.storage.crew import threads_at_once
from tests.world import AMARA, BEN, HANA, PASSWORD, World

PLACE = "/manage/northwind/people/"


def locked(world: World) -> list[dict[str, Any]]:
    return [each for each in letters(world) if each["template"] == "locked"]


def token(world: World) -> str:
    body = writing.write(create_pages(world.held), locked(world)[-1]).body
    link: str = re.findall(r"http://localhost:8000/unlock\S+", body)[0]
    return parse_qs(urlsplit(link).query)["token"][0]


def test_sec_42_the_owner_is_written_to_once_for_each_lock(world: World) -> None:
    for _ in range(2):
        lock(world)
        for _ in range(3):
            assert not is_right(world)
        world.clock.move(HALF_AN_HOUR)
    assert [each["to"] for each in locked(world)] == [AMARA, AMARA]


def test_sec_42_nobody_is_written_to_for_an_address_of_nobody(world: World) -> None:
    lock(world, "nobody@northwind.example")
    assert locked(world) == []
    assert world.run("SELECT count(*) FROM locks") == [(0,)]


def test_sec_42_the_link_asks_first_and_lifts_the_pause_once(either_world: World) -> None:
    world = either_world
    lock(world)
    browser, secret = world.browser(), token(world)
    pages = [browser.get(f"/unlock?token={secret}") for _ in range(3)]
    assert [page.status_code for page in pages] == [200] * 3
    assert not is_right(world), "looking changes nothing"
    page = pages[0]
    done = browser.submit(page)
    assert "You can sign in again." in done.text
    assert browser.client.get_cookie("latchkey-session") is None
    assert is_right(world)
    for answer in (browser.get(f"/unlock?token={secret}"), browser.submit(page)):
        assert answer.status_code == 404
    assert len(world.audit("sign_in.unlocked")) == 1


def test_sec_42_the_link_is_over_with_the_pause(world: World) -> None:
    lock(world)
    secret = token(world)
    world.clock.move(HALF_AN_HOUR)
    assert world.get(f"/unlock?token={secret}").status_code == 404
    lock(world)
    with pytest.raises(LinkOver):
        unlocking.unlock_by_link(world.held.database, secret, world.clock(), NOWHERE)
    assert not is_right(world)


@pytest.mark.parametrize("claimed", ["", "x", "A" * 43, "%00", "é"])
def test_sec_42_no_other_link_does_anything(world: World, claimed: str) -> None:
    lock(world)
    [(stored,)] = world.run("SELECT token_hash FROM locks")
    for each in (claimed, stored):
        assert world.get(f"/unlock?token={each}").status_code in (400, 404)
    assert not is_right(world)


def test_sec_42_a_form_of_another_site_lifts_nothing(world: World) -> None:
    lock(world)
    answer = world.browser().post("/unlock", token=token(world))
    assert answer.status_code in (400, 403)
    assert not is_right(world)


def test_sec_42_twenty_at_once_lift_it_once(either_world: World) -> None:
    lock(either_world)
    secret, database = token(either_world), either_world.held.database

    def use(_number: int) -> bool:
        try:
            unlocking.unlock_by_link(database, secret, either_world.clock(), NOWHERE)
        except LinkOver:
            return False
        return True

    assert sum(threads_at_once(use, 20)) == 1


def test_sec_42_the_link_lifts_the_pause_and_not_the_hundred(world: World) -> None:
    world.run("UPDATE passwords SET failures = :n", n=MOST_WRONG - 5)
    lock(world)
    unlocking.unlock_by_link(world.held.database, token(world), world.clock(), NOWHERE)
    assert not is_right(world)
    choose(world)


def test_sec_42_a_lock_of_a_known_browser_is_lifted_too(world: World) -> None:
    known = device(known_browser(world))
    lock(world, tried_from=known)
    unlocking.unlock_by_link(world.held.database, token(world), world.clock(), NOWHERE)
    assert is_right(world, device=known)


def test_p4_an_admin_lifts_it_on_the_persons_page(either_world: World) -> None:
    world = either_world
    browser = world.browser()
    page = browser.enter(PLACE + member_id(world, BEN))
    assert "Lift the pause" not in page.text
    lock(world, BEN)
    page = browser.get(PLACE + member_id(world, BEN))
    assert "after wrong passwords" in page.text
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    done = browser.post(f"{PLACE}{member_id(world, BEN)}/unlock", csrf_token=fields["csrf_token"])
    assert done.status_code == 303
    assert is_right(world, PASSWORD, BEN)
    [event] = world.audit("sign_in.unlocked")
    assert (event["actor"], event["person"]) == (user_id(world, AMARA), user_id(world, BEN))
    assert "after wrong passwords" not in browser.get(PLACE + member_id(world, BEN)).text


def test_p4_who_may_not_lifts_nothing(world: World) -> None:
    lock(world, BEN)
    bens = member_id(world, BEN)
    with pytest.raises(Forbidden), administration(world, may=frozenset({"people.read"})) as admin:
        unlocking.unlock(admin, bens)
    with pytest.raises(NotFound), administering(world, HANA, "harbor") as admin:
        unlocking.unlock(admin, bens)
    with pytest.raises(RecentSignInNeeded), administering(world) as admin:
        unlocking.unlock(replace(admin, now=admin.now + 86400), bens)
    assert not is_right(world, PASSWORD, BEN)


def test_p4_a_company_sees_and_lifts_the_locks_of_its_own_people_alone(world: World) -> None:
    """Not those of guests, whose sign-in is their own company's affair."""
    bens = member_id(world, BEN)
    lock(world, BEN)
    with administering(world) as admin:
        ben = person.find_member(admin, bens)
        assert unlocking.locked_until(admin, ben)
    with administration(world, may=frozenset()) as admin, pytest.raises(Forbidden):
        unlocking.locked_until(admin, ben)
    with administering(world) as admin:
        over = replace(admin, now=admin.now + HALF_AN_HOUR)
        assert unlocking.locked_until(over, ben) is None
    world.run("UPDATE memberships SET source = 'cross_tenant' WHERE id = :m", m=bens)
    with administering(world) as admin:
        assert unlocking.locked_until(admin, person.find_member(admin, bens)) is None
    with pytest.raises(Forbidden), administering(world) as admin:
        unlocking.unlock(admin, bens)
    assert not is_right(world, PASSWORD, BEN)


def test_p4_whoever_is_above_is_not_unlocked(world: World) -> None:
    """By a clerk, who looks after people below the account admins."""
    add_clerk(world, BEN)
    lock(world, AMARA)
    with pytest.raises(Forbidden), administering(world, BEN) as admin:
        unlocking.unlock(admin, member_id(world, AMARA))
    assert not is_right(world)


def test_p4_there_is_nothing_to_lift_where_nothing_is_paused(world: World) -> None:
    with pytest.raises(Mistake), administering(world) as admin:
        unlocking.unlock(admin, member_id(world, BEN))
    assert world.audit("sign_in.unlocked") == []
