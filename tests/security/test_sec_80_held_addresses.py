"""S80: while a company's own provider is the only way in, the address that leads there stays: who
could change it would come in by another way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.console.company_providers_of import only_way, turn
from tests.console.people_of import member_id
from tests.federation.companies import changed, key_of, northwinds
from tests.machine.upstream.provider import UpstreamProvider
from tests.security.changing_address import ask, asked_link, open_link
from tests.world import AMARA, BEN, Visitor, World

__all__ = ["northwinds"]

HELD = "You sign in with your company by this address. Ask an admin there about it."
NEW = "ben@elsewhere.example"


@pytest.fixture
def ben(either_world: World, northwinds: UpstreamProvider) -> Visitor:
    browser = either_world.browser()
    browser.enter("/account/email", BEN)
    return browser


def addresses(world: World) -> Any:
    return world.run("SELECT email FROM users WHERE email IN (:old, :new)", old=BEN, new=NEW)


def test_sec_80_no_link_is_sent_for_an_address_that_the_company_holds(
    either_world: World, northwinds: UpstreamProvider, ben: Visitor
):
    changed(either_world, northwinds, **only_way(either_world, AMARA))
    refused = ask(ben, NEW)
    assert refused.status_code == 422
    assert HELD in refused.text
    assert either_world.run("SELECT count(*) FROM email_changes") == [(0,)]


@pytest.mark.parametrize("why", ["other ways", "left out", "no member", "disabled"])
def test_sec_80_and_it_holds_nobody_whom_it_does_not_let_in_by_it_alone(
    either_world: World, northwinds: UpstreamProvider, ben: Visitor, why: str
):
    if why != "other ways":
        left_out = (AMARA, BEN) if why == "left out" else (AMARA,)
        changed(either_world, northwinds, **only_way(either_world, *left_out))
    if why == "no member":
        ended = "UPDATE memberships SET status = 'ended' WHERE id = :m"
        either_world.run(ended, m=member_id(either_world, BEN))
    if why == "disabled":
        turn(either_world, key_of(either_world), "disabled")
        either_world.clock.move(2)
    assert open_link(ben, asked_link(either_world, ben, NEW)).status_code == 303
    assert addresses(either_world) == [(NEW,)]


def test_sec_80_a_link_from_before_changes_nothing_and_says_why(
    either_world: World, northwinds: UpstreamProvider, ben: Visitor
):
    link = asked_link(either_world, ben, NEW)
    changed(either_world, northwinds, **only_way(either_world, AMARA))
    refused = open_link(ben, link)
    assert refused.status_code == 403
    assert HELD in refused.text
    assert addresses(either_world) == [(BEN,)]
    assert either_world.run("SELECT confirmed_at, undo_hash FROM email_changes") == [(None, None)]
    assert either_world.audit("email.changed") == []
    changed(either_world, northwinds)
    assert open_link(ben, link).status_code == 303
    assert addresses(either_world) == [(NEW,)]
