"""`idp serve` and `idp worker`: the two kinds of process that a running provider has."""

from __future__ import annotations

import ctypes
import gc
import resource
import signal
import threading
import time
from functools import partial
from typing import Any

import click

from idp import migrations, resealing, traces
from idp.commands import all_kept
from idp.draining import DRAINING
from idp.operations.port import port_of_server, port_of_worker
from idp.provider import Provider, provider
from idp.settings import Settings, settings_from
from idp.tokens import signing_keys
from idp.traces import TRACES

IDLE_THREAD = 600  # seconds until it ends: a new one takes memory of its own again
CONNECTIONS = 1024  # of a process at once, idle ones too; who comes after waits for one to end
OPEN_FILES = 2 * CONNECTIONS
M_ARENA_MAX = -8  # malloc.h
SHORT_LIFE = 1.0  # seconds; whoever is replaced so soon gets a successor after as many


@click.command()
def serve() -> None:
    """Serve the provider (settings: LATCHKEY_HOST, _PORT, _WORKERS, _THREADS)."""
    keep_one_arena()
    settings = settings_from()
    if settings.traces:
        traces.check()
    prepare(provider(settings))
    DRAINING.share()
    with port_of_server(settings):
        start_server(settings)


@click.command()
def worker() -> None:
    """Deliver mail and sign-outs, and delete what has expired."""
    from idp import logs
    from idp import worker as outbox_worker

    keep_one_arena()
    settings = settings_from()
    logs.configure(settings.log_level)
    if settings.traces:
        TRACES.begin()
    held = provider(settings)
    migrations.check_schema(held.database)
    resealing.check_keys(held.database, held.secret_keys, held.clock())
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    port_of_worker(settings, held)
    spare_what_is_there()
    outbox_worker.run(held, stop)
    TRACES.end()


def prepare(held: Provider) -> None:
    """The schema must be current and the keys readable; the first signing keys are made here,
    before any process serves."""
    migrations.check_schema(held.database)
    resealing.check_keys(held.database, held.secret_keys, held.clock())
    with held.database.transaction() as db:
        signing_keys.ensure(db, held.secret_keys, held.clock())
    held.key_ring.current(held.clock())
    held.database.close()


def start_server(settings: Settings) -> None:
    """The application is imported before the workers are forked, so that they share its memory,
    and frozen, so that they go on sharing it when they collect their garbage. HTTP/1.1 alone:
    what a request could switch to costs a fifth of a small answer."""
    with all_kept():
        from granian.constants import HTTPModes, Interfaces
        from granian.log import LogLevels
        from granian.server.mp import MPServer

        import idp.app  # noqa: F401

    class Draining(MPServer):
        """At SIGTERM it serves on until whoever looks for a server that is ready has gone
        elsewhere. A second signal is not waited for. A worker that ends is replaced, however often:
        whether anybody is served is for `/health/live` to tell."""

        def signal_handler_interrupt(self, number: int, *frame: Any) -> None:
            stop = partial(super().signal_handler_interrupt, number, *frame)
            if number != signal.SIGTERM or not settings.operations_port or DRAINING.has_begun:
                stop()
                return
            DRAINING.begin()
            later = threading.Timer(settings.drain, stop)
            later.daemon = True  # or the process stays for it, though all has ended before
            later.start()

        def _respawn_workers(self, workers: list[int], *how: Any, **named: Any) -> None:
            if any(time.monotonic() - self.wrks[each].birth < SHORT_LIFE for each in workers):
                time.sleep(SHORT_LIFE)
            super()._respawn_workers(workers, *how, **named)
            self.respawned_wrks.clear()  # or the server ends when one of them ends soon again

    gc.freeze()
    Draining(
        "idp.app:serve_app",
        factory=True,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        address=settings.host,
        port=settings.port,
        workers=settings.workers,
        blocking_threads=settings.threads,
        blocking_threads_idle_timeout=IDLE_THREAD,
        backlog=CONNECTIONS,
        backpressure=connections_allowed(),
        log_level=LogLevels.warning,
        workers_kill_timeout=30,
        respawn_failed_workers=True,
    ).serve()


def keep_one_arena() -> None:
    """For all threads, which take turns anyway to run Python: each would otherwise keep what it has
    freed for itself (mallopt(3)). Other C libraries than glibc have no arenas to be told of."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


def spare_what_is_there() -> None:
    """Garbage is looked for where all that has lived long has grown by a quarter: a program that is
    counted in lets hours of it gather first."""
    gc.collect()
    gc.freeze()
    gc.collect()


def connections_allowed() -> int:
    """So many at once, for each of which there are as many other files again: a server that can't
    open one more does nothing but try. Shells allow fewer than the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return min(CONNECTIONS, allowed // 2)
