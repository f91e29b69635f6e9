"""How many Argon2 comparisons one core makes in a second: the limit of every password sign-in."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import NamedTuple

from argon2 import PasswordHasher

from idp.settings import Settings

_MODULE = "bench.hash_limit"


class HashLimit(NamedTuple):
    """Comparisons per second, one after the other, and the processor's microseconds for one."""

    rate: float
    cpu: float


def hash_limit(core: int, seconds: float) -> HashLimit:
    """By a process of its own on the core."""
    command = ["taskset", "--cpu-list", str(core), sys.executable, "-m", _MODULE, str(seconds)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate, cpu = map(float, printed.split())
    return HashLimit(rate, cpu)


def _measure(seconds: float) -> HashLimit:
    settings = Settings()
    hasher = PasswordHasher(
        time_cost=settings.argon2_time_cost,
        memory_cost=settings.argon2_memory_kib,
        parallelism=settings.argon2_parallelism,
    )
    stored = hasher.hash("a password")
    count, started, cpu = 0, time.perf_counter(), time.process_time()
    while (now := time.perf_counter()) < started + seconds:
        hasher.verify(stored, "a password")
        count += 1
    return HashLimit(count / (now - started), (time.process_time() - cpu) / count * 1e6)


if __name__ == "__main__":
    print(*_measure(float(sys.argv[1])))
