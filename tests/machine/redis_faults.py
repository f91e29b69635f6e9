"""What happens to a Redis: each a context in which it is so, and after which it is well again."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import redis

from tests.machine.processes import stop_server
from tests.machine.redis_server import RedisServer

Fault = Callable[[RedisServer], AbstractContextManager[None]]


@contextmanager
def killed(server: RedisServer) -> Iterator[None]:
    """It comes back empty."""
    stop_server(server.process, signal.SIGKILL)
    yield
    server.start()


@contextmanager
def restarted(server: RedisServer) -> Iterator[None]:
    """It is back at once, and empty."""
    stop_server(server.process, signal.SIGKILL)
    server.start()
    yield


@contextmanager
def emptied(server: RedisServer) -> Iterator[None]:
    server.empty()
    yield


@contextmanager
def hanging(server: RedisServer) -> Iterator[None]:
    """It takes connections and answers nothing; what it was sent it does when it goes on."""
    server.process.send_signal(signal.SIGSTOP)
    yield
    server.process.send_signal(signal.SIGCONT)


@contextmanager
def full(server: RedisServer) -> Iterator[None]:
    with _told(server) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        yield
        client.config_set("maxmemory", "0")


@contextmanager
def replica(server: RedisServer) -> Iterator[None]:
    """Of one that is not there: it can be read and not written."""
    with _told(server) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        yield
        client.execute_command("REPLICAOF", "NO", "ONE")


def _told(server: RedisServer) -> redis.Redis:
    return redis.Redis.from_url(server.url)


AWAY: dict[str, Fault] = {
    "killed": killed,
    "hanging": hanging,
    "full": full,
    "a replica": replica,
}
FAULTS: dict[str, Fault] = {**AWAY, "restarted": restarted, "emptied": emptied}
