"""The machine that tests run on: real databases, a real Redis, a real browser, loopback alone.

Each pytest process (xdist worker) starts a server when a test first asks for it, and ends it at its
own end. Nothing is ever skipped: a tool that is missing is a failure that says what to install.
"""

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from tests.machine.browser import running_chromium
from tests.machine.kept import keep
from tests.machine.postgres import Postgres, start_postgres
from tests.machine.redis_server import RedisServer, start_redis
from tests.machine.second_latchkey import second_latchkey
from tests.machine.under_test import kept_under_test, under_test
from tests.world import (
    either_world,
    furnished_folder,
    furnished_postgres,
    kept_postgres,
    postgres_loads,
    postgres_world,
    sqlite_loads,
    world,
)

__all__ = [  # fixtures, found by name
    "either_world",
    "furnished_folder",
    "furnished_postgres",
    "kept_postgres",
    "kept_under_test",
    "postgres_loads",
    "postgres_world",
    "second_latchkey",
    "sqlite_loads",
    "under_test",
    "world",
]

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

gc.disable()  # until all is imported
keep()
structlog.configure(  # in plain words: to paint what went wrong takes longer than most tests
    processors=[
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
    ]
)

# The longest first: those which work most, then those which wait.
LONG_FILES = (
    *("test_sec_76_*.py", "test_api_by_schemathesis.py", "test_gallery.py", "fuzz/*.py"),
    *("test_sec_74_*.py", "test_demo_start.py", "*_browser.py", "browser/*.py"),
    *("test_migrations.py", "test_odd_input.py", "concurrency/*.py", "test_stores_*.py"),
    *("test_style.py", "test_sec_67_*.py", "test_sec_7?_*.py", "test_fault_*.py"),
    *("test_audit_*.py", "test_large_tenants.py", "test_access_*.py", "test_evidence*.py"),
    *("test_imports.py", "test_tenants.py", "test_sec_8?_*.py", "peers/*.py"),
    *("test_scenarios.py", "test_backups.py", "test_connections.py", "testing/*.py"),
    *("test_sec_6?_*.py", "test_sec_46_*.py", "test_ephemeral_contract.py"),
)
NOTHING_IS_SKIPPED = "This was skipped, and nothing here may be: {}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The cluster: `postgres.new_database(copy_of=url)`, `postgres.drop_database(url)`."""
    cluster = start_postgres()
    yield cluster
    cluster.stop()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[Callable[..., str]]:
    """`postgres_url()` is the URL of a fresh empty database, `postgres_url(copy_of=url)` of a copy.

    Both are dropped afterwards.
    """
    made: list[str] = []

    def new_url(copy_of: str | None = None) -> str:
        made.append(postgres.new_database(copy_of))
        return made[-1]

    yield new_url
    for url in made:
        postgres.drop_database(url)


@pytest.fixture
def durable_postgres() -> Iterator[Postgres]:
    """A cluster for one test alone with fsync on: kill it and see what is left."""
    cluster = start_postgres(durable=True)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.remove()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of a Redis that is empty when the test starts."""
    redis_server.empty()
    return redis_server.url


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis for one test alone, which it may `stop()` and `start()`."""
    server = start_redis()
    yield server
    server.remove()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'latchkey.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh empty database; the test runs once on each kind."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    return str(request.getfixturevalue("postgres_url")())


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """A Playwright browser."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: "Browser") -> Iterator["Page"]:
    """A page in a browser profile of its own."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Each process translates a part of the files, and finds the others translated: it takes three
    times as long as all else that is done to find the tests. What can't be imported is told when
    its turn comes."""
    config, worker = session.config, getattr(session.config, "workerinput", None)
    if worker is None or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    files = sorted(Path(__file__).parent.rglob("test_*.py"))
    number, count = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    for file in files[number::count]:
        with suppress(Exception):
            import_module(".".join(file.relative_to(config.rootpath).with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first, so that nobody is left with one at the end."""
    items.sort(key=lambda item: _place(item.path))


@cache
def _place(file: Path) -> int:
    return next((i for i, long in enumerate(LONG_FILES) if file.match(long)), len(LONG_FILES))


def pytest_collection_finish() -> None:
    """What has been imported stays: the garbage collector need not go over it again and again, nor
    over what is young as often as it does where little is made."""
    gc.enable()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = NOTHING_IS_SKIPPED.format(report.longrepr)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = NOTHING_IS_SKIPPED.format(report.longrepr)
    return report
