"""The provider as its operators run it: `idp serve` and `idp worker`, on real sockets.

running = start_provider(tmp_path, furnish, workers=4, access_token_lifetime=5)
requests.get(running.issuer + "/jwks")
running.stop()
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
import sqlalchemy as sa

from idp import migrations
from idp.commands.serve import prepare
from idp.database import Database
from idp.provider import Provider, provider
from idp.settings import PREFIX, Settings
from tests.machine.forge import forge
from tests.machine.processes import (
    LOOPBACK,
    Process,
    descendants,
    free_port,
    kill,
    start_server,
    stop_server,
    tasks,
    wait_until,
)

CHEAP_PASSWORDS = {"argon2_memory_kib": 64, "argon2_time_cost": 1}
SECONDS_TO_ANSWER = 5
PROGRAM = "from idp.commands import main; main()"

Furnish = Callable[[Provider], object]


@dataclass
class RunningProvider:
    """`held` is the same database and keys, opened in this process; `log` is what they all said."""

    settings: Settings
    held: Provider
    log: Path
    server: Process
    outbox_workers: list[Process] = field(default_factory=list)
    replicas: list[Process] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return self.settings.issuer

    @property
    def _started(self) -> list[Process]:
        return [self.server, *self.replicas, *self.outbox_workers]

    @property
    def pids(self) -> list[int]:
        """Of the server, its worker processes, and the outbox workers."""
        own = [process.pid for process in self._started]
        return own + [child for pid in own for child in descendants(pid)]

    def start_outbox_worker(self) -> None:
        """One more `idp worker`: delivers mail and sign-outs. The port of operations is the
        server's."""
        chosen = replace(self.settings, operations_port=0)
        self.outbox_workers.append(_run("worker", chosen, self.log))

    def start_replica(self, *, version: Path | None = None, **settings: Any) -> Process:
        """One more `idp serve`, which shares all but these settings, and may be of another version
        (next_version.py), once it serves."""
        chosen = replace(self.settings, **settings)
        server = self.run(["serve"], version, chosen)
        self.replicas.append(server)
        own = f"http://{LOOPBACK}:{chosen.port}"
        wait_until(lambda: _serves(own, server.pid, chosen), server, self.log)
        return server

    def run(
        self, arguments: list[str], version: Path | None = None, settings: Settings | None = None
    ) -> Process:
        """`idp` with these arguments."""
        environment, log = _environment(settings or self.settings), self.log
        if version is None:
            return forge().start(arguments, environment, log)
        program = [sys.executable, "-P", "-c", PROGRAM, *arguments]
        return start_server(program, log, environment={**environment, "PYTHONPATH": str(version)})

    def kill_server(self) -> None:
        """All its processes outright, in one moment."""
        for pid in [self.server.pid, *descendants(self.server.pid)]:
            kill(pid)
        self.server.wait()

    def start_server(self) -> None:
        """Anew after it ended, once every process serves."""
        self.server = _run("serve", self.settings, self.log)
        own = (self.settings.issuer, self.server.pid, self.settings)
        wait_until(lambda: _serves(*own), self.server, self.log)

    def stop(self) -> None:
        """End every process, and what one that had to be killed left behind."""
        started = self._started
        children = {process.pid: descendants(process.pid) for process in started}
        for process in started:
            process.terminate()
        for process in started:
            stop_server(process, signal.SIGTERM)
            if process.returncode == -signal.SIGKILL:
                for pid in children[process.pid]:
                    kill(pid)
        self.held.database.close()


def start_provider(
    folder: Path,
    furnish: Furnish | None = None,
    *,
    workers: int = 1,
    outbox_workers: int = 0,
    **settings: Any,
) -> RunningProvider:
    """A provider of its own with database, keys and log in `folder`, once every process serves.

    `furnish` fills the database before anybody is served. `settings` are those of idp.settings;
    without a `database_url` it is SQLite.
    """
    chosen = _settings(folder, workers, settings)
    _lay_schema(chosen.database_url)
    held = provider(chosen)
    migrations.upgrade(held.database)
    prepare(held)
    if furnish:
        furnish(held)
    log = folder / "provider.log"
    server = _run("serve", chosen, log)
    running = RunningProvider(chosen, held, log, server)
    for _ in range(outbox_workers):
        running.start_outbox_worker()
    try:
        wait_until(lambda: _serves(chosen.issuer, server.pid, chosen), server, log)
    except BaseException:
        running.stop()
        raise
    return running


def _lay_schema(url: str) -> None:
    """A SQLite file that is not there yet begins with all that an upgrade would bring it."""
    file = sa.make_url(url).database
    if url.startswith("sqlite") and file and not Path(file).exists():
        Path(file).write_bytes(_newest_schema())


@cache
def _newest_schema() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "latchkey.db"
        with contextlib.closing(Database(f"sqlite:///{file}")) as database:
            migrations.upgrade(database)
        return file.read_bytes()


def _settings(folder: Path, workers: int, chosen: dict[str, Any]) -> Settings:
    port = chosen.get("port") or free_port()
    default: dict[str, Any] = {
        "issuer": f"http://localhost:{port}",
        "host": LOOPBACK,
        "port": port,
        "workers": workers,
        "database_url": f"sqlite:///{folder / 'latchkey.db'}",
        "keys_dir": folder / "keys",
        "outgoing_networks": f"{LOOPBACK}/32",
        **CHEAP_PASSWORDS,
    }
    return Settings(**{**default, **chosen})


def _run(command: str, settings: Settings, log: Path) -> Process:
    return forge().start([command], _environment(settings), log)


def _environment(settings: Settings) -> dict[str, str]:
    """Ours, with every setting as the variable that it is read from."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    values = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return inherited | {
        PREFIX + name.upper(): str(int(value) if isinstance(value, bool) else value)
        for name, value in values.items()
    }


def _serves(issuer: str, server_pid: int, settings: Settings) -> bool:
    """Every process below: one that is still loading has a single thread, and hears no signal."""
    children = descendants(server_pid)
    expected = settings.workers + bool(settings.operations_port)
    if len(children) < expected or any(_threads(pid) < 2 for pid in children):
        return False
    try:
        return requests.get(f"{issuer}/jwks", timeout=SECONDS_TO_ANSWER).ok
    except requests.RequestException:
        return False


def _threads(pid: int) -> int:
    return len(tasks(pid))
