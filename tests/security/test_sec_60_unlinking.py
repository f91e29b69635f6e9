"""S60: what was linked by somebody who should not have had the account is not left to them, and
nothing is linked to an account that has changed hands."""

from __future__ import annotations

import pytest

from idp.grants import factor_reset
from tests.console.administering import proven
from tests.console.people_of import member_id
from tests.credentials.proving import code_of, enrol_app
from tests.federation.known import upstream
from tests.federation.signing_in import link, sign_in
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider
from tests.mailed import by_link, link_for
from tests.world import AMARA, BEN, PASSWORD, Visitor, World, sent_back

__all__ = ["upstream"]

DAY = 86400.0


@pytest.fixture
def visitor(either_world: World, upstream: UpstreamProvider) -> Visitor:
    return either_world.browser()


def linked(world: World) -> int:
    [(count,)] = world.run("SELECT count(*) FROM linked_accounts")
    return int(count)


def test_sec_60_an_account_that_has_another_address_by_now_is_not_linked(
    either_world: World, visitor: Visitor
):
    """Given back, or given away, after the browser has come back and before the proof."""
    page = sign_in(visitor)
    either_world.run(
        "UPDATE users SET email = 'new@x.example', email_canonical = 'new@x.example'"
        " WHERE email_canonical = :e",
        e=AMARA,
    )
    answer = visitor.submit(page, email="new@x.example", password=PASSWORD)
    assert "code" in sent_back(visitor.follow(answer))
    assert linked(either_world) == 0


def test_sec_60_nor_one_whose_address_is_not_verified_any_more(
    either_world: World, visitor: Visitor
):
    page = sign_in(visitor)
    either_world.run(
        "UPDATE users SET email_verified_at = NULL WHERE email_canonical = :e", e=AMARA
    )
    visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    assert linked(either_world) == 0


def test_sec_60_who_has_a_second_factor_links_by_it_though_nobody_demands_one(
    either_world: World, visitor: Visitor
):
    secret = enrol_app(either_world)
    page = link(visitor, AMARA)
    assert page.request.path == "/login/second_factor"
    assert linked(either_world) == 0
    either_world.clock.move(31)
    visitor.follow(visitor.submit(page, code=code_of(secret, either_world.clock.now)))
    assert linked(either_world) == 1


def test_sec_60_who_gets_no_further_than_the_products_door_links_nothing(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor
):
    page = sign_in(visitor)
    either_world.run("DELETE FROM membership_roles")
    page = visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    assert page.request.path == "/login/not_open"
    answer = visitor.follow(visitor.submit(page, decision="back"))
    assert sent_back(answer)["error"] == "access_denied"
    assert linked(either_world) == 0


@pytest.mark.parametrize("form", ["temporary", "link"])
def test_sec_60_a_forgotten_password_unlinks_what_was_linked_within_a_week(
    either_world: World, visitor: Visitor, form: str
):
    link(visitor, AMARA)
    if form == "link":
        by_link(either_world)
    either_world.clock.move(7 * DAY - 120)
    forget(either_world, form)
    assert linked(either_world) == 0
    assert len(either_world.audit("account.unlinked")) == 1


def test_sec_60_and_leaves_what_the_owner_has_had_for_longer(either_world: World, visitor: Visitor):
    link(visitor, AMARA)
    either_world.clock.move(7 * DAY)
    forget(either_world, "temporary")
    assert linked(either_world) == 1


def forget(world: World, form: str) -> None:
    browser = world.browser()
    page = browser.get(link_for(world))
    fields = {"password": "Quiet otters paint 57 barges"} if form == "link" else {}
    assert browser.submit(page, **fields).status_code in (200, 303)


def test_sec_60_an_admins_reset_unlinks_what_was_linked(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor
):
    upstream.account = Account("77", BEN)
    link(visitor, BEN)
    with proven(either_world, AMARA) as admin:
        factor_reset.reset(admin, member_id(either_world, BEN))
    assert linked(either_world) == 0
    [event] = either_world.audit("person.second_factors_reset")
    assert event["linked"] == ["google"]


def test_sec_60_unlinking_ends_all_sessions_but_the_one_that_does_it(
    either_world: World, visitor: Visitor
):
    link(visitor, AMARA)
    owner = either_world.browser()
    owner.enter("/account/security")
    [(linked_id,)] = either_world.run("SELECT id FROM linked_accounts")
    address = f"/account/security/linked/{linked_id}"
    owner.submit(owner.enter(address), address)
    assert linked(either_world) == 0
    assert owner.get("/account/security").status_code == 200
    assert visitor.get("/account/security").status_code == 303
