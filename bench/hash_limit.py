"""How many Argon2 comparisons one core makes in a second: the limit of every password sign-in."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import NamedTuple

from argon2 import PasswordHasher

from idp.settings import Settings

_MODULE = "bench.hash_limit"


class Argon2(NamedTuple):
    """Argon2id's parameters: KiB, passes, lanes (RFC 9106 section 3.1)."""

    memory_kib: int = Settings().argon2_memory_kib
    time_cost: int = Settings().argon2_time_cost
    parallelism: int = Settings().argon2_parallelism

    def __str__(self) -> str:
        return f"{self.memory_kib / 1024:g} MiB, t={self.time_cost}, p={self.parallelism}"


AS_IT_SHIPS = Argon2()


class HashLimit(NamedTuple):
    """Comparisons per second, one after the other, and the processor's microseconds for one."""

    rate: float
    cpu: float


def hash_limit(core: int, seconds: float, argon2: Argon2 = AS_IT_SHIPS) -> HashLimit:
    """By a process of its own on the core."""
    command = ["taskset", "--cpu-list", str(core), sys.executable, "-m", _MODULE, str(seconds)]
    printed = subprocess.run([*command, *map(str, argon2)], check=True, capture_output=True)
    rate, cpu = map(float, printed.stdout.split())
    return HashLimit(rate, cpu)


def _measure(seconds: float, argon2: Argon2) -> HashLimit:
    hasher = PasswordHasher(
        memory_cost=argon2.memory_kib,
        time_cost=argon2.time_cost,
        parallelism=argon2.parallelism,
    )
    stored = hasher.hash("a password")
    count, started, cpu = 0, time.perf_counter(), time.process_time()
    while (now := time.perf_counter()) < started + seconds:
        hasher.verify(stored, "a password")
        count += 1
    return HashLimit(count / (now - started), (time.process_time() - cpu) / count * 1e6)


if __name__ == "__main__":
    print(*_measure(float(sys.argv[1]), Argon2(*map(int, sys.argv[2:]))))
