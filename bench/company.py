"""`python -m bench.company`: a company of very many people is suspended, and one is ended.

Each person is a copy of one who is signed in with a product, made by PostgreSQL itself. Measured
without HTTP: how long the act takes, and the longest batch and all of them of what is left to the
worker, beside somebody of another company who refreshes all the time.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

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
STEPS = {"suspend": worker.sign_out, "end": worker.wind_up}


@click.command()
@click.option("--people", default=100_000, show_default=True)
def company(people: int) -> None:
    """Print milliseconds."""
    cluster = start_postgres(durable=True)
    try:
        for act in ACTS:
            with tempfile.TemporaryDirectory() as folder:
                _measure(_furnished(cluster, Path(folder), people), act)
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


def _measure(world: World, act: str) -> None:
    others = world.browser().tokens(HANA, scope="openid offline_access")
    stop, waited = threading.Event(), list[float]()

    def refresh_until() -> None:
        while not stop.wait(0.01):
            waited.append(_timed(lambda: world.refresh(others["refresh_token"])))

    beside = threading.Thread(target=refresh_until)
    beside.start()
    used = time.process_time()
    taken = _timed(lambda: _do(world, act))
    used = time.process_time() - used
    during, batches = max(waited, default=0.0), list[float]()
    waited.clear()
    step, is_busy = STEPS[act], True
    while is_busy:
        started = time.perf_counter()
        is_busy = step(world.held)
        batches.append(1000 * (time.perf_counter() - started))
    stop.set()
    beside.join()
    click.echo(
        f"{act}: {taken:.0f} ms, {1000 * used:.0f} of processor; another's refresh {during:.0f} at"
        f" most; then {len(batches)} batches in {sum(batches):.0f}, the longest {max(batches):.0f},"
        f" another's refresh {max(waited, default=0.0):.0f} at most"
    )
    world.held.database.close()


def _do(world: World, act: str) -> None:
    with operation(world) as by:
        ACTS[act](by, tenants.get_tenant(by, "northwind"))


def _timed(ask: Callable[[], object]) -> float:
    started = time.perf_counter()
    ask()
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    company()
