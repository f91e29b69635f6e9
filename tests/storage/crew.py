"""Threads of several processes that all do the same thing at the same moment."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.connection import Connection as Pipe
from typing import Any

from idp import lanes
from idp.secret_values import SecretKeys

PROCESSES = 3
THREADS = 34
SECONDS = 60.0
KEYS = SecretKeys(*(letter * 32 for letter in (b"s", b"f", b"c", b"i", b"r", b"a", b"p", b"n")))

Deed = Callable[[int], Any]
Prepared = tuple[Callable[[], object], Deed]


class Crew:
    """`race` may be asked again and again: the processes are started once."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._start = context.Barrier(PROCESSES)
        self._pipes: list[Pipe] = []
        self._members = []
        for _ in range(PROCESSES):
            ours, theirs = context.Pipe()
            member = context.Process(target=_serve, args=(theirs, self._start), daemon=True)
            member.start()
            theirs.close()
            self._pipes.append(ours)
            self._members.append(member)

    def race(
        self, prepare: Callable[..., Prepared], *arguments: Any, threads: int = THREADS
    ) -> list[Any]:
        """What the deed answered to each thread of each process; the numbers differ.

        `prepare(ExitStack, *arguments)` gives an opening and a deed. All threads have opened what
        they need before the first one does its deed. What a deed raises, this raises.
        """
        for position, pipe in enumerate(self._pipes):
            pipe.send((prepare, arguments, threads, position * threads))
        outcomes = [outcome for pipe in self._pipes for outcome in _received(pipe)]
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return outcomes

    def dismiss(self) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for member in self._members:
            member.join()


def _received(pipe: Pipe) -> list[Any]:
    if not pipe.poll(SECONDS):
        raise TimeoutError("a process of the crew does not answer")
    outcomes: list[Any] = pipe.recv()
    return outcomes


def _serve(pipe: Pipe, start: Any) -> None:
    """A member's whole life. Its threads interrupt each other far oftener than by default, and a
    hundred writers on a slow disk may wait for each other longer than those of a provider."""
    sys.setswitchinterval(1e-6)
    lanes.BUSY_TIMEOUT_MS = 60_000
    while (task := pipe.recv()) is not None:
        prepare, arguments, threads, first = task
        with ExitStack() as kept:
            prepared = prepare(kept, *arguments)
            pipe.send(_do_at_once(prepared, threads, first, start))


def _do_at_once(prepared: Prepared, threads: int, first: int, start: Any) -> list[Any]:
    make_ready, deed = prepared
    ready = threading.Barrier(threads, action=lambda: start.wait(SECONDS))

    def do(number: int) -> Any:
        make_ready()
        ready.wait(SECONDS)
        try:
            return deed(number)
        except Exception as problem:  # noqa: BLE001  # whoever started the race has to see it
            return problem

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(do, range(first, first + threads)))


def threads_at_once(deed: Deed, threads: int = THREADS) -> list[Any]:
    """The same in this process alone."""
    ready = threading.Barrier(threads)

    def do(number: int) -> Any:
        ready.wait(SECONDS)
        return deed(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(do, range(threads)))
