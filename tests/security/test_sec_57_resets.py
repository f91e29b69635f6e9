"""S57: what a forgotten password's letter ends, and what can't overtake it."""

from __future__ import annotations

import threading

import pytest

from idp.audit import NOWHERE
from idp.database import Connection
from idp.login import new_password, resetting
from idp.login.new_password import ChangedMeanwhile, Owner
from tests.mailed import link_for, mail_for
from tests.security.choosing import choose, is_right, user_id
from tests.world import AMARA, World

STRANGERS = "Loud herons carve 31 canoes"


def send_temporary(world: World, token: str) -> None:
    held = world.held
    given = (held.database, held.hasher, held.secret_keys, token)
    resetting.send_temporary(*given, world.clock(), NOWHERE)


def test_sec_57_a_change_that_was_being_hashed_does_not_overtake_a_reset(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner confirms the letter while whoever knows the old one sets another."""
    world, hashed = either_world, either_world.held.hasher.hash
    token = link_for(world).partition("token=")[2]
    begun, reset = threading.Event(), threading.Event()

    def slow(claimed: str) -> str:
        if claimed == STRANGERS:
            begun.set()
            assert reset.wait(30)
        return hashed(claimed)

    monkeypatch.setattr(world.held.hasher, "hash", slow)
    came: list[str] = []
    stranger = threading.Thread(target=lambda: came.append(overtake(world)))
    stranger.start()
    assert begun.wait(30)
    send_temporary(world, token)
    reset.set()
    stranger.join(30)
    assert came == ["late"]
    world.clock.move(1)
    assert not is_right(world, STRANGERS)
    assert is_right(world, mail_for(world, AMARA)[-1]["code"])


def overtake(world: World) -> str:
    try:
        choose(world, STRANGERS)
    except ChangedMeanwhile:
        return "late"
    return "done"


def test_sec_57_a_step_that_was_found_open_before_a_reset_is_not_after_it(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the step looked at must still be so, not what is found when the hashing begins."""
    world, owner_of = either_world, new_password.owner_of
    demand = "UPDATE passwords SET must_change = 'compromised' WHERE user_id = :u"
    world.run(demand, u=user_id(world))
    browser = world.browser()
    asked = browser.sign_in(AMARA)
    token = link_for(world).partition("token=")[2]

    def late(db: Connection, who: str) -> Owner:
        monkeypatch.undo()
        send_temporary(world, token)
        return owner_of(db, who)

    monkeypatch.setattr(new_password, "owner_of", late)
    browser.submit(asked, password=STRANGERS)
    assert world.audit("password.changed") == []
    assert is_right(world, mail_for(world, AMARA)[-1]["code"])
