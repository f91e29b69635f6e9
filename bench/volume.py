"""`python -m bench.volume`: a provider on PostgreSQL with very many rows, beside an empty one.

Rows are copies of real ones, made by the database itself. Measured in one process, without HTTP:
what each request takes, and how many rows the database reads for it by going through whole tables.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import click
import sqlalchemy as sa

from bench.console import LARGEST, OF_ADMINS, OF_OPERATORS
from bench.volume_rows import grow
from idp import migrations, retention
from idp.commands.serve import prepare
from idp.directory.catalog import load_catalog
from idp.directory.identity_providers import load_identity_providers
from idp.settings import Settings
from idp.setup import seeding
from tests.machine.postgres import start_postgres
from tests.security.protocol import KEEPING, MACHINE, post_as, redeem, refresh, register, tokens_for
from tests.security.protocol import answer_to as signed_in
from tests.world import (
    ADDRESSES,
    AMARA,
    ISSUER,
    OLU,
    PASSWORD,
    World,
    apply_demo,
    make_world,
    sent_back,
)

ADMIN = "admin@volume.example"
TOO_MANY = 10_000  # rows that a request may read by going through a table
_READ = sa.text("SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE seq_tup_read > 0")


class Size(NamedTuple):
    people: int
    companies: int
    clients: int
    sessions: int
    grants: int
    events: int


class Figure(NamedTuple):
    """Milliseconds, and more than TOO_MANY rows that were read by going through tables, for one
    request. On a machine that does something else besides, `least` says more than the others."""

    least: float
    median: float
    p95: float
    read: dict[str, int]


Figures = dict[str, Figure]


@click.command()
@click.option("--people", default=1_000_000, show_default=True)
@click.option("--companies", default=10_000, show_default=True)
@click.option("--clients", default=20_000, show_default=True)
@click.option("--sessions", default=1_000_000, show_default=True)
@click.option("--grants", default=4_000_000, show_default=True)
@click.option("--events", default=5_000_000, show_default=True)
@click.option("--rounds", default=200, show_default=True)
@click.option("--keep", is_flag=True, help="Leave the database running, and print its address.")
def volume(rounds: int, keep: bool, **size: int) -> None:
    """Measure an empty provider and a full one, and print both."""
    cluster = start_postgres(durable=True)
    try:
        empty = _measured(cluster.new_database(), rounds, None)
        url = cluster.new_database()
        full = _measured(url, rounds, Size(**size))
        _print(empty, full)
        if keep:
            click.echo(url)
            cluster.process.wait()
    finally:
        cluster.stop()


def _measured(url: str, rounds: int, size: Size | None) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(issuer=ISSUER, database_url=url, keys_dir=Path(folder) / "keys")
        world = make_world(replace(settings, log_level="ERROR"), Path(folder))
        world.clock.now = time.time()
        _furnish(world, size)
        figures = {name: _timed(world, ask, rounds) for name, ask in _requests(world)}
        if size:
            figures |= {name: _timed(world, ask, 5) for name, ask in _pages(world)}
        world.held.database.close()
        return figures


def _furnish(world: World, size: Size | None) -> None:
    database = world.held.database
    migrations.upgrade(database)
    prepare(world.held)
    if size:
        with _told("people"):
            seeding.seed(database, size.people, size.companies, world.clock(), lambda _: None)
    apply_demo(world.held, ADDRESSES)
    register(world, KEEPING, MACHINE)
    if size:
        tokens_for(world, KEEPING)
        with _told("rows"), database.engine.begin() as connection:
            grow(connection, size)
        with _told("statistics"), database.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
        membership = {"tenant": LARGEST, "roles": ["account_admin"]}
        admin = {"email": ADMIN, "name": "Admin", "password": PASSWORD, "email_verified": True}
        world.apply(users=[{**admin, "memberships": [membership]}])


def _requests(world: World) -> Iterator[tuple[str, Callable[[], object]]]:
    visitor, providers = world.browser(), load_identity_providers(world.held.database)
    machine = post_as(world, MACHINE, "/token", grant_type="client_credentials").json or {}
    tokens = tokens_for(world, KEEPING, AMARA)
    signed_in(visitor, KEEPING, AMARA)

    def round_trip() -> None:
        code = sent_back(signed_in(visitor, KEEPING))["code"]
        assert redeem(world, KEEPING, code).status_code == 200

    yield (
        "client credentials",
        lambda: post_as(world, MACHINE, "/token", grant_type="client_credentials"),
    )
    yield "refresh", lambda: refresh(world, KEEPING, tokens["refresh_token"])
    yield "introspection, a person", lambda: world.introspect(tokens["access_token"])
    yield "introspection, a machine", lambda: world.introspect(machine["access_token"])
    yield "userinfo", lambda: world.userinfo(tokens["access_token"])
    yield "single sign-on and code", round_trip
    yield "sign-in by password", lambda: world.browser().sign_in(AMARA)
    yield "the worker's sweep", lambda: retention.sweep(world.held.database, world.clock())
    yield "the catalogue, loaded anew", lambda: load_catalog(world.held.database, providers)


def _pages(world: World) -> Iterator[tuple[str, Callable[[], object]]]:
    for email, asked in ((ADMIN, OF_ADMINS), (OLU, OF_OPERATORS)):
        visitor = world.browser()
        visitor.enter(asked[0].path, email)
        for each in asked:
            if not each.deep:
                yield f"page: {each.name}", lambda target=each.target, by=visitor: _page(by, target)


def _page(visitor: Any, target: str) -> None:
    answer = visitor.get(target)
    assert answer.status_code == 200, (target, answer.status)


def _timed(world: World, ask: Callable[[], object], rounds: int) -> Figure:
    ask()
    before = _read(world)
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - started))
    read = {table: (rows - before.get(table, 0)) // rounds for table, rows in _read(world).items()}
    many = {table: rows for table, rows in read.items() if rows > TOO_MANY}
    p95 = statistics.quantiles(taken, n=20)[-1]
    return Figure(min(taken), statistics.median(taken), p95, many)


def _read(world: World) -> dict[str, int]:
    """A connection tells what it has read when it is closed."""
    world.held.database.close()
    with world.held.database.engine.connect() as connection:
        return {row.relname: row.seq_tup_read for row in connection.execute(_READ)}


@contextmanager
def _told(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    click.echo(f"{what}: {time.monotonic() - started:.0f} s", err=True)


def _print(empty: Figures, full: Figures) -> None:
    head = f"{'least':>8}{'median':>8}{'p95':>8}"
    click.echo(f"{'ms':<36}{head}  | empty{head}   rows read through")
    for name, figure in full.items():
        beside = empty.get(name)
        before = _said(beside) if beside else " " * 24
        click.echo(f"{name:<36}{_said(figure)}  |      {before}   {figure.read or ''}")


def _said(figure: Figure) -> str:
    return f"{figure.least:8.1f}{figure.median:8.1f}{figure.p95:8.1f}"


if __name__ == "__main__":
    volume()
