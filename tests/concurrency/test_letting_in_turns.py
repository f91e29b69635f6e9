"""Somebody is let in as who they are when it is written, not a moment before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from idp.database import Connection
from idp.directory import letting_in
from idp.directory.acting import Mistake
from idp.login import email_move
from tests.concurrency.turns import until_waiting
from tests.console.administering import administering
from tests.console.people_of import user_id
from tests.federation.companies import companys, leave_by_address, set_up
from tests.federation.signing_in import come_back
from tests.signing_up import NADIA, is_somebody, memberships_of, requests_of, sign_up, verify_domain
from tests.world import BEN, World

PRIVATE = "nadia@else.example"
DISABLE = sa.text("UPDATE users SET status = 'disabled' WHERE id = :id")


def approve(world: World) -> str | None:
    [(request_id,)] = world.run("SELECT id FROM join_requests")
    with administering(world) as admin:
        return letting_in.approve(admin, request_id, "staff", ["agent"])


@pytest.mark.parametrize("change", ["moves", "is disabled"])
def test_sec_80_who_moves_or_is_disabled_while_they_are_approved_is_not_let_in(
    postgres_world: World, change: str
) -> None:
    world = postgres_world
    verify_domain(world)
    sign_up(world, NADIA)
    nadia, database = user_id(world, NADIA), world.held.database
    with ThreadPoolExecutor(1) as pool:
        with database.session() as changing:
            if change == "moves":
                db = Connection.of(database, changing)
                assert email_move.move(changing, db, nadia, PRIVATE, world.clock())
            else:
                changing.execute(DISABLE, {"id": nadia})
            approving = pool.submit(approve, world)
            until_waiting(world)
        with pytest.raises(Mistake):
            approving.result(20)
    email = PRIVATE if change == "moves" else NADIA
    assert is_somebody(world, email)
    assert (memberships_of(world, email), requests_of(world, email)) == ([], ["waiting"])


def test_sec_80_who_moves_while_their_company_s_provider_speaks_is_not_linked_by_the_old_address(
    postgres_world: World,
) -> None:
    world, database = postgres_world, postgres_world.held.database
    ben, visitor = user_id(world, BEN), world.browser()
    with companys(world) as upstream, ThreadPoolExecutor(1) as pool:
        set_up(world, upstream)
        away = leave_by_address(visitor, visitor.follow(visitor.authorize()))
        with database.session() as changing:
            db = Connection.of(database, changing)
            assert email_move.move(changing, db, ben, PRIVATE, world.clock())
            coming = pool.submit(come_back, visitor, away)
            until_waiting(world)
        assert "could not be used" in coming.result(20).text
    assert world.run("SELECT user_id FROM linked_accounts") == []
