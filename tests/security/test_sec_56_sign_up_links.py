"""S56 and S60: of the links to one address the newest two open an account, both together once, and
of who has none nothing stays behind."""

from __future__ import annotations

from idp import delivery, outbox
from idp.login import sign_up
from idp.worker import watch
from tests.mailed import newest_link, run_errands
from tests.security.test_sec_60_sign_up import MINUTE, kept, status_of
from tests.signing_up import FREDA, NADIA, ask_for, asking_page, link_for, state, verify_domain
from tests.world import AMARA, World


def test_sec_56_of_sign_up_links_the_newest_two_are_good(either_world: World) -> None:
    """A stranger's request takes nothing from an owner who is still typing."""
    oldest, owners, strangers = (link_for(either_world, FREDA) for _ in range(3))
    assert status_of(either_world, oldest) == 404
    assert either_world.browser().get(strangers).status_code == 200
    assert status_of(either_world, owners) == 303
    assert either_world.run("SELECT * FROM sign_up_links") == []
    before = kept(either_world)
    assert status_of(either_world, strangers) == 404, "both are spent with the account's making"
    assert kept(either_world) == before


def test_sec_56_the_newer_of_two_sign_up_links_spends_the_older(either_world: World) -> None:
    older, newer = link_for(either_world, FREDA), link_for(either_world, FREDA)
    assert status_of(either_world, newer) == 303
    assert status_of(either_world, older) == 404


def test_sec_56_a_newer_sign_up_link_lengthens_no_older_one(either_world: World) -> None:
    older = link_for(either_world, FREDA)
    either_world.clock.move(58 * MINUTE)
    newer = link_for(either_world, FREDA)
    either_world.clock.move(MINUTE)
    assert status_of(either_world, older) == 404
    assert status_of(either_world, newer) == 303


def test_a_sign_up_link_leads_where_its_own_letter_was_asked_for(either_world: World) -> None:
    world = either_world
    owners = link_for(world, FREDA)
    world.clock.move(61.0)
    stranger = world.browser(**{"Accept-Language": "es"})
    assert stranger.submit(asking_page(stranger, "connections"), email=FREDA).status_code == 200
    strangers = newest_link(world, FREDA)
    found = [
        sign_up.look(world.held.database, each.partition("token=")[2], world.clock())
        for each in (owners, strangers)
    ]
    assert [each[:3] for each in found] == [
        (FREDA, "payments", "en"),
        (FREDA, "connections", "es"),
    ]


def test_sec_60_nothing_of_who_has_no_account_stays_in_the_outbox(either_world: World) -> None:
    """Neither what was asked, with the address it came from, nor the letter."""
    world = either_world
    verify_domain(world)
    state(world, sign_up="closed")
    for email in (FREDA, NADIA, AMARA):
        assert ask_for(world, email).status_code == 200
    run_errands(world)
    assert world.run("SELECT kind FROM outbox WHERE kind = 'sign_up'") == []
    assert len(world.run("SELECT id FROM outbox")) == 3
    heard: list[str] = []
    senders = dict.fromkeys(
        (outbox.LETTER, outbox.CODE), lambda message, now: heard.append(message.payload["to"])
    )
    while delivery.deliver_due(world.held.database, senders, watch, world.clock()):
        pass
    assert sorted(heard) == sorted((FREDA, NADIA, AMARA))
    left = [payload for (payload,) in world.run("SELECT payload FROM outbox")]
    assert [AMARA in payload for payload in left] == [True]
