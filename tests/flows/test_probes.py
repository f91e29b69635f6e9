"""What a supervisor and a load balancer are told, while stores go away, hang and come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from idp.commands.serve import prepare
from idp.draining import DRAINING
from idp.operations.probes import LOOK_LATE, UNANSWERED, Probes
from idp.provider import provider
from tests.machine.redis_server import RedisServer
from tests.world import Clock, World

Look = Callable[[], None]


def probes_of(world: World, answers: bool = True) -> tuple[Probes, Clock]:
    clock = Clock()
    return Probes(world.held, lambda: answers, clock), clock


def test_nobody_is_sent_here_before_the_stores_were_seen(world: World) -> None:
    probes, _ = probes_of(world)
    assert not probes.ready().is_yes
    assert not probes.started().is_yes
    assert probes.live().is_yes
    probes.look()
    assert probes.ready() == (
        True,
        dict.fromkeys(["database", "ephemeral", "signing keys", "stopping"]),
    )
    assert probes.started().is_yes


def test_a_store_that_is_away_is_named_and_no_reason_to_start_anew(
    world: World, own_redis: RedisServer
) -> None:
    held = provider(replace(world.settings, redis_url=own_redis.url), world.clock)
    prepare(held)
    probes = Probes(held, lambda: True)
    probes.look()
    assert probes.ready().is_yes
    own_redis.stop()
    probes.look()
    ready = probes.ready()
    assert not ready.is_yes
    assert [name for name, fault in ready.checks.items() if fault] == ["ephemeral"]
    assert probes.live().is_yes
    assert probes.started().is_yes
    own_redis.start()
    probes.look()
    assert probes.ready().is_yes


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
