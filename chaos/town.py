"""The provider as it is run for many: a server of four workers, PostgreSQL that keeps what it was
told, Redis, and a worker for letters; or one server on SQLite."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import requests

from chaos import directory
from chaos.load import Plan
from chaos.sockets import LISTENING, OURS, sockets_at, sockets_of
from tests.credentials.stand_ins import MailServer, mail_server
from tests.machine.postgres import OWNER, Postgres, database_name, start_postgres
from tests.machine.processes import LOOPBACK, free_port
from tests.machine.provider_process import RunningProvider, start_provider
from tests.machine.redis_server import RedisServer, start_redis

WORKERS, THREADS, USERS = 4, 12, 60
NUMBERS = 2**22  # that a load has for its operations; the upper half is for what else is asked
SECONDS = 60.0


@dataclass
class Town:
    """`postgres` and `redis` are None on SQLite, `post` where letters stay in an inbox.
    `ports_of_postgres` are that of `postgres` and one where the provider looks for another, and
    `clusters` all that end with the town. `users` is how many virtual users there are, and `loads`
    how many loads there have been: each has numbers of its own for its operations."""

    folder: Path
    running: RunningProvider
    users: int
    postgres: Postgres | None = None
    redis: RedisServer | None = None
    ports_of_postgres: tuple[int, ...] = ()
    clusters: list[Postgres] = field(default_factory=list)
    post: MailServer | None = None
    loads: int = 0
    is_behind_proxy: ClassVar[bool] = False

    @property
    def port(self) -> int:
        return self.running.settings.port

    @property
    def ports(self) -> list[int]:
        """Where the load asks: each in turn."""
        return [self.port]

    @property
    def database(self) -> str:
        """Its name, or its file."""
        return str(self.running.held.database.url.database)

    @property
    def threads(self) -> int:
        """How many requests one worker can have in hand."""
        return self.running.settings.threads

    def workers(self) -> list[int]:
        """The processes that serve, once each of them does: they listen."""
        return [pid for pid in self.running.pids if _listens(pid, self.port)]

    def is_whole(self) -> bool:
        return len(self.workers()) == self.running.settings.workers

    def is_ready(self) -> bool:
        port = self.running.settings.operations_port
        try:
            return requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).ok
        except requests.RequestException:
            return False

    def plan(self, **load: Any) -> Plan:
        """Of a load on this town; `load` has its rate and what else differs."""
        directory.put_back(self.running.held)
        self.loads += 1
        known = directory.plan(self.running.held, self.users)
        first = self.loads * NUMBERS
        return Plan(ports=self.ports, issuer=self.running.issuer, first=first, **known, **load)


@contextmanager
def town_on_postgres(folder: Path, users: int, **settings: Any) -> Iterator[Town]:
    """The provider knows of two servers, of which one is there."""
    postgres, redis = start_postgres(durable=True), start_redis()
    clusters, ports = [postgres], (postgres.port, free_port())
    try:
        url = _of_either(postgres.new_database(), ports)
        with served(folder, users, database_url=url, redis_url=redis.url, **settings) as running:
            yield Town(folder, running, users, postgres, redis, ports, clusters)
    finally:
        redis.remove()
        for each in clusters:
            each.stop()


def _of_either(url: str, ports: tuple[int, int]) -> str:
    """The same database, at whichever port somebody writes."""
    hosts, where = ",".join([LOOPBACK] * len(ports)), ",".join(map(str, ports))
    return f"postgresql://{OWNER}@/{database_name(url)}?host={hosts}&port={where}"


@contextmanager
def town_with_mail(folder: Path, users: int, **settings: Any) -> Iterator[Town]:
    """Letters leave by a mail server of its own."""
    with mail_server() as post:
        own = {"demo_inbox": False, "smtp_url": post.url}
        with town_on_postgres(folder, users, **own, **settings) as town:
            town.post = post
            yield town


@contextmanager
def town_on_sqlite(folder: Path, users: int, **settings: Any) -> Iterator[Town]:
    with served(folder, users, **settings) as running:
        yield Town(folder, running, users)


@contextmanager
def served(folder: Path, users: int, **settings: Any) -> Iterator[RunningProvider]:
    """Every request says where it comes from, and none is refused for coming often."""
    chosen = {
        "threads": THREADS,
        "operations_port": free_port(),
        "demo_inbox": True,
        "trusted_proxies": "127.0.0.1",
        "tries_per_tenant": 10**6,
        "drain": 2,
        "workers": WORKERS,
        **settings,
    }
    running = start_provider(
        *(folder, lambda held: directory.furnish(held, users)),
        outbox_workers=1,
        **chosen,
    )
    try:
        yield running
    finally:
        running.stop()


def timed(act: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begun = time.monotonic()
    act()
    return time.monotonic() - begun


def wait_until(ready: Callable[[], bool], seconds: float = SECONDS) -> float:
    """How long it took. Raises TimeoutError."""
    begun = time.monotonic()
    while not ready():
        if time.monotonic() > begun + seconds:
            raise TimeoutError(f"it did not happen within {seconds:.0f} seconds")
        time.sleep(0.02)
    return time.monotonic() - begun


def _listens(pid: int, port: int) -> bool:
    """By a socket of its own (Linux, SO_REUSEPORT)."""
    return not sockets_of(pid).isdisjoint(sockets_at(port, OURS, LISTENING))
