"""`python -m bench.enumeration`: whether the time of an answer tells who has an account
(security.md S44). Addresses that exist, in every state, against ones that do not, in turn and in
random order; Argon2id as it ships, the worker beside it, the limits by network out of the way.

A difference counts where the medians are 5 ms or more apart and chance does not explain it
(Mann-Whitney, two-sided p of 0.01 or less). Then the program ends with 1.
"""

from __future__ import annotations

import math
import random
import re
import statistics
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click
from werkzeug.test import TestResponse

from idp.credentials.tries import limit_key
from idp.settings import Settings
from tests.concurrency.conftest import RealTime, furnish
from tests.concurrency.test_volleys import cookies_of, form_of_sign_in
from tests.concurrency.volley import ask, form
from tests.credentials.proving import enrol_code
from tests.machine.postgres import start_postgres
from tests.machine.provider_process import RunningProvider, start_provider
from tests.machine.redis_server import start_redis
from tests.passkeys_of import Keys
from tests.security.second_factors import demand_a_second_factor
from tests.world import AMARA, DANA, PASSWORD, VICTOR, World

WRONG = "not-the-password-at-all"
LOCKED, INVITED, DRIFTER = (f"{who}@northwind.example" for who in ("locked", "invited", "drifter"))
STATES = {
    "known": AMARA,
    "disabled": VICTOR,
    "locked": LOCKED,
    "without a password": INVITED,
    "of no company": DRIFTER,
}
LIMIT_MS, CHANCE = 5.0, 0.01

Sending = Callable[[str], bytes]


class Row(NamedTuple):
    """Two ways to ask for the same page, and what is undone before the first and before the
    second."""

    page: str
    who: str
    first: Callable[[], bytes]
    second: Callable[[], bytes]
    make_ready: Callable[[bool], None]


class Verdict(NamedTuple):
    """Milliseconds, and the chance that two like these are of one kind."""

    first: float
    second: float
    p: float

    @property
    def tells(self) -> bool:
        return abs(self.first - self.second) >= LIMIT_MS and self.p <= CHANCE


@click.command()
@click.option("--samples", default=200, show_default=True, help="Of each of the two kinds.")
@click.option("--workers", default=2, show_default=True, help="LATCHKEY_WORKERS.")
@click.option("--postgres", is_flag=True, help="On PostgreSQL and Redis instead of SQLite.")
def enumeration(samples: int, workers: int, postgres: bool) -> None:
    """Measure every page that takes an address, and judge each difference."""
    with _running(workers, postgres) as running:
        world = World(running.held, RealTime(running.held), running.log.parent)
        _settle(world)
        print(f"{'page':<24}{'':<34}{'ms':>8}{'other':>8}{'apart':>8}{'p':>8}")
        told = [_judge(running, row, samples) for row in _rows(world)]
    sys.exit(any(told))


@contextmanager
def _running(workers: int, postgres: bool) -> Iterator[RunningProvider]:
    shipped = Settings()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, _stores(postgres) as where:
        running = start_provider(
            *(Path(folder), furnish),
            workers=workers,
            outbox_workers=1,
            demo_inbox=True,
            argon2_memory_kib=shipped.argon2_memory_kib,
            argon2_time_cost=shipped.argon2_time_cost,
            tries_per_network=10**6,
            tries_per_tenant=10**6,
            lockout_duration=3600,
            **where,
        )
        try:
            yield running
        finally:
            running.stop()


@contextmanager
def _stores(postgres: bool) -> Iterator[dict[str, str]]:
    if not postgres:
        yield {}
        return
    database, redis = start_postgres(durable=True), start_redis()
    try:
        yield {"database_url": database.new_database(), "redis_url": redis.url}
    finally:
        redis.remove()
        database.stop()


def _settle(world: World) -> None:
    """Somebody in each of the states, and a lock that outlasts the measurement."""
    of_northwind = [{"tenant": "northwind", "roles": ["agent"]}]
    invited = {"email": INVITED, "name": "In Vited", "invitation": True}
    locked = {"email": LOCKED, "name": "Lou Lock", "password": PASSWORD}
    drifter = {"email": DRIFTER, "name": "No Tenant", "password": PASSWORD}
    people = [{**each, "memberships": of_northwind} for each in (invited, locked)]
    world.apply(users=[*people, drifter])
    sign_in = form_of_sign_in(world.browser())
    for _ in range(world.settings.lockout_threshold):
        ask(world.settings.port, sign_in(LOCKED, WRONG))
    Keys(world, AMARA).enrol()
    enrol_code(world, "email", DANA)
    demand_a_second_factor(world)


def _rows(world: World) -> Iterator[Row]:
    sign_in = form_of_sign_in(world.browser())
    pages: dict[str, Sending] = {
        "password": lambda email: sign_in(email, WRONG),
        "forgotten password": _sending(world, "/login/forgot"),
        "passkey options": _sending(world, "/login/passkey/options"),
        "opening an account": _signing_up(world),
    }
    for page, send in pages.items():
        for state, email in STATES.items():
            yield _of_address(world, page, state, send, email)
    resend = _resending(world)
    yield Row(
        *("a code by mail again", "room, no room"),
        *(resend, resend),
        lambda first: _forget_tries(world) if first else None,
    )


def _of_address(world: World, page: str, state: str, send: Sending, email: str) -> Row:
    return Row(
        *(page, f"{state}, unknown"),
        lambda: send(email),
        lambda: send(_nobody()),
        lambda _first: _forget_tries(world),
    )


def _nobody() -> str:
    return f"nobody-{random.randrange(10**6):06}@northwind.example"


def _sending(world: World, path: str) -> Sending:
    """A form with an address, of a browser that is nobody's."""
    browser = world.browser()
    hidden, headers = _hidden(browser.get("/login/forgot")), cookies_of(browser)
    return lambda email: form(path, headers, **{**hidden, "email": email})


def _signing_up(world: World) -> Sending:
    """At a product that lets people open one."""
    browser = world.browser()
    begun = _hidden(browser.follow(browser.authorize("payments")))
    page = browser.get(f"/login/sign_up?attempt={begun['attempt']}")
    hidden, headers = _hidden(page), cookies_of(browser)
    return lambda email: form("/login/sign_up", headers, **{**hidden, "email": email})


def _resending(world: World) -> Callable[[], bytes]:
    """Of somebody whose password is proven and who has just been sent a code."""
    browser = world.browser()
    hidden = _hidden(browser.sign_in(DANA, client_id="payments"))
    fields = {**hidden, "method": "email", "action": "send"}
    request = form("/login/second_factor", cookies_of(browser), **fields)
    ask(world.settings.port, request)
    return lambda: request


def _hidden(page: TestResponse) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))


def _forget_tries(world: World) -> None:
    """All but the lock, so that each sample is a first one."""
    kept = limit_key(world.held.secret_keys, LOCKED)
    world.run("DELETE FROM attempt_limits WHERE key <> :k", k=kept)
    world.run("UPDATE passwords SET failures = 0")


def _judge(running: RunningProvider, row: Row, samples: int) -> bool:
    times: dict[bool, list[float]] = {True: [], False: []}
    statuses = set()
    for _ in range(samples):
        for is_first in random.sample([True, False], 2):
            row.make_ready(is_first)
            request = (row.first if is_first else row.second)()
            started = time.perf_counter()
            statuses.add(ask(running.settings.port, request).status)
            times[is_first].append((time.perf_counter() - started) * 1e3)
    [status] = statuses
    found = Verdict(*map(statistics.median, times.values()), mann_whitney(*times.values()))
    figures = (
        f"{found.first:8.2f}{found.second:8.2f}{found.first - found.second:8.2f}{found.p:8.3f}"
    )
    print(f"{row.page:<24}{row.who:<22}{figures}  {status}  {'TELLS' if found.tells else 'ok'}")
    return found.tells


def _print(row: Row, found: Verdict, status: int) -> None:
    times = f"{found.first:8.2f}{found.second:8.2f}{found.first - found.second:8.2f}"
    verdict = "TELLS" if found.tells else "ok"
    print(f"{row.page:<24}{row.who:<34}{times}{found.p:8.3f}  {status}  {verdict}", flush=True)


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided p that both are of one kind, by the normal approximation."""
    pooled = sorted([*first, *second])
    ranks = [(bisect_left(pooled, each) + bisect_right(pooled, each) + 1) / 2 for each in first]
    m, n = len(first), len(second)
    u = sum(ranks) - m * (m + 1) / 2
    deviation = math.sqrt(m * n * (m + n + 1) / 12)
    return math.erfc(abs(u - m * n / 2) / deviation / math.sqrt(2))


if __name__ == "__main__":
    enumeration()
