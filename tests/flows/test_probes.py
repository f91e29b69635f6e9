"""What a supervisor and a load balancer are told, while stores go away, hang and come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from idp.commands.serve import prepare
from idp.draining import DRAINING
from idp.ephemeral_stores import Elsewhere
from idp.operations.probes import LOOK_LATE, UNANSWERED, Probes
from idp.provider import provider
from tests.machine.processes import LOOPBACK, free_port
from tests.machine.redis_server import RedisServer
from tests.world import Clock, World

Look = Callable[[], None]


def probes_of(world: World, answers: bool = True) -> tuple[Probes, Clock]:
    clock = Clock()
    probes = Probes(world.held, lambda: answers, clock)
    probes.ask()
    return probes, clock


def test_nobody_is_sent_here_before_the_stores_were_seen(world: World) -> None:
    probes, _ = probes_of(world)
    assert not probes.ready().is_yes
    assert not probes.started().is_yes
    assert probes.live().is_yes
    probes.look()
    assert probes.ready() == (
        True,
        dict.fromkeys(["database", "signing keys", "ephemeral", "server", "stopping"]),
    )
    assert probes.started().is_yes


def test_nobody_is_sent_here_before_a_request_was_answered(world: World) -> None:
    """Stores are there long before the processes that serve have loaded."""
    answers = False
    probes = Probes(world.held, lambda: answers)
    probes.look()
    probes.ask()
    assert probes.ready().checks["server"]
    assert not probes.ready().is_yes
    assert not probes.started().is_yes
    answers = True
    probes.ask()
    assert probes.ready().is_yes
    assert probes.started().is_yes


def test_nobody_is_sent_to_a_version_whose_time_is_over(world: World) -> None:
    """The schema is upgraded while it serves: as long as that lets it, it goes on."""
    probes, _ = probes_of(world)
    world.run("UPDATE alembic_version SET version_num = '9999'")
    probes.look()
    assert probes.ready().is_yes
    world.run("UPDATE oldest_version SET revision = '9999'")
    probes.look()
    assert "only versions that know 9999 may serve it" in str(probes.ready().checks["database"])
    assert not probes.ready().is_yes
    assert probes.live().is_yes


class Server:
    """One of several that share a database, and see this Redis or none."""

    def __init__(self, world: World, clock: Clock, redis_url: str) -> None:
        held = provider(replace(world.settings, redis_url=redis_url), world.clock)
        prepare(held)
        stores = held.ephemeral._store  # type: ignore[attr-defined]
        stores._clock = clock
        stores._elsewhere = Elsewhere(clock)
        self.probes = Probes(held, lambda: True)
        self.probes.ask()

    @property
    def is_ready(self) -> bool:
        return self.probes.ready().is_yes


def test_fault_23_a_server_that_alone_lacks_redis_is_not_ready(
    world: World, own_redis: RedisServer
) -> None:
    clock = Clock()
    one, other = (Server(world, clock, own_redis.url) for _ in range(2))
    cut_off = Server(world, clock, f"redis://{LOOPBACK}:{free_port()}")
    servers = (one, other, cut_off)

    def pass_seconds(number: int) -> list[bool]:
        for _ in range(number):
            clock.move(1)
            for server in servers:
                server.probes.look()
        return [server.is_ready for server in servers]

    assert pass_seconds(7) == [True, True, False]
    refused = cut_off.probes.ready()
    assert [name for name, fault in refused.checks.items() if fault] == ["ephemeral"]
    assert cut_off.probes.live().is_yes
    own_redis.stop()
    assert pass_seconds(2)[:2] == [True, True]
    assert pass_seconds(6) == [True, True, True]
    own_redis.start()
    assert pass_seconds(7) == [True, True, False]


def test_fault_23_who_noticed_first_that_redis_is_away_is_not_alone_for_it() -> None:
    clock = Clock()
    elsewhere = Elsewhere(clock)
    for said in ("seen", "seen by one who has not noticed", "seen by one who has not noticed"):
        assert not elsewhere.goes_on(said)
        clock.move(1)
    clock.move(3)
    assert elsewhere.goes_on("seen by one who is not cut off")


def test_a_server_that_has_its_redis_to_itself_serves_without(
    world: World, own_redis: RedisServer
) -> None:
    clock = Clock()
    server = Server(world, clock, own_redis.url)
    server.probes.look()
    own_redis.stop()
    for _ in range(12):
        clock.move(1)
        server.probes.look()
        assert server.is_ready


def test_a_database_that_is_away_is_named(world: World) -> None:
    probes, _ = probes_of(world)
    probes.look()
    world.run("ALTER TABLE alembic_version RENAME TO elsewhere")
    probes.look()
    assert probes.ready().checks["database"]
    assert not probes.ready().is_yes


def test_a_look_that_hangs_is_a_fault_itself(world: World) -> None:
    probes, clock = probes_of(world)
    probes.look()
    clock.move(LOOK_LATE + 0.1)
    assert not probes.ready().is_yes
    probes.look()
    assert probes.ready().is_yes


def test_it_is_dead_once_no_request_was_answered_for_half_a_minute(world: World) -> None:
    probes, clock = probes_of(world, answers=False)
    clock.move(UNANSWERED - 1)
    probes.ask()
    assert probes.live().is_yes
    clock.move(1.1)
    probes.ask()
    assert not probes.live().is_yes


def test_it_lives_for_as_long_as_requests_are_answered(world: World) -> None:
    probes, clock = probes_of(world)
    clock.move(UNANSWERED + 1)
    probes.ask()
    assert probes.live().is_yes


def test_a_process_that_serves_nobody_is_asked_for_no_answer(world: World) -> None:
    clock = Clock()
    probes = Probes(world.held, None, clock)
    clock.move(UNANSWERED + 1)
    assert probes.live().is_yes


def test_a_server_that_is_about_to_stop_is_not_ready(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes, _ = probes_of(world)
    probes.look()
    monkeypatch.setattr(DRAINING, "_begun", bytearray(1))  # and no test after this one
    assert probes.ready().is_yes
    DRAINING.begin()
    assert not probes.ready().is_yes
    assert probes.live().is_yes
