"""Processes are killed outright while they work: what was acknowledged stays so."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.concurrency.conftest import WORKERS, Town, started, storage
from tests.concurrency.load import Load
from tests.concurrency.volley import Unanswered
from tests.world import AMARA, PASSWORD

SECONDS = 60.0
LISTENING = "0A"


@pytest.fixture(params=["sqlite", "postgresql"])
def fragile_town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    running = started(tmp_path, **storage(request))
    yield Town(running)
    running.stop()


class Revoking(Load):
    """Redeems, refreshes and revokes as fast as it is answered; `acknowledged` are the revocations
    that were answered by 200, `outcomes` counts every answer."""

    def __init__(self, town: Town) -> None:
        super().__init__(threads=3)
        self._town = town
        self.acknowledged: list[dict[str, Any]] = []
        self.outcomes: Counter[str] = Counter()

    def _go_on(self) -> None:
        while not self._stop.is_set():
            try:
                self._revoke_one()
            except Unanswered:
                self.outcomes["unanswered"] += 1

    def _revoke_one(self) -> None:
        town = self._town
        code = town.code(scope="openid offline_access")
        redeemed = town.ask(town.redemption(code))
        self.outcomes[f"redeemed {redeemed.status}"] += 1
        given = {"code": code, **redeemed.json}
        revoked = town.ask(town.revocation(given["refresh_token"]))
        self.outcomes[f"revoked {revoked.status}"] += 1
        if revoked.status == 200:
            self.acknowledged.append(given)


def test_what_was_acknowledged_outlives_the_worker_that_did_it(fragile_town: Town) -> None:
    town = fragile_town
    with Revoking(town) as load:
        for pid in workers(town):
            enough = len(load.acknowledged) + 10
            wait_until(lambda n=enough: len(load.acknowledged) >= n)  # type: ignore[misc]
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: is_replaced(town, pid))  # type: ignore[misc]
    assert set(load.outcomes) <= {"redeemed 200", "revoked 200", "unanswered"}
    check_nothing_came_back(town, load.acknowledged)


def test_what_was_acknowledged_outlives_the_whole_server(fragile_town: Town) -> None:
    town = fragile_town
    with Revoking(town) as load:
        wait_until(lambda: len(load.acknowledged) >= 20)
        for pid in town.running.pids:
            os.kill(pid, signal.SIGKILL)
    check_nothing_came_back_in_the_database(town, load.acknowledged)


def check_nothing_came_back(town: Town, acknowledged: list[dict[str, Any]]) -> None:
    """Asked over HTTP, of whichever process answers."""
    for given in acknowledged:
        tokens = [given["access_token"], given["refresh_token"]]
        answers = town.fire(
            *map(town.introspection, tokens),
            town.redemption(given["code"]),
            town.refreshment(given["refresh_token"]),
        )
        assert [answer.json.get("active") for answer in answers[:2]] == [False, False]
        assert [answer.error for answer in answers[2:]] == ["invalid_grant"] * 2
    check_it_works(town)


def check_nothing_came_back_in_the_database(town: Town, acknowledged: list[dict[str, Any]]) -> None:
    world = town.world
    for given in acknowledged:
        assert not world.introspect(given["refresh_token"])["active"]
        assert not world.introspect(given["access_token"])["active"]
        assert world.redeem(given["code"]).status_code == 400
    if world.held.database.is_sqlite:
        assert world.run("PRAGMA integrity_check") == [("ok",)]
        assert world.run("PRAGMA foreign_key_check") == []
    assert world.browser().tokens(AMARA)["access_token"]


def check_it_works(town: Town) -> None:
    tokens = town.tokens(scope="openid offline_access")
    assert town.is_active(tokens["access_token"])
    [answer] = town.fire(town.refreshment(tokens["refresh_token"]))
    assert answer.status == 200
    assert PASSWORD not in town.running.log.read_text()


def workers(town: Town) -> list[int]:
    """The processes below the server."""
    return [pid for pid in town.running.pids if pid != town.running.server.pid]


def is_replaced(town: Town, killed: int) -> bool:
    return killed not in workers(town) and listeners(town.port) == WORKERS


def listeners(port: int) -> int:
    """How many sockets listen on it: one for each worker that is ready (Linux, SO_REUSEPORT)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == LISTENING for row in rows)


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
