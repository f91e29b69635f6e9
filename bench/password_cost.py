"""`python -m bench.password_cost`: what Argon2's parameters cost, in sign-ins and in memory."""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

import click

from bench.hash_limit import AS_IT_SHIPS, Argon2, hash_limit
from bench.latchkey import latchkey
from bench.systems import System
from bench.workloads import WORKLOADS
from idp.settings import Settings

SIGN_IN = next(each for each in WORKLOADS if each.name == "password")
PARAMETERS = (  # what OWASP holds to be worth the same, and what RFC 9106 recommends after 2 GiB
    *(Argon2(7_168, 5, 1), Argon2(12_288, 3, 1)),
    *(AS_IT_SHIPS, Argon2(47_104, 1, 1)),
    Argon2(65_536, 3, 4),
)
THREADS, QUEUE = 16, 4  # room for the most slots
SLOTS = (1, 2, 4)  # of what ships; the others are measured with as many as ship
COLUMNS = f"{'Argon2id':<22}{'slots':>6}{'ms a hash':>11}{'sign-ins/s':>12}{'hash alone':>12}"


class Figures(NamedTuple):
    """Milliseconds of the processor for one hash alone, sign-ins a second, how much of a sign-in's
    processor time the hash alone would take, and MB before the first sign-in and at most."""

    hash_ms: float
    rate: float
    share: float
    at_rest: float
    at_most: float

    def __str__(self) -> str:
        memory = f"{self.at_rest:>12.0f}{self.at_most:>12.0f}"
        return f"{self.hash_ms:>11.0f}{self.rate:>12.1f}{self.share:>12.0%}{memory}"


@click.command()
@click.option("--seconds", default=4.0, show_default=True, help="How long each window is.")
@click.option("--windows", default=3, show_default=True, help="How many; medians are printed.")
def main(seconds: float, windows: int) -> None:
    """Sign people in by password at a provider of one process on one core."""
    measured, driving = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, {driving})
    print(f"{COLUMNS}{'MB at rest':>12}{'MB at most':>12}")
    for argon2 in PARAMETERS:
        for slots in SLOTS if argon2 == AS_IT_SHIPS else [Settings().argon2_slots]:
            figures = _measure(argon2, slots, measured, seconds, windows)
            print(f"{argon2!s:<22}{slots:>6}{figures}", flush=True)


def _measure(argon2: Argon2, slots: int, core: int, seconds: float, times: int) -> Figures:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        system = _provider(Path(folder), core, argon2, slots)
        try:
            system.start()
            at_rest, most = system.memory_mb, system.most_mb
            system.visit.prepare()
            windows = [
                (
                    hash_limit(core, seconds, argon2).cpu,
                    system.measure(SIGN_IN, seconds / SIGN_IN.stretch),
                )
                for _ in range(times)
            ]
            at_most = at_rest + system.most_mb - most
        finally:
            system.stop()
    rate = statistics.median(window.rate for _, window in windows)
    share = statistics.median(alone / window.cpu_per_round for alone, window in windows)
    hash_ms = statistics.median(alone for alone, _ in windows) / 1e3
    return Figures(hash_ms, rate, share, at_rest, at_most)


def _provider(folder: Path, core: int, argon2: Argon2, slots: int) -> System:
    return latchkey(
        *("Latchkey", folder, core, THREADS, f"sqlite:///{folder / 'latchkey.db'}"),
        argon2_memory_kib=argon2.memory_kib,
        argon2_time_cost=argon2.time_cost,
        argon2_parallelism=argon2.parallelism,
        argon2_slots=slots,
        argon2_queue=QUEUE,
    )


if __name__ == "__main__":
    main()
