"""Databases that have the newest schema and nothing in it, and a crew that races on them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from idp import migrations
from idp.database import Database
from tests.machine.postgres import Postgres
from tests.machine.processes import free_port
from tests.storage.crew import KEYS, Crew


@pytest.fixture(scope="session")
def crew() -> Iterator[Crew]:
    """Three processes of 34 threads each."""
    started = Crew()
    yield started
    started.dismiss()


@pytest.fixture(scope="session")
def sqlite_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An upgraded file, to be copied."""
    path = tmp_path_factory.mktemp("upgraded") / "latchkey.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_original(postgres: Postgres) -> str:
    """An upgraded database, to be copied."""
    url = postgres.new_database()
    upgrade(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def schema_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the newest schema; the test runs once on each kind."""
    return fresh_database(request, request.param, tmp_path)


def fresh_database(request: pytest.FixtureRequest, kind: str, folder: Path) -> str:
    """The URL of a copy of the upgraded one."""
    if kind == "sqlite":
        original: Path = request.getfixturevalue("sqlite_original")
        shutil.copy(original, folder / "latchkey.db")
        return f"sqlite:///{folder / 'latchkey.db'}"
    copy_of = request.getfixturevalue("postgres_original")
    return str(request.getfixturevalue("postgres_url")(copy_of=copy_of))


@pytest.fixture
def database(schema_url: str) -> Iterator[Database]:
    opened = Database(schema_url, seal=KEYS.seal)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    upgrade(sqlite_url)
    with closing(Database(sqlite_url, seal=KEYS.seal)) as opened:
        yield opened


def upgrade(url: str) -> None:
    database = Database(url)
    migrations.upgrade(database)
    database.close()


@pytest.fixture
def unused_port() -> int:
    return free_port()
