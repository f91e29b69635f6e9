"""`python -m bench`: start the systems, drive them in turn, print what they did."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from bench.django_oauth_toolkit import django_oauth_toolkit
from bench.glewlwyd import glewlwyd
from bench.hash_limit import hash_limit
from bench.latchkey import latchkey
from bench.oidc_provider import oidc_provider
from bench.report import Company, print_company, write_json
from bench.systems import System
from bench.workloads import CONNECTIONS, WORKLOADS, Workload
from idp.settings import Settings
from tests.machine.postgres import start_postgres
from tests.machine.redis_server import start_redis

STORAGES = ("sqlite", "postgres")
STARTS = 3
SYNCS = 20


@click.command()
@click.option("--seconds", default=1.5, show_default=True, help="How long each window is.")
@click.option("--windows", default=3, show_default=True, help="How many; medians are printed.")
@click.option("--only", multiple=True, help="These workloads alone (their short names).")
@click.option("--storage", multiple=True, type=click.Choice(STORAGES), default=STORAGES)
@click.option("--threads", default=Settings().threads, show_default=True, help="LATCHKEY_THREADS.")
@click.option("--no-peer", is_flag=True, help="Measure Latchkey alone.")
@click.option("--folder", default="/var/tmp", show_default=True, help="Where SQLite's file lies.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write to a file.")
def bench(
    seconds: float,
    windows: int,
    only: tuple[str, ...],
    storage: tuple[str, ...],
    threads: int,
    no_peer: bool,
    folder: str,
    json_file: Path | None,
) -> None:
    """Measure how fast the endpoints answer, on one core, with the load on another."""
    workloads = _chosen(only)
    measured, driving = _two_cores()
    with _folder(folder) as place, _stores(storage) as stores:
        facts = _facts(place, measured, driving, threads, seconds, windows)
        print("\n".join(f"{name}: {value}" for name, value in facts.items()))
        companies = _companies(stores, place, measured, threads, no_peer)
        try:
            _start(companies)
            _measure(companies, workloads, seconds, windows, measured)
        finally:
            for system in (system for company in companies for system in company.systems()):
                system.stop()
    for company in companies:
        print_company(company, workloads)
    if json_file:
        write_json(json_file, facts, companies, workloads)


def _chosen(only: tuple[str, ...]) -> list[Workload]:
    unknown = set(only) - {workload.name for workload in WORKLOADS}
    if unknown:
        names = ", ".join(workload.name for workload in WORKLOADS)
        raise click.UsageError(f"Unknown workload: {', '.join(unknown)}. There are: {names}")
    return [workload for workload in WORKLOADS if not only or workload.name in only]


def _two_cores() -> tuple[int, int]:
    """The first for the measured servers; this process, databases and Redis stay on the second."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise click.UsageError("Two cores are needed: one for the server, one for the load.")
    os.sched_setaffinity(0, {cores[1]})
    return cores[0], cores[1]


@contextmanager
def _folder(parent: str) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="latchkey-bench-", dir=parent))
    try:
        yield place
    finally:
        shutil.rmtree(place)


@contextmanager
def _stores(storage: tuple[str, ...]) -> Iterator[dict[str, tuple[str, str]]]:
    """For each storage the database's URL and Redis's; PostgreSQL with fsync, as in production."""
    stores = {"sqlite": ("", "")} if "sqlite" in storage else {}
    if "postgres" not in storage:
        yield stores
        return
    postgres = start_postgres(durable=True)
    redis = start_redis()
    try:
        yield {**stores, "postgres": (postgres.new_database(), redis.url)}
    finally:
        redis.remove()
        postgres.stop()


def _companies(
    stores: dict[str, tuple[str, str]], place: Path, core: int, threads: int, no_peer: bool
) -> list[Company]:
    companies = []
    for storage, (database_url, redis_url) in stores.items():
        folder = place / storage
        folder.mkdir()
        url = database_url or f"sqlite:///{folder / 'latchkey.db'}"
        title = "PostgreSQL + Redis" if redis_url else "SQLite"
        ours = latchkey(f"Latchkey, {title}", folder, core, threads, url, redis_url)
        companies.append(
            Company(storage, ours, [] if no_peer else _peers(folder, core, threads, redis_url))
        )
    return companies


def _peers(folder: Path, core: int, threads: int, redis_url: str) -> list[System]:
    """On the same class of storage; on SQLite also those that are measured there alone."""
    first = oidc_provider(folder, core, redis_url)
    if redis_url:
        return [first]
    return [first, django_oauth_toolkit(folder, core, threads), *glewlwyd(folder, core)]


def _start(companies: list[Company]) -> None:
    for company in companies:
        for system in company.systems():
            starts = [_started_anew(system) for _ in range(STARTS)]
            company.start[system.name] = sorted(starts)[len(starts) // 2]
            company.memory[system.name] = [system.memory_mb]
            system.visit.prepare()


def _started_anew(system: System) -> tuple[float, float]:
    """Seconds to the first answer, and those of the processor in it."""
    system.stop()
    return system.start(), system.cpu_seconds()


def _measure(
    companies: list[Company], workloads: list[Workload], seconds: float, windows: int, core: int
) -> None:
    """All systems in turn within each window, so that a slow moment of the machine hits all. An
    unmeasured round goes before, since Node translates its code while it runs."""
    for system in (system for company in companies for system in company.systems()):
        for workload in workloads:
            if system.has(workload):
                system.measure(workload, seconds)
    for number in range(windows):
        for workload in workloads:
            print(f"\r{number + 1}/{windows} {workload.title:<40}", end="", flush=True)
            for company in companies:
                _measure_company(company, workload, seconds, core)
    print(f"\r{'':<50}\r", end="")
    for company in companies:
        for system in company.systems():
            company.memory[system.name].append(system.memory_mb)


def _measure_company(company: Company, workload: Workload, seconds: float, core: int) -> None:
    for system in company.systems():
        if system.has(workload):
            company.add(workload, system, system.measure(workload, seconds))
    if workload.name == "password":
        company.hash_limits.append(hash_limit(core, seconds))


def _facts(
    place: Path, measured: int, driving: int, threads: int, seconds: float, windows: int
) -> dict[str, Any]:
    system = f"{platform.platform()}, Python {platform.python_version()}"
    return {
        "machine": f"{os.cpu_count()} cores, {system}",
        "servers": f"core {measured}, one process, {threads} threads",
        "load": f"core {driving}, {CONNECTIONS} connections; databases and Redis there too",
        "windows": f"{windows} of {seconds} s, systems in turn, medians",
        "SQLite's file": f"{place} on {_file_system(place)}, one fsync {_sync_ms(place):.2f} ms",
    }


def _file_system(place: Path) -> str:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    around = [m for m in mounts if str(place).startswith(m[1].rstrip("/") + "/") or m[1] == "/"]
    return max(around, key=lambda mount: len(mount[1]))[2]


def _sync_ms(place: Path) -> float:
    """The median of a few."""
    path, seconds = place / "sync", []
    with path.open("wb") as file:
        for _ in range(SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - started)
    path.unlink()
    return sorted(seconds)[SYNCS // 2] * 1e3


if __name__ == "__main__":
    bench()
