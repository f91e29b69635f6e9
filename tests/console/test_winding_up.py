"""What people held of a company that has ended is let go of in batches, by whoever comes to it."""

from __future__ import annotations

from typing import Any

import pytest

from idp import worker
from idp.grants.ending import end_of_membership
from idp.operators import ending, tenants
from idp.sessions import logout
from tests.console.company_providers_of import add, link
from tests.console.operations import operation
from tests.console.test_tenants import DEAD
from tests.security.protocol import together
from tests.world import AMARA, BEN, PRIYA, World

BATCH = 2


@pytest.fixture
def ended(either_world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Three of its people were signed in, and so many as BATCH have been let go of."""
    monkeypatch.setattr(ending, "BATCH", BATCH)
    for email in (AMARA, BEN, PRIYA):
        tenant = None if email == BEN else "northwind"
        either_world.browser().tokens(email, scope="openid offline_access", tenant=tenant)
    end(either_world)
    return either_world


def end(world: World) -> Any:
    with operation(world) as opened:
        return ending.end(opened, tenants.get_tenant(opened, "northwind"), "northwind")


def left(world: World) -> int:
    return int(
        world.run(
            "SELECT count(*) FROM memberships m JOIN tenants t ON t.id = m.tenant_id"
            " WHERE t.slug = 'northwind' AND m.status != 'ended'"
        )[0][0]
    )


def told(world: World) -> list[str]:
    """The browsers and products of which a message was ordered."""
    return sorted(
        f"{session} {client}"
        for session, client in world.run(
            "SELECT session_id, client_id FROM outbox WHERE kind = :kind", kind=logout.MESSAGE
        )
    )


def open_grants(world: World) -> int:
    return int(
        world.run(
            "SELECT count(*) FROM grants g JOIN memberships m ON m.id = g.membership_id"
            " JOIN tenants t ON t.id = m.tenant_id"
            " WHERE t.slug = 'northwind' AND g.ended_at IS NULL"
        )[0][0]
    )


def test_nothing_counts_before_all_of_it_is_wound_up(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "BATCH", 1)
    tokens = [
        either_world.browser().tokens(email, scope="openid offline_access")
        for email in (AMARA, BEN)
    ]
    end(either_world)
    either_world.clock.move(1.0)
    assert left(either_world) > 1
    for each in tokens:
        assert either_world.refresh(each["refresh_token"]).json == DEAD
        assert either_world.introspect(each["access_token"]) == {"active": False}
        assert either_world.userinfo(each["access_token"]).status_code == 401


def test_no_batch_is_larger_than_it_may_be_and_the_last_one_says_so(ended: World) -> None:
    before = left(ended)
    assert before > BATCH
    while worker.wind_up(ended.held):
        now = left(ended)
        assert now == max(0, before - BATCH)
        before = now
    assert (left(ended), open_grants(ended)) == (0, 0)
    assert len(told(ended)) == 3
    assert len(set(told(ended))) == 3
    assert ended.run("SELECT count(*) FROM tenant_endings WHERE wound_up_at IS NULL") == [(0,)]


def test_whoever_is_killed_in_a_batch_leaves_it_to_the_next(
    ended: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, heard, open_before = left(ended), told(ended), open_grants(ended)
    done = list[str]()

    def killed(db: Any, user_id: str, membership_id: str, now: float) -> None:
        end_of_membership(db, user_id, membership_id, now)
        done.append(membership_id)
        if len(done) == BATCH:
            raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(ending, "end_of_membership", killed)
        with pytest.raises(SystemExit):
            worker.wind_up(ended.held)
    assert (left(ended), told(ended), open_grants(ended)) == (before, heard, open_before)
    while worker.wind_up(ended.held):
        pass
    assert (left(ended), open_grants(ended), len(told(ended))) == (0, 0, 3)


def test_of_many_at_once_nobody_tells_a_product_twice(ended: World) -> None:
    while any(together(4, lambda number: worker.wind_up(ended.held))):
        pass
    assert (left(ended), open_grants(ended)) == (0, 0)
    assert len(told(ended)) == len(set(told(ended))) == 3


def test_while_one_winds_a_company_up_no_other_does(
    postgres_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who finds fewer than a batch says that it is done: they may be in another's hands."""
    monkeypatch.setattr(ending, "BATCH", 1)
    end(postgres_world)
    before = left(postgres_world)
    with postgres_world.held.database.transaction() as db:
        assert db.row(ending._TO_WIND_UP)
        assert together(1, lambda number: worker.wind_up(postgres_world.held)) == [False]
    assert left(postgres_world) == before
    assert worker.wind_up(postgres_world.held)


def test_links_to_its_provider_go_in_batches_too(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "BATCH", 1)
    provider = add(either_world)
    for email in (AMARA, BEN):
        link(either_world, email, provider, f"there-{email}")
    either_world.run("UPDATE memberships SET status = 'ended'")  # or links are the fewer
    end(either_world)
    assert either_world.run("SELECT count(*) FROM linked_accounts") == [(1,)]
    while worker.wind_up(either_world.held):
        pass
    assert either_world.run("SELECT count(*) FROM linked_accounts") == [(0,)]
