"""R3: two servers behind the proxy of deploy/nginx.conf are replaced in turn, as for an upgrade."""

from __future__ import annotations

import time
from collections.abc import Iterator

import requests

from bench.messages import basic
from chaos.evidence import Evidence
from chaos.invariants import none_failed
from chaos.pair import Pair, pair_of_servers
from chaos.registry import WEB, secret_of
from chaos.scenario import Run, Scenario, Size
from chaos.town import wait_until
from tests.machine.processes import listens
from tests.machine.slow_request import SlowRequest

SLOW, EXIT_WITHIN, PROBE = 10.0, 30.0, 1.0


class RollingRestarts(Scenario):
    number = "R3"
    title = "rolling restarts"
    size = Size(rate=200, seconds=400, times=20)
    bounded = Size(rate=10, seconds=4, times=2)
    recovery = 0.0
    town = staticmethod(pair_of_servers)

    def __init__(self) -> None:
        self._wrong: list[str] = []

    def fault(self, run: Run) -> None:
        """Each time with a request in hand that is sent slowly."""
        pair = run.town
        assert isinstance(pair, Pair)
        self._wrong.clear()
        for number in run.times():
            port = list(pair.servers)[number % 2]
            with run.pen.fault("a replaced server"):
                self._replace(run, pair, port, min(SLOW, run.size.seconds / run.size.times / 2))

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """No request fails, at any time."""
        yield from self._wrong
        yield from none_failed(evidence.operations)

    def _replace(self, run: Run, pair: Pair, port: int, slow: float) -> None:
        server = pair.servers[port]
        wait_until(lambda: pair.says(port, "ready"))
        request = SlowRequest(port, basic(WEB, secret_of(WEB)))
        begun = time.monotonic()
        server.terminate()
        self._watch(pair, port)
        time.sleep(max(0.0, begun + slow - time.monotonic()))
        if not request.end().startswith(b"HTTP/1.1 200"):
            self._wrong.append("a slow request was cut off")
        code = server.wait(EXIT_WITHIN * run.patience)
        took = time.monotonic() - begun
        if code != 0 or took > EXIT_WITHIN * run.patience:
            self._wrong.append(f"a server ended with {code} after {took:.1f} s")
        pair.start(port)

    def _watch(self, pair: Pair, port: int) -> None:
        """It is not ready at first, while it answers everybody for a probe's interval at least, and
        has them go elsewhere; then the socket closes."""
        wait_until(lambda: not pair.says(port, "ready"))
        told = time.monotonic()
        if not pair.says(port, "live"):
            self._wrong.append("a server that drains does not live")
        answer = requests.get(f"http://127.0.0.1:{port}/jwks", timeout=5)
        if answer.headers.get("Connection") != "close":
            self._wrong.append("a server that drains keeps connections")
        wait_until(lambda: not listens(port))
        if time.monotonic() - told < PROBE:
            self._wrong.append("a socket was closed before anybody could know")


SCENARIO = RollingRestarts()
