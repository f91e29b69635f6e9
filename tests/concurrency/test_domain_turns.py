"""Who verifies a domain waits for whoever says that the company's domains admit."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import orjson
import pytest
import sqlalchemy as sa

from idp.directory import domain_looks
from idp.directory.acting import Forbidden
from idp.directory.domain_looks import AT_MOST_EVERY
from tests.concurrency.turns import northwinds_turn, until_waiting
from tests.console.administering import administering, with_roles
from tests.console.name_server import Zone
from tests.console.proving_domains import add, text_of, zone
from tests.flows.test_admitted import waits
from tests.signing_up import sign_up
from tests.world import DANA, World

__all__ = ["zone"]

EVIL = "evil.example"
SAVE = "UPDATE tenants SET policy = :policy WHERE slug = 'northwind'"
TAKE_AWAY = (
    "DELETE FROM membership_roles USING roles WHERE roles.id = role_id AND roles.key = 'keeper'"
)


class Looking:
    """Dana, who manages domains alone, proves one whose record is there."""

    def __init__(self, world: World, zone: Zone) -> None:
        self.world = world
        settings = replace(world.settings, dns_nameservers=zone.address)
        with_roles(world, DANA, {"keeper": {"permissions": {"console": ["domains.manage"]}}})
        domain_id = self.domain_id = add(world, EVIL, DANA)
        zone.records[f"_latchkey.{EVIL}"] = [text_of(world, domain_id)]
        world.clock.move(AT_MOST_EVERY)

        def look() -> str:
            with administering(world, DANA) as admin:
                return domain_looks.check(admin, settings, world.clock, domain_id)

        self.look = look

    @contextmanager
    def waiting(self) -> Iterator[tuple[Future[str], sa.Connection]]:
        """The look that goes on once the turn is committed, and whoever has the turn."""
        with ThreadPoolExecutor(1) as pool, northwinds_turn(self.world) as changing:
            looking = pool.submit(self.look)
            until_waiting(self.world)
            yield looking, changing


def test_sec_79_a_domain_that_is_verified_while_a_policy_is_saved_comes_after_it(
    postgres_world: World, zone: Zone
) -> None:
    world, dana = postgres_world, Looking(postgres_world, zone)
    with dana.waiting() as (looking, changing):
        world.clock.move(1)
        stated = {"sign_up": "admitted", "sign_up_role": "agent", "sign_up_since": world.clock()}
        changing.execute(sa.text(SAVE), {"policy": orjson.dumps(stated).decode()})
        world.clock.move(1)
        changing.commit()
        assert looking.result(20) == "found"
    assert world.run("SELECT verified_at FROM domains") == [(world.clock(),)]
    sign_up(world, f"dana2@{EVIL}")
    assert waits(world, f"dana2@{EVIL}")


def test_whose_right_is_taken_away_while_the_nameserver_is_asked_verifies_nothing(
    postgres_world: World, zone: Zone
) -> None:
    world, dana = postgres_world, Looking(postgres_world, zone)
    with dana.waiting() as (looking, changing):
        changing.execute(sa.text(TAKE_AWAY))
        changing.commit()
        with pytest.raises(Forbidden):
            looking.result(20)
    assert world.run("SELECT verified_at FROM domains") == [(None,)]
