"""S57: what is found right and what is written for it are two moments; what happens between them
counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import argon2
import pytest

from idp.audit import NOWHERE
from idp.credentials import password, password_links
from idp.credentials.password import COMPROMISED, State
from idp.credentials.password_links import CHANGE, RESET
from idp.directory import users
from idp.login import new_password, resetting
from idp.login.new_password import ChangedMeanwhile
from idp.login.resetting import LinkOver
from tests.flows.test_passkey_sign_in import Device
from tests.mailed import by_link, link_for, temporary_for
from tests.security.choosing import NEW, choose, is_right, roomy, user_id
from tests.world import AMARA, BEN, CHEAP, PASSWORD, World, sent_back

LATE = "Loud herons carve 31 canoes"


def meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, claimed: str, deed: Callable[[], Any]
) -> None:
    """Once, when the hasher has done that with what was claimed, and before anything is written."""
    roomy(world)
    work, waiting = getattr(world.held.hasher, name), [deed]

    def slow(*given: Any) -> Any:
        done = work(*given)
        if claimed in given and waiting:
            waiting.pop()()
        return done

    monkeypatch.setattr(world.held.hasher, name, slow)


def test_sec_57_renewing_a_hash_does_not_bring_the_old_password_back(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = either_world
    old = argon2.PasswordHasher(memory_cost=CHEAP["argon2_memory_kib"], time_cost=1, parallelism=1)
    world.run("UPDATE passwords SET hash = :h", h=old.hash(PASSWORD))
    meanwhile(world, monkeypatch, "hash", PASSWORD, lambda: choose(world))
    is_right(world)
    world.clock.move(1)
    assert is_right(world, NEW)
    assert not is_right(world)


def test_sec_57_a_half_finished_sign_in_that_a_slow_change_did_not_see_is_over(
    either_world: World,
) -> None:
    """The password was proven after the change began and before it was written."""
    world, held = either_world, either_world.held
    with held.database.connection() as db:
        owner = new_password.owner_of(db, user_id(world))
    prepared = new_password.prepare(held.database, held.hasher, held.settings, owner, [], NEW)
    began = world.clock()
    world.clock.move(5)
    browser = world.browser()
    proven = browser.submit(browser.follow(browser.authorize()), email=AMARA, password=PASSWORD)
    with held.database.transaction() as db:
        new_password.keep(db, held.secret_keys, owner, prepared, began, NOWHERE)
    assert 'name="password"' in browser.follow(proven).text
    assert browser.client.get_cookie("latchkey-session") is None


def test_sec_57_a_clock_that_is_behind_takes_no_proof_back(either_world: World) -> None:
    world = either_world
    world.clock.move(10)
    assert is_right(world)
    latest = world.clock()
    world.clock.move(-5)
    assert is_right(world)
    proven = "SELECT proven_at FROM passwords WHERE user_id = :u"
    assert world.run(proven, u=user_id(world)) == [(latest,)]


def test_sec_46_a_newer_letter_ends_an_older_one_that_was_just_found_right(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, newer = either_world, []
    older = temporary_for(world)
    meanwhile(world, monkeypatch, "compare", older, lambda: newer.append(temporary_for(world)))
    assert not is_right(world, older)
    assert is_right(world, newer[0])


def test_sec_56_a_link_is_dead_once_its_address_is_somebody_elses(either_world: World) -> None:
    world = either_world
    link = link_for(world)
    move = "UPDATE users SET email = :n, email_canonical = :n WHERE email = :e"
    world.run(move, n="amara.new@northwind.example", e=AMARA)
    world.run(move, n=AMARA, e=BEN)
    assert world.browser().get(link).status_code == 404
    token = link.partition("token=")[2]
    with world.held.database.transaction() as db:
        assert password_links.spend(db, token, RESET, world.clock()) is None


def test_sec_56_a_link_that_was_good_when_it_was_looked_at_has_to_be_so_when_it_is_spent(
    either_world: World,
) -> None:
    world, later = either_world, 3600.0
    token = link_for(world).partition("token=")[2]

    def spend(purpose: str, at: float) -> str | None:
        with world.held.database.transaction() as db:
            return password_links.spend(db, token, purpose, at)

    assert spend(RESET, world.clock() + later) is None
    assert spend(CHANGE, world.clock()) is None
    world.run("UPDATE users SET status = 'disabled' WHERE email = :e", e=AMARA)
    assert spend(RESET, world.clock()) is None
    world.run("UPDATE users SET status = 'active' WHERE email = :e", e=AMARA)
    assert spend(RESET, world.clock()) == user_id(world)


def test_sec_57_a_leaked_password_that_was_just_found_right_does_not_undo_a_reset(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has to be changed for being known, and for the letter first."""
    world, leaked, mailed = either_world, "qwertyuiop", []
    hashed = world.held.hasher.hash(leaked)
    world.run("UPDATE passwords SET hash = :h WHERE user_id = :u", h=hashed, u=user_id(world))
    meanwhile(world, monkeypatch, "compare", leaked, lambda: mailed.append(temporary_for(world)))
    is_right(world, leaked)
    world.clock.move(1)
    assert not is_right(world, leaked)
    assert is_right(world, mailed[0])


def test_sec_57_who_found_the_password_before_a_change_does_not_change_it_after(
    either_world: World,
) -> None:
    world, seen = either_world, state(either_world)
    world.clock.move(1)
    choose(world)
    with pytest.raises(ChangedMeanwhile):
        choose(world, LATE, seen=seen)
    world.clock.move(1)
    assert is_right(world, NEW)


def test_sec_57_nor_after_a_second_letter(either_world: World) -> None:
    world = either_world
    temporary_for(world)
    seen = state(world)
    newer = temporary_for(world)
    with pytest.raises(ChangedMeanwhile):
        choose(world, LATE, seen=seen)
    assert is_right(world, newer)


def test_sec_57_nor_after_another_reason_to_change_it(either_world: World) -> None:
    world, seen, who = either_world, state(either_world), user_id(either_world)
    with world.held.database.transaction() as db:
        password.demand_change(db, who, COMPROMISED)
    with pytest.raises(ChangedMeanwhile):
        choose(world, LATE, seen=seen)


def state(world: World) -> State | None:
    with world.held.database.connection() as db:
        return password.find_state(db, user_id(world))


def test_sec_57_of_two_first_passwords_one_is_set(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = either_world
    world.run("DELETE FROM passwords WHERE user_id = :u", u=user_id(world))
    meanwhile(world, monkeypatch, "hash", NEW, lambda: choose(world, LATE))
    with pytest.raises(ChangedMeanwhile):
        choose(world)
    world.clock.move(1)
    assert is_right(world, LATE)
    assert len(world.audit("password.made")) == 1


def test_sec_57_what_a_clock_that_is_ahead_has_opened_ends_too(either_world: World) -> None:
    """By a passkey, so that no proof of the password tells of it."""
    world, device = either_world, Device(either_world)
    world.clock.move(10)
    asked = {"scope": "openid offline_access"}
    code = sent_back(device.sign_in(device.open(**asked)))["code"]
    tokens = world.redeem(code).json or {}
    world.clock.move(-10)
    choose(world)
    world.clock.move(20)
    assert world.refresh(tokens["refresh_token"]).status_code == 400
    assert not world.introspect(tokens["access_token"])["active"]
    assert device.browser.get("/account").status_code == 303
    [(after,)] = world.run("SELECT sessions_valid_after FROM users WHERE email = :e", e=AMARA)
    assert after >= world.clock() - 10, "past what the other clock said"


def test_sec_57_a_session_that_is_kept_has_proven_what_it_had(either_world: World) -> None:
    world, device = either_world, Device(either_world)
    device.sign_in(device.open())
    [(kept,)] = world.run("SELECT id FROM sessions")
    world.clock.move(1)
    choose(world, claimed_current=PASSWORD, keep_session_id=kept)
    [(proofs,)] = world.run("SELECT proofs FROM sessions WHERE id = :i", i=kept)
    assert '"passkey"' in proofs
    assert '"password"' in proofs


def test_sec_56_a_link_sends_no_temporary_password_where_it_leads_to_a_new_one_by_now(
    either_world: World,
) -> None:
    world, held = either_world, either_world.held
    token = link_for(world).partition("token=")[2]
    by_link(world)
    given = (held.database, held.hasher, held.secret_keys, token)
    with pytest.raises(LinkOver):
        resetting.send_temporary(*given, world.clock(), NOWHERE)
    assert is_right(world)


def test_sec_56_a_link_sets_no_password_where_it_leads_to_a_temporary_one(
    either_world: World,
) -> None:
    world, held = either_world, either_world.held
    token = link_for(world).partition("token=")[2]
    given = (held.database, held.hasher, held.secret_keys, held.settings, (), token, NEW)
    with pytest.raises(LinkOver):
        resetting.set_by_link(*given, world.clock(), NOWHERE)
    assert is_right(world)


def test_sec_57_a_clock_that_is_behind_lets_nothing_count_again(either_world: World):
    own = user_id(either_world, AMARA)
    with either_world.held.database.transaction() as db:
        later = users.refuse_proofs(db, own, either_world.clock.now + 10)
        assert users.refuse_proofs(db, own, either_world.clock.now) == later
    kept = either_world.run("SELECT sessions_valid_after FROM users WHERE id = :u", u=own)
    assert kept == [(later,)]
