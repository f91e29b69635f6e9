"""R14: the schema is upgraded and the servers are replaced in turn, and then put back, under load.

The upgrade is kept waiting by whoever reads a table that it changes, is killed outright in the
middle of an index, and goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from chaos.caller import Caller
from chaos.crowd import FIRST, ORDINARY, run_alone
from chaos.directory import KEY_FILE
from chaos.evidence import Evidence
from chaos.invariants import none_failed
from chaos.pair import Pair, pair_of_servers
from chaos.person import Person
from chaos.products import Products
from chaos.registry import PASSWORD, WEB, email, tenant_of
from chaos.scenario import Run, Scenario, Size
from chaos.town import wait_until
from idp.schema_version import read_schema
from tests.machine.next_version import next_version, revision_after
from tests.machine.processes import Process

MIGRATIONS = (
    'op.add_column("users", sa.Column("shoe_size", sa.Integer(), server_default="42"))',
    'add_index("ix_users_shoe_size", "users", ["shoe_size"])',
    'op.create_table("shoes", sa.Column("size", sa.Integer(), primary_key=True))',
)
PEOPLE, AT_ONCE = 1_000_000, 20_000
LOCKED_FOR, SAMPLES_EVERY, EXIT_WITHIN = 1.0, 0.02, 600.0
ROUNDS, LOOKS = 3, 3

_MORE_PEOPLE = """INSERT INTO users SELECT (jsonb_populate_record(u, jsonb_build_object(
    'id', md5(n::text), 'email', n || '@crowd.example', 'email_canonical', n || '@crowd.example'
    ))).* FROM users u, generate_series(CAST(:first AS int), CAST(:last AS int)) n
    WHERE u.email = :like"""
_LOCKED = """SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)
    FROM pg_locks WHERE NOT granted AND locktype = 'relation' AND mode {} 'AccessExclusiveLock'"""
_INDEXING = """SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event = 'virtualxid'"""
_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_users_shoe_size')"


class Upgrades(Scenario):
    number = "R14"
    title = "an upgrade while it serves"
    size = Size(rate=100, seconds=600)
    bounded = Size(rate=4, seconds=4)
    recovery = 0.0
    mix = ORDINARY
    town = staticmethod(pair_of_servers)

    def __init__(self) -> None:
        self._wrong: list[str] = []

    def fault(self, run: Run) -> None:
        """Both versions serve in the middle, and on the way back."""
        pair = run.town
        assert isinstance(pair, Pair)
        self._wrong.clear()
        if not run.is_short:
            add_people(pair, round(PEOPLE * run.size.seconds / self.size.seconds))
        version = next_version(pair.folder / "next", *MIGRATIONS)
        with locks_watched(pair) as waited:
            with run.pen.fault("an upgrade that is killed"):
                self._kill_upgrade(pair, version)
            with run.pen.fault("an upgrade"):
                self._upgrade(run, pair, version)
        if waited() > LOCKED_FOR * run.patience:
            self._wrong.append(f"somebody waited {waited():.2f} s for a lock")
        some = list(pair.servers)[: 1 if run.is_short else None]
        for port, its in [*((port, version) for port in some), *((port, None) for port in some)]:
            with run.pen.fault("a server of another version"):
                self._replace(run, pair, port, its)
            run_alone(across(run, pair))
            run.pause((run.until - run.now) / 3)

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """No request fails, at any time."""
        yield from self._wrong
        yield from none_failed(evidence.operations)

    def _kill_upgrade(self, pair: Pair, version: Path) -> None:
        """What a backup reads keeps the column waiting, and another one's snapshot the index."""
        with reading(pair, "users") as end_of_first, reading(pair, "products"):
            upgrader = pair.running.run(["db", "upgrade"], version)
            wait_until(lambda: bool(asked(pair, _LOCKED.format("="))))
            wait_until(lambda: not asked(pair, _LOCKED.format("=")))
            end_of_first()
            wait_until(lambda: bool(asked(pair, _INDEXING)))
            upgrader.kill()
            upgrader.wait()
        if self._revision(pair) != revision_after(1):
            self._wrong.append("the column is not there, or the index is")

    def _upgrade(self, run: Run, pair: Pair, version: Path) -> None:
        upgrader = pair.running.run(["db", "upgrade"], version)
        code = upgrader.wait(EXIT_WITHIN)
        if code or self._revision(pair) != revision_after(3) or not asked(pair, _VALID):
            self._wrong.append(f"an upgrade that goes on ended with {code}")

    def _revision(self, pair: Pair) -> str | None:
        with pair.running.held.database.engine.connect() as connection:
            return read_schema(connection).revision

    def _replace(self, run: Run, pair: Pair, port: int, version: Path | None) -> None:
        wait_until(lambda: pair.says(port, "ready"))
        server: Process = pair.servers[port]
        server.terminate()
        code = server.wait(EXIT_WITHIN)
        if code != 0:
            self._wrong.append(f"a server ended with {code}")
        pair.start(port, version)
        wait_until(lambda: pair.says(port, "ready"))


async def across(run: Run, pair: Pair) -> None:
    """A browser and a product whose requests go to each server in turn: what one gave, cookies and
    tokens, the other takes."""
    caller = Caller(FIRST, tenant_of(0), list(pair.servers), run.pen)
    person = Person(caller, email(0), PASSWORD)
    products = Products(caller, pair.running.issuer, KEY_FILE)
    for _ in range(ROUNDS):
        await person.sign_in(WEB)
        family = await products.redeem(WEB, await person.authorize(WEB))
        assert family, "a code of the other version is not taken"
        for _ in range(LOOKS):
            await products.userinfo(family)
            await products.refresh(family)
            await products.publish("jwks", "/jwks")
    caller.close()


def add_people(pair: Pair, many: int) -> None:
    for first in range(0, many, AT_ONCE):
        with pair.running.held.database.engine.begin() as connection:
            numbers = {"first": first, "last": first + AT_ONCE - 1, "like": email(0)}
            connection.execute(sa.text(_MORE_PEOPLE), numbers)


def asked(pair: Pair, question: str) -> float:
    with pair.running.held.database.engine.connect() as connection:
        return float(connection.scalar(sa.text(question)) or 0)


@contextmanager
def reading(pair: Pair, table: str) -> Iterator[Callable[[], None]]:
    """In a transaction that sees one moment, as a backup's, until the end or what is given."""
    with pair.running.held.database.engine.connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        connection.execute(sa.text(f"SELECT 1 FROM {table} LIMIT 1"))
        yield connection.rollback


@contextmanager
def locks_watched(pair: Pair) -> Iterator[Callable[[], float]]:
    """How long somebody has waited for a table, at the most: not the upgrade itself."""
    longest, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(SAMPLES_EVERY):
            longest.append(asked(pair, _LOCKED.format("<>")))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: max(longest)
    finally:
        over.set()
        thread.join()


SCENARIO = Upgrades()
