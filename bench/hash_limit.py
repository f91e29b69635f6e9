"""How many Argon2 comparisons one core makes in a second: the limit of every password sign-in."""

from __future__ import annotations

import subprocess
import sys
import time

from argon2 import PasswordHasher

from idp.settings import Settings

_MODULE = "bench.hash_limit"


def hash_limit(core: int, seconds: float) -> float:
    """Comparisons per second, one after the other, by a process that has the core to itself."""
    command = ["taskset", "--cpu-list", str(core), sys.executable, "-m", _MODULE, str(seconds)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _measure(seconds: float) -> float:
    settings = Settings()
    hasher = PasswordHasher(
        time_cost=settings.argon2_time_cost,
        memory_cost=settings.argon2_memory_kib,
        parallelism=settings.argon2_parallelism,
    )
    stored = hasher.hash("a password")
    count, started = 0, time.perf_counter()
    while (now := time.perf_counter()) < started + seconds:
        hasher.verify(stored, "a password")
        count += 1
    return count / (now - started)


if __name__ == "__main__":
    print(_measure(float(sys.argv[1])))
