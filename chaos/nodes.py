"""Three servers on one PostgreSQL and one Redis, each with ways of its own to both: any of them can
be cut off, or all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import requests

from chaos.crowd import FIRST
from chaos.history import FAIL, OK, UNKNOWN, Fault, Operation, Pen
from chaos.town import Town, served
from tests.machine.postgres import start_postgres
from tests.machine.processes import LOOPBACK, free_port
from tests.machine.redis_server import start_redis
from tests.machine.relay import Relay

NODES = 3
LIVE, READY = PROBES = ("live", "ready")
PROBE_EVERY = 0.5  # seconds
NOTICED_WITHIN = 10.0


@dataclass(frozen=True)
class Node:
    """`probes` is the port at which it says how it is."""

    port: int
    probes: int
    database: Relay
    redis: Relay


@dataclass
class Nodes(Town):
    """`url` is the database's own, by no relay. A balancer sends everybody to all but the last, the
    one that may be cut off alone."""

    url: str = ""
    nodes: list[Node] = field(default_factory=list)

    @property
    def ports(self) -> list[int]:
        return [each.port for each in self.nodes[:-1]]


@contextmanager
def town_of_nodes(folder: Path, users: int, workers: int, **settings: Any) -> Iterator[Town]:
    """Half of the workers each."""
    with ExitStack() as stores:
        postgres, redis = start_postgres(durable=True), start_redis()
        stores.callback(postgres.stop)
        stores.callback(redis.remove)
        url = postgres.new_database()

        def way_to(port: int) -> Relay:
            return stores.enter_context(closing(Relay(port)))

        def node() -> tuple[Node, dict[str, Any]]:
            made = Node(free_port(), free_port(), way_to(postgres.port), way_to(redis.port))
            return made, {
                "port": made.port,
                "operations_port": made.probes,
                "database_url": url.replace(f":{postgres.port}/", f":{made.database.port}/"),
                "redis_url": redis.url.replace(f":{redis.port}/", f":{made.redis.port}/"),
            }

        first, own = node()
        with served(folder, users, workers=workers // 2, **own, **settings) as running:
            town = Nodes(folder, running, users, postgres, redis, url=url, nodes=[first])
            for _ in range(NODES - 1):
                another, own = node()
                running.start_replica(**own)
                town.nodes.append(another)
            yield town


class Watch:
    """Asks every node how it is, as a balancer does, and writes down what it said."""

    def __init__(self, nodes: list[Node], pen: Pen) -> None:
        self._pen = pen
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(each,)) for each in nodes]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for each in self._threads:
            each.join()

    def _go_on(self, node: Node) -> None:
        while not self._is_over.wait(PROBE_EVERY):
            for probe in PROBES:
                self._pen.write(self._asked(node, probe))

    def _asked(self, node: Node, probe: str) -> Operation:
        start, status = time.time(), status_of(node, probe)
        return Operation(
            number=self._pen.number(),
            user=FIRST,
            kind=probe,
            node=str(node.port),
            due=start,
            start=start,
            end=time.time(),
            outcome=OK if status == 200 else FAIL if status else UNKNOWN,
            status=status,
        )


def status_of(node: Node, probe: str) -> int:
    """What the node says to it; 0 for nothing."""
    try:
        asked = f"http://{LOOPBACK}:{node.probes}/health/{probe}"
        return requests.get(asked, timeout=5).status_code
    except requests.RequestException:
        return 0


def unnoticed(fault: Fault, operations: list[Operation], cut_off: str = "") -> Iterator[str]:
    """Each server that should be unready while the fault lasts, and is not: all, or the one at that
    port."""
    said = [each for each in operations if each.kind == READY]
    during = [each for each in said if fault.start < each.start and each.end < fault.end]
    for node in [cut_off] if cut_off else sorted({each.node for each in said}):
        own = [each for each in during if each.node == node]
        first = min((each.end for each in own if not each.is_ok), default=None)
        if first is None or first > fault.start + NOTICED_WITHIN:
            yield f"the server at {node} did not notice: {fault.fault}"
        elif any(each.is_ok and each.start > first for each in own):
            yield f"the server at {node} is ready again already: {fault.fault}"
