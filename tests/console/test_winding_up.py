"""What there was of a company that has ended is written down, and what its people held is let go of
in batches, by whoever comes to it."""

from __future__ import annotations

import json
import zipfile
from typing import IO, Any

import pytest
import sqlalchemy as sa

from idp import worker
from idp.directory import catalog_version
from idp.directory.acting import NotFound
from idp.directory.operating import Operation
from idp.grants.ending import end_of_membership
from idp.operators import ending, evidence, tenants, winding_up, written_down
from idp.sessions import logout
from tests.console.company_providers_of import add, link
from tests.console.operations import operation, operator
from tests.console.test_tenants import DEAD
from tests.security.protocol import together
from tests.world import AMARA, BEN, PRIYA, World

BATCH = 2


@pytest.fixture
def ended(either_world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Three of its people were signed in, and so many as BATCH have been let go of."""
    monkeypatch.setattr(winding_up, "BATCH", BATCH)
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
    monkeypatch.setattr(winding_up, "BATCH", 1)
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
        patched.setattr(winding_up, "end_of_membership", killed)
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
    monkeypatch.setattr(winding_up, "BATCH", 1)
    end(postgres_world)
    before = left(postgres_world)
    with postgres_world.held.database.transaction() as db:
        [(tenant_id,)] = db.rows(sa.select(winding_up.TenantEnding.tenant_id))
        assert db.row(winding_up._TURN, tenant_id=tenant_id)
        assert together(1, lambda number: worker.wind_up(postgres_world.held)) == [False]
    assert left(postgres_world) == before
    assert worker.wind_up(postgres_world.held)


def test_links_to_its_provider_go_in_batches_too(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winding_up, "BATCH", 1)
    provider = add(either_world)
    for email in (AMARA, BEN):
        link(either_world, email, provider, f"there-{email}")
    either_world.run("UPDATE memberships SET status = 'ended'")  # or links are the fewer
    end(either_world)
    assert either_world.run("SELECT count(*) FROM linked_accounts") == [(1,)]
    while worker.wind_up(either_world.held):
        pass
    assert either_world.run("SELECT count(*) FROM linked_accounts") == [(0,)]


@pytest.fixture
def large(either_world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A company has ended that has more than the act itself writes down, and than one piece."""
    world = either_world
    for email in (AMARA, BEN):
        world.browser().tokens(email, tenant=None if email == BEN else "northwind")
    link(world, BEN, add(world), "there")
    monkeypatch.setattr(winding_up, "LITTLE", 2)
    monkeypatch.setattr(written_down, "PIECE", 2)
    assert end(world) == {}
    return world


def rows(world: World, table: str) -> int:
    return int(world.run(f"SELECT count(*) FROM {table}")[0][0])


def test_the_act_leaves_what_is_much_to_the_worker_and_nothing_counts_meanwhile(
    large: World,
) -> None:
    assert large.audit("tenant.evidence_made") == []
    assert (left(large) > 3, rows(large, "linked_accounts")) == (True, 1)
    with pytest.raises(NotFound), operation(large) as opened:
        pack(large, opened)
    page = operator(large).get("/operate/tenants/northwind").text
    assert "It is being written down." in page
    assert "Download the evidence" not in page
    assert worker.wind_up(large.held)
    assert "Download the evidence" in operator(large).get("/operate/tenants/northwind").text


def pack(world: World, opened: Operation) -> IO[bytes]:
    ring = world.held.key_ring.current(world.clock())
    tenant = tenants.get_tenant(opened, "northwind")
    return evidence.pack(opened, tenant, ring, world.settings.issuer)


def test_what_is_written_down_piece_by_piece_is_all_that_there_was_at_the_end(
    large: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also who has signed out since, and before anything is taken away."""
    signed_in, people = open_grants(large), left(large)
    large.clock.move(60)
    large.run("UPDATE sessions SET ended_at = :now", now=large.clock())
    large.run("UPDATE grants SET ended_at = :now WHERE ended_at IS NULL", now=large.clock())
    assert worker.wind_up(large.held)
    [made] = large.audit("tenant.evidence_made")
    assert (made["counts"]["people"], made["counts"]["sign-ins"]) == (people, signed_in)
    assert (made["counts"]["linked-accounts"], made["counts"]["identity-providers"]) == (1, 1)
    with operation(large) as opened, pack(large, opened) as packed:
        lines = zipfile.ZipFile(packed).read("people.jsonl").splitlines()
        assert len({json.loads(line)["membership_id"] for line in lines}) == people
    while worker.wind_up(large.held):
        pass
    assert (left(large), rows(large, "linked_accounts")) == (0, 0)


def test_whoever_is_killed_while_writing_it_down_leaves_it_to_the_next(
    large: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = left(large), rows(large, "company_providers")

    def killed(*_: Any, **__: Any) -> None:
        raise SystemExit

    for module, name in ((written_down, "_line"), (catalog_version, "touch_clients_of")):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, killed)
            with pytest.raises(SystemExit):
                worker.wind_up(large.held)
        assert (left(large), rows(large, "company_providers")) == before
        assert (rows(large, "tenant_ending_files"), large.audit("tenant.evidence_made")) == (0, [])
    while worker.wind_up(large.held):
        pass
    assert (left(large), len(large.audit("tenant.evidence_made"))) == (0, 1)


def test_of_many_who_write_it_down_at_once_one_does(large: World) -> None:
    while any(together(4, lambda number: worker.wind_up(large.held))):
        pass
    assert (left(large), len(large.audit("tenant.evidence_made"))) == (0, 1)
    assert rows(large, "tenant_ending_files") == len(written_down.FILES)
    assert len(told(large)) == len(set(told(large))) == 2
