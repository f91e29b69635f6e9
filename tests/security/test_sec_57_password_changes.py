"""S57: another password ends everything that the old one opened, at once."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from idp.audit import NOWHERE
from idp.credentials import password
from idp.credentials.password import SignInRefused
from idp.login import new_password
from idp.login.new_password import ChangedMeanwhile, Unfit
from tests.console.people_of import letters
from tests.security.choosing import NEW, choose, is_right, roomy, user_id
from tests.storage.crew import threads_at_once
from tests.world import AMARA, BEN, PASSWORD, World, sent_back


def session_id(world: World) -> str:
    [(found,)] = world.run("SELECT id FROM sessions WHERE user_id = :u", u=user_id(world))
    return str(found)


def test_sec_57_sessions_tokens_and_the_old_password_are_dead(either_world: World) -> None:
    world = either_world
    browser = world.browser()
    tokens = browser.tokens(scope="openid offline_access")
    bens = world.browser()
    bens.tokens(BEN)
    world.clock.move(1)
    choose(world)
    assert "login_required" in browser.authorize(prompt="none").headers["Location"]
    assert world.refresh(tokens["refresh_token"]).status_code == 400
    assert not world.introspect(tokens["access_token"])["active"]
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert not is_right(world)
    assert "code" in sent_back(bens.authorize(prompt="none")), "nobody else's"
    world.clock.move(1)
    assert is_right(world, NEW)


def test_sec_57_a_code_that_was_not_redeemed_yet_is_dead(world: World) -> None:
    code = world.browser().code()
    world.clock.move(1)
    choose(world)
    assert world.redeem(code).status_code == 400


def test_sec_57_a_half_finished_sign_in_goes_no_further(world: World) -> None:
    browser = world.browser()
    page = browser.follow(browser.authorize())
    proven = browser.submit(page, email=AMARA, password=PASSWORD)
    world.clock.move(1)
    choose(world)
    asked = browser.follow(proven)
    assert asked.status_code == 200
    assert 'name="password"' in asked.text
    assert browser.client.get_cookie("latchkey-session") is None


def test_sec_57_whoever_proves_the_current_one_may_keep_their_session(world: World) -> None:
    mine, other = world.browser(), world.browser()
    mine.tokens(scope="openid offline_access")
    kept = session_id(world)
    old = other.tokens(scope="openid offline_access")
    world.clock.move(1)
    choose(world, claimed_current=PASSWORD, keep_session_id=kept)
    world.clock.move(1)
    assert "code" in sent_back(mine.authorize(prompt="none"))
    assert "login_required" in other.authorize(prompt="none").headers["Location"]
    assert world.refresh(old["refresh_token"]).status_code == 400
    fresh = mine.tokens()
    assert world.introspect(fresh["access_token"])["active"]


def test_sec_57_another_persons_session_can_not_be_kept(world: World) -> None:
    browser = world.browser()
    browser.tokens()
    bens = session_id(world)
    world.clock.move(1)
    choose(world, NEW, BEN, keep_session_id=bens)
    assert world.run("SELECT auth_time FROM sessions WHERE id = :i", i=bens) == [
        (world.clock() - 1,)
    ]


def test_sec_57_products_are_told(world: World) -> None:
    world.browser().tokens()
    world.clock.move(1)
    choose(world)
    told = "SELECT count(*) FROM outbox WHERE kind = 'backchannel_logout'"
    assert world.run(told) == [(1,)]


def test_sec_57_the_owner_and_the_log_are_told_and_nothing_of_the_password(world: World) -> None:
    choose(world)
    [event] = world.audit("password.changed")
    assert (event["person"], event["way"]) == (user_id(world), "changed")
    written = [each for each in letters(world) if each["template"] == "password/changed"]
    assert [each["to"] for each in written] == [AMARA]
    for secret in (NEW, PASSWORD):
        assert secret not in str((world.run("SELECT * FROM outbox"), event))


def test_sec_57_what_is_refused_ends_nothing(world: World) -> None:
    browser = world.browser()
    browser.tokens()
    world.clock.move(1)
    with pytest.raises(Unfit):
        choose(world, "qwertyuiop")
    assert "code" in sent_back(browser.authorize(prompt="none"))
    assert world.audit("password.changed") == []


def test_sec_57_of_twenty_changes_at_once_one_is_made(either_world: World) -> None:
    def change(number: int) -> str:
        try:
            choose(either_world, f"violet-harmonica-number-{number}")
        except ChangedMeanwhile:
            return "late"
        return "done"

    roomy(either_world)
    came = Counter(threads_at_once(change, 20))
    assert came["done"] >= 1
    assert came["done"] == len(either_world.audit("password.changed"))
    [(kept,)] = either_world.run("SELECT count(*) FROM former_passwords")
    assert kept == min(came["done"], 9), "each took the place of the one before"


def test_sec_57_the_old_one_is_worth_nothing_even_if_it_was_being_compared(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change commits between the comparison, which finds it right, and what follows."""
    roomy(either_world)
    world, compare = either_world, either_world.held.hasher.compare
    looked, changed = threading.Event(), threading.Event()

    def slow(stored: str | None, claimed: str) -> bool:
        right = compare(stored, claimed)
        if claimed == PASSWORD and threading.current_thread().name == "slow":
            looked.set()
            assert changed.wait(30)
        return right

    monkeypatch.setattr(world.held.hasher, "compare", slow)
    found: list[bool] = []
    signing_in = threading.Thread(target=lambda: found.append(is_right(world)), name="slow")
    signing_in.start()
    assert looked.wait(30)
    choose(world)
    changed.set()
    signing_in.join(30)
    assert found == [False]


def test_sec_57_what_the_old_one_proved_meanwhile_is_over_too(world: World) -> None:
    """The new one was prepared at one time, and the old one proven later, before it was kept."""
    held, who = world.held, user_id(world)
    with held.database.connection() as db:
        owner = new_password.owner_of(db, who)
    prepared = new_password.prepare(held.database, held.hasher, held.settings, owner, [], NEW)
    began = world.clock()
    world.clock.move(5)
    browser = world.browser()
    tokens = browser.tokens()
    with held.database.transaction() as db:
        new_password.keep(db, held.secret_keys, owner, prepared, began, NOWHERE)
    assert "login_required" in browser.authorize(prompt="none").headers["Location"]
    assert not world.introspect(tokens["access_token"])["active"]


def test_sec_57_a_change_lifts_what_strangers_have_locked(world: World) -> None:
    for _ in range(5):
        assert not is_right(world, "wrong")
    assert not is_right(world)
    choose(world)
    world.clock.move(1)
    assert is_right(world, NEW)
    assert world.run("SELECT count(*) FROM locks") == [(0,)]


def test_sec_57_a_change_forgets_the_wrong_ones_before_it(world: World) -> None:
    for _ in range(4):
        assert not is_right(world, "wrong")
    choose(world)
    world.clock.move(1)
    for _ in range(4):
        assert not is_right(world, "wrong")
    assert is_right(world, NEW)


def test_sec_57_every_process_knows_within_a_second(world: World) -> None:
    """Another provider on the same database, which was there before."""
    from tests.security.browsing import reopened

    other = reopened(world, world.settings)
    tokens = world.browser().tokens()
    assert other.introspect(tokens["access_token"])["active"]
    world.clock.move(1)
    choose(world)
    assert not other.introspect(tokens["access_token"])["active"]
    with pytest.raises(SignInRefused):
        verify(other, PASSWORD)
    other.held.database.close()


def verify(world: World, claimed: str) -> Any:
    held = world.held
    given = (held.database, held.hasher, held.secret_keys, held.settings, AMARA, claimed)
    return password.verify(*given, world.clock(), NOWHERE)
