"""`python -m bench.company`: a company of very many people is suspended, and one is ended.

Each person is a copy of one who is signed in with a product, made by PostgreSQL itself. Measured
without HTTP: how long the act takes, and the longest batch and all of them of what is left to the
worker, beside somebody of another company who refreshes all the time.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import click

from bench.volume_rows import copy_rows
from idp import migrations, worker
from idp.commands.serve import prepare
from idp.operators import ending, tenants
from idp.settings import Settings
from tests.console.operations import operation
from tests.machine.postgres import Postgres, start_postgres
from tests.world import ADDRESSES, BEN, HANA, ISSUER, World, apply_demo, make_world

ACTS = {
    "suspend": tenants.suspend,
    "end": lambda by, company: ending.end(by, company, company.slug),
}
LEFT = {
    "suspend": "SELECT count(*) FROM tenant_sign_outs",
    "end": "SELECT count(*) FROM tenant_endings WHERE wound_up_at IS NULL",
}
STEPS = {"suspend": worker.sign_out, "end": worker.wind_up}


class Timed(NamedTuple):
    """Milliseconds, and those that its thread was computing."""

    took: float
    used: float


@click.command()
@click.option("--people", default=100_000, show_default=True)
@click.option("--batches", default=10_000, show_default=True, help="So many at most.")
def company(people: int, batches: int) -> None:
    """Print milliseconds."""
    cluster = start_postgres(durable=True)
    try:
        for act in ACTS:
            with tempfile.TemporaryDirectory() as folder:
                _measure(_furnished(cluster, Path(folder), people), act, batches)
    finally:
        cluster.stop()


def _furnished(cluster: Postgres, folder: Path, people: int) -> World:
    settings = Settings(
        issuer=ISSUER, database_url=cluster.new_database(), keys_dir=folder / "keys"
    )
    world = make_world(replace(settings, log_level="ERROR"), folder)
    world.clock.now = time.time() - 60
    migrations.upgrade(world.held.database)
    prepare(world.held)
    apply_demo(world.held, ADDRESSES)
    world.browser().tokens(BEN, scope="openid offline_access")
    world.clock.move(60)
    _grow(world, people)
    return world


def _grow(world: World, people: int) -> None:
    """Ben, so many times."""
    person, session, membership = (f"md5('{name} ' || g.n)" for name in ("user", "session", "m"))
    address = "'person' || g.n || '@bulk.example'"
    whose = {"user_id": person}
    ben = f"(SELECT id FROM users WHERE email_canonical = '{BEN}')"
    of_ben = f"WHERE user_id = {ben}"
    of_him = {
        "users": (
            {"id": person, "email": address, "email_canonical": address},
            f"WHERE id = {ben}",
        ),
        "memberships": ({**whose, "id": membership}, of_ben),
        "membership_roles": (
            {"membership_id": membership},
            f"WHERE membership_id IN (SELECT id FROM memberships {of_ben})",
        ),
        "sessions": ({**whose, "id": session, "secret_hash": session}, of_ben),
        "client_sessions": (
            {"session_id": session, "sid": session},
            f"WHERE session_id IN (SELECT id FROM sessions {of_ben})",
        ),
        "grants": (
            {
                **whose,
                "id": "md5('grant ' || g.n)",
                "membership_id": membership,
                "session_id": session,
                "code_hash": "md5('code ' || g.n)",
                "refresh_hash": "md5('refresh ' || g.n)",
            },
            of_ben,
        ),
    }
    with world.held.database.engine.begin() as connection:
        for table, (changed, which) in of_him.items():
            copy_rows(connection, table, people, changed, which)


def _measure(world: World, act: str, most: int) -> None:
    with _refreshing(world) as waited:
        click.echo(f"{act}: {_said([_timed(lambda: _do(world, act))], waited)}")
        batches = [_timed(lambda: STEPS[act](world.held))]
        click.echo(f"  the first of the worker's: {_said(batches, waited)}")
        batches.clear()
        while world.run(LEFT[act]) != [(0,)] and len(batches) < most:
            batches.append(_timed(lambda: STEPS[act](world.held)))
        click.echo(f"  the others: {_said(batches, waited)}")
    world.held.database.close()


@contextmanager
def _refreshing(world: World) -> Iterator[list[Timed]]:
    """Somebody of another company, all the time."""
    token = world.browser().tokens(HANA, scope="openid offline_access")["refresh_token"]
    stop, waited = threading.Event(), list[Timed]()

    def refresh_until() -> None:
        while not stop.wait(0.01):
            waited.append(_timed(lambda: world.refresh(token)))

    beside = threading.Thread(target=refresh_until)
    beside.start()
    try:
        yield waited
    finally:
        stop.set()
        beside.join()


def _do(world: World, act: str) -> None:
    with operation(world) as by:
        ACTS[act](by, tenants.get_tenant(by, "northwind"))


def _timed(ask: Callable[[], object]) -> Timed:
    started, used = time.perf_counter(), time.thread_time()
    ask()
    return Timed(1000 * (time.perf_counter() - started), 1000 * (time.thread_time() - used))


def _said(acts: list[Timed], waited: list[Timed]) -> str:
    total, others = sum(each.took for each in acts), max((each.took for each in waited), default=0)
    took, used = max(each.took for each in acts), max(each.used for each in acts)
    waited.clear()
    return (
        f"{len(acts)} in {total:.0f} ms, {took:.0f} at most, {used:.0f} of processor at most;"
        f" another's refresh {others:.0f} at most"
    )


if __name__ == "__main__":
    company()
