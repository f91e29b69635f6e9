"""A store that has no room for one more is told like one that is away: 503 at every door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import QueuePool
from werkzeug.test import TestResponse

from idp import lanes
from idp.database import Database
from tests.console.calling import tenants_machine
from tests.security.browsing import reopened
from tests.storage.crew import threads_at_once
from tests.world import World

Ask = Callable[[], TestResponse]


@pytest.fixture
def small_world(either_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """With few connections, and little patience."""
    monkeypatch.setattr(lanes, "CONNECT_TIMEOUT", 0.2)
    monkeypatch.setattr("idp.database.CONNECT_TIMEOUT", 1)
    monkeypatch.setattr(lanes, "BUSY_TIMEOUT_MS", 50)
    small = reopened(either_world, replace(either_world.settings, database_pool=2))
    yield small
    small.held.database.close()


def doors(world: World) -> dict[str, Ask]:
    """A page, an endpoint and the API, each asked for something that it has to write for."""
    caller, browser = tenants_machine(world), world.browser()
    page = browser.enter("/manage/northwind/roles/new")
    refresh = world.browser().tokens(scope="openid offline_access")
    role, typed = {"name": "Clerk"}, {"name": "Teller", "description": "", "rank": "1"}
    return {
        "reading page": lambda: browser.get("/manage/northwind/people"),
        "page": lambda: browser.submit(page, path="/manage/northwind/roles/new", **typed),
        "endpoint": lambda: world.refresh(refresh["refresh_token"]),
        "api": lambda: caller.post("/tenants/northwind/roles", role),
        "reading api": lambda: caller.get("/tenants/northwind/people"),
    }


def check_is_away(name: str, answer: TestResponse) -> None:
    assert answer.status_code == 503, (name, answer.status)
    assert answer.headers["Retry-After"], name


@contextmanager
def every_page_s_connection_taken(database: Database) -> Iterator[None]:
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    with ExitStack() as taken:
        for _ in range(pool.size() + pool._max_overflow):
            taken.enter_context(database.engine.connect())
        yield


def test_a_page_and_the_api_wait_for_a_connection_but_not_for_ever(small_world: World) -> None:
    asked = doors(small_world)
    with every_page_s_connection_taken(small_world.held.database):
        for name in ("reading page", "page", "api", "reading api"):
            check_is_away(name, asked[name]())
    check_all_are_open(asked)


def check_all_are_open(asked: dict[str, Ask]) -> None:
    for name, ask in asked.items():
        assert ask().status_code in (200, 201, 303), name


def test_no_door_fails_when_every_postgresql_connection_of_the_endpoints_is_lent(
    postgres_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.database.CONNECT_TIMEOUT", 0.2)
    small = reopened(postgres_world, replace(postgres_world.settings, database_pool=1))
    asked = doors(small)
    with closing(small.held.database) as database:
        with database.connection():
            answers = threads_at_once(lambda _: {name: asked[name]() for name in asked}, threads=1)
        for name, answer in answers[0].items():
            check_is_away(name, answer)
        check_all_are_open(asked)


def test_no_door_fails_while_another_thread_keeps_sqlite_to_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "BUSY_TIMEOUT_MS", 50)
    small = reopened(world, world.settings)
    asked = doors(small)
    writers = {name: ask for name, ask in asked.items() if "reading" not in name}
    with closing(small.held.database) as database:
        with database.transaction():
            answers = threads_at_once(
                lambda _: {name: ask() for name, ask in writers.items()}, threads=1
            )
        for name, answer in answers[0].items():
            check_is_away(name, answer)
        check_all_are_open(asked)


def test_a_postgresql_that_only_reads_for_now_is_away(postgres_world: World) -> None:
    """As one is that has not taken over yet, or has no room left to write."""
    asked = doors(postgres_world)
    name = sa.make_url(postgres_world.settings.database_url).database
    postgres_world.run(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    postgres_world.held.database.close()
    for door in ("page", "endpoint", "api"):
        check_is_away(door, asked[door]())


def test_a_postgresql_that_takes_no_more_connections_is_away(postgres_world: World) -> None:
    asked = doors(postgres_world)
    postgres_world.held.database.close()
    name = sa.make_url(postgres_world.settings.database_url).database
    url = sa.make_url(postgres_world.settings.database_url).set(database="postgres")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as other:
        other.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        for door, ask in asked.items():
            check_is_away(door, ask())
