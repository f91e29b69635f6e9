"""`python -m bench.sign_in_flood`: wrong passwords as fast as they are answered, and what else a
provider does meanwhile. Argon2id as it ships; the limits by network are out of the way."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import click

from bench.process_figures import memory_mb
from idp.settings import Settings
from tests.concurrency.conftest import RealTime, furnish
from tests.concurrency.test_volleys import form_of_sign_in
from tests.concurrency.volley import Unanswered, ask, form
from tests.machine.provider_process import RunningProvider, start_provider
from tests.world import World

MACHINE = "lms-batch"
PAUSE = 0.02  # seconds between two tokens


class Figures(NamedTuple):
    """Milliseconds of a `/token`, and the most that all processes held, in MB."""

    median: float
    p95: float
    memory: float

    def __str__(self) -> str:
        return f"/token {self.median:.1f} ms (p95 {self.p95:.1f}), memory {self.memory:.0f} MB"


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="How long each part takes.")
@click.option("--senders", default=32, show_default=True, help="How many sign in at once.")
@click.option("--workers", default=2, show_default=True, help="LATCHKEY_WORKERS.")
def flood(seconds: float, senders: int, workers: int) -> None:
    """Measure `/token` and memory in quiet, and while passwords pour in."""
    shipped = Settings()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        running = start_provider(
            *(Path(folder), furnish),
            workers=workers,
            argon2_memory_kib=shipped.argon2_memory_kib,
            argon2_time_cost=shipped.argon2_time_cost,
            tries_per_network=10**6,
            tries_per_tenant=10**6,
        )
        try:
            _report(running, seconds, senders)
        finally:
            running.stop()


def _report(running: RunningProvider, seconds: float, senders: int) -> None:
    world = World(running.held, RealTime(running.held), running.log.parent)
    print(f"quiet:   {_measure(running, world, seconds)}")
    answers: Counter[str] = Counter()
    over = threading.Event()
    given = (running, world, over, answers)
    pouring = [threading.Thread(target=_pour, args=(*given, each)) for each in range(senders)]
    for thread in pouring:
        thread.start()
    print(f"flooded: {_measure(running, world, seconds)}")
    over.set()
    for thread in pouring:
        thread.join()
    rates = ", ".join(f"{kind}: {n / seconds:.0f}" for kind, n in sorted(answers.items()))
    print(f"sign-ins answered a second, by status: {rates}")


def _measure(running: RunningProvider, world: World, seconds: float) -> Figures:
    asked = form("/token", world.basic(MACHINE), grant_type="client_credentials")
    times, memory, until = [], 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        started = time.perf_counter()
        answer = ask(running.settings.port, asked)
        times.append((time.perf_counter() - started) * 1e3)
        assert answer.status == 200, answer
        memory = max(memory, memory_mb(running.server.pid))
        time.sleep(PAUSE)
    return Figures(statistics.median(times), statistics.quantiles(times, n=20)[-1], memory)


def _pour(
    running: RunningProvider,
    world: World,
    over: threading.Event,
    answers: Counter[str],
    number: int,
) -> None:
    """Each sender with people of its own, who do not exist."""
    sign_in, tried = form_of_sign_in(world.browser()), 0
    while not over.is_set():
        tried += 1
        try:
            status = ask(running.settings.port, sign_in(f"n{number}-{tried}@x.example", "wrong"))
            answers[str(status.status)] += 1
        except Unanswered:
            answers["unanswered"] += 1


if __name__ == "__main__":
    flood()
