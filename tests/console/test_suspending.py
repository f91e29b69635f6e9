"""The sign-ins of a suspended company are over at once, and are ended in batches by whoever comes
to it; nothing of them wakes up when the company goes on, and nothing newer is ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from idp import outbox, worker
from idp.delivery import Undelivered
from idp.grants import sign_outs
from idp.grants.ending import end_of_membership
from idp.operators import tenants
from tests.console.access_story import Story
from tests.console.operations import operation, user_id
from tests.console.test_tenants import DEAD
from tests.console.test_winding_up import open_grants, told
from tests.security.protocol import together
from tests.world import AMARA, BEN, PRIYA, Visitor, World

SCOPE = "openid offline_access"


def by_an_operator(world: World, act: Callable[..., None]) -> None:
    with operation(world) as opened:
        act(opened, tenants.get_tenant(opened, "northwind"))


def by_a_file(world: World, act: Callable[..., None]) -> None:
    status = "suspended" if act is tenants.suspend else "active"
    world.apply(tenants=[{"slug": "northwind", "name": "Northwind Lending", "status": status}])


@pytest.fixture
def people(either_world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, Visitor]:
    """Three of its people are signed in, and a batch is one of them."""
    monkeypatch.setattr(sign_outs, "BATCH", 1)
    browsers = {email: either_world.browser() for email in (AMARA, BEN, PRIYA)}
    for email, browser in browsers.items():
        sign_in(browser, email)
    either_world.clock.move(1)
    return browsers


def sign_in(browser: Visitor, email: str) -> dict[str, Any]:
    return browser.tokens(email, scope=SCOPE, tenant=None if email == BEN else "northwind")


def is_alive(world: World, given: dict[str, Any]) -> bool:
    if world.introspect(given["access_token"])["active"]:
        return True
    assert world.refresh(given["refresh_token"]).json == DEAD
    return False


def finish(world: World) -> None:
    while worker.sign_out(world.held):
        pass


@pytest.mark.parametrize("by", [by_an_operator, by_a_file])
def test_what_was_granted_before_never_counts_again_however_late_the_worker_is(
    either_world: World, people: dict[str, Visitor], by: Callable[..., None]
) -> None:
    held = [sign_in(browser, email) for email, browser in people.items()]
    either_world.clock.move(1)
    by(either_world, tenants.suspend)
    assert open_grants(either_world) > 1
    assert not any(is_alive(either_world, each) for each in held)
    either_world.clock.move(1)
    by(either_world, tenants.resume)
    assert open_grants(either_world) > 1
    assert not any(is_alive(either_world, each) for each in held)
    finish(either_world)
    assert open_grants(either_world) == 0
    assert not any(is_alive(either_world, each) for each in held)


@pytest.mark.parametrize("by", [by_an_operator, by_a_file])
def test_who_was_signing_in_just_as_it_was_suspended_has_no_more_of_it(
    either_world: World, by: Callable[..., None]
) -> None:
    """Such a grant is made by who had read before that the company is active."""
    given = sign_in(either_world.browser(), BEN)
    by(either_world, tenants.suspend)
    made = "UPDATE grants SET created_at = :at, ended_at = NULL"
    either_world.run(made, at=either_world.clock() + 0.1)
    either_world.clock.move(1)
    by(either_world, tenants.resume)
    assert not is_alive(either_world, given)


def test_who_signs_in_anew_stays_while_the_worker_comes_to_what_was_before(
    either_world: World, people: dict[str, Visitor]
) -> None:
    """In the same browser it is one session to the product, which is left alone."""
    for act in (tenants.suspend, tenants.resume):
        by_an_operator(either_world, act)
        either_world.clock.move(1)
    before = len(told(either_world))
    anew = [sign_in(browser, email) for email, browser in people.items()]
    finish(either_world)
    assert all(is_alive(either_world, each) for each in anew)
    assert len(told(either_world)) == before
    assert open_grants(either_world) == len(anew)


def test_a_message_that_has_waited_spares_who_has_signed_in_anew(
    either_world: World, people: dict[str, Visitor]
) -> None:
    by_an_operator(either_world, tenants.suspend)
    finish(either_world)
    assert len(told(either_world)) == 3
    either_world.clock.move(1)
    by_an_operator(either_world, tenants.resume)
    either_world.clock.move(1)
    sign_in(people[BEN], BEN)
    refused = dict[str, bool]()
    for message in outbox.to_products(either_world.held.database, either_world.clock()):
        with pytest.raises(Undelivered) as why:  # no product answers in a test
            worker.tell_product(either_world.held, message, either_world.clock())
        refused[message.payload["sub"]] = why.value.refused
    ben = user_id(either_world, BEN)
    assert refused == {each: each == ben for each in refused}
    assert (len(refused), ben in refused) == (3, True)


def test_the_log_tells_when_all_are_signed_out_and_how_many(
    either_world: World, people: dict[str, Visitor]
) -> None:
    by_an_operator(either_world, tenants.suspend)
    assert either_world.audit("tenant.signed_out") == []
    finish(either_world)
    assert [each["products_told"] for each in either_world.audit("tenant.signed_out")] == [3]
    assert either_world.run("SELECT count(*) FROM tenant_sign_outs") == [(0,)]


def test_whoever_is_killed_in_a_batch_leaves_it_to_the_next(
    either_world: World, people: dict[str, Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_an_operator(either_world, tenants.suspend)
    monkeypatch.setattr(sign_outs, "BATCH", 50)

    def seen() -> Any:
        rows = either_world.run("SELECT after, products_told FROM tenant_sign_outs")
        return open_grants(either_world), told(either_world), rows

    done = list[str]()

    def killed(db: Any, user_id: str, membership_id: str, now: float, until: float) -> int:
        done.append(membership_id)
        if len(done) == 3:
            raise SystemExit
        return end_of_membership(db, user_id, membership_id, now, until)

    before = seen()
    with monkeypatch.context() as patched:
        patched.setattr(sign_outs, "end_of_membership", killed)
        with pytest.raises(SystemExit):
            worker.sign_out(either_world.held)
    assert seen() == before
    finish(either_world)
    assert (open_grants(either_world), len(told(either_world))) == (0, 3)


def test_of_many_at_once_nobody_tells_a_product_twice(
    either_world: World, people: dict[str, Visitor]
) -> None:
    by_an_operator(either_world, tenants.suspend)
    while any(together(4, lambda number: worker.sign_out(either_world.held))):
        pass
    assert open_grants(either_world) == 0
    assert len(told(either_world)) == len(set(told(either_world))) == 3
    assert [each["products_told"] for each in either_world.audit("tenant.signed_out")] == [3]


def test_suspended_once_more_before_that_it_begins_anew(
    either_world: World, people: dict[str, Visitor]
) -> None:
    by_an_operator(either_world, tenants.suspend)
    for _ in range(3):
        worker.sign_out(either_world.held)
    either_world.clock.move(1)
    by_an_operator(either_world, tenants.resume)
    either_world.clock.move(1)
    anew = [sign_in(browser, email) for email, browser in people.items()]
    either_world.clock.move(1)
    by_an_operator(either_world, tenants.suspend)
    finish(either_world)
    assert open_grants(either_world) == 0
    either_world.clock.move(1)
    by_an_operator(either_world, tenants.resume)
    assert not any(is_alive(either_world, each) for each in anew)


@pytest.mark.parametrize("company", ["northwind", "harbor"])
def test_what_a_guest_held_does_not_wake_up_with_either_company(
    either_world: World, company: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(either_world)
    story.opened()
    monkeypatch.setattr(sign_outs, "BATCH", 1)
    given = either_world.browser().tokens(BEN, tenant="harbor", scope=SCOPE)
    either_world.clock.move(1)
    for act in (tenants.suspend, tenants.resume):
        with operation(either_world) as opened:
            act(opened, tenants.get_tenant(opened, company))
        either_world.clock.move(1)
        assert not is_alive(either_world, given)
    finish(either_world)
    ended = "SELECT count(*) FROM grants WHERE ended_at IS NULL"
    assert either_world.run(ended) == [(0,)]
    assert len(told(either_world)) == 1
    assert is_alive(either_world, either_world.browser().tokens(BEN, tenant="harbor", scope=SCOPE))
