"""PostgreSQL hangs, is far away, has all its connections waiting, or is restarted: what needs it is
refused soon, what does not is served, and all is well again without us (security.md R5, R7)."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.concurrency.asking import UNANSWERED, Asking, questions_of, silently, slowest
from tests.concurrency.conftest import Town, started
from tests.concurrency.load import Load
from tests.concurrency.test_draining import is_ready, probe
from tests.concurrency.volley import Answer, Unanswered, ask
from tests.concurrency.workers import wait_until
from tests.machine.postgres import Postgres
from tests.machine.processes import free_port, stop_server
from tests.machine.relay import Relay
from tests.storage.test_stores_away import start_again

DEADLINE = 5.0
PUBLIC = ("jwks", "discovery")
DEPENDENT = ("introspect", "sign on", "front door", "profile")
SLACK = 2.5  # of a machine that does much else; what hangs without a limit hangs for 8 seconds


class Distant:
    """A provider, and the way to its database."""

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        self.relay = Relay(postgres.port)
        self.url = postgres.new_database()
        through = self.url.replace(f":{postgres.port}/", f":{self.relay.port}/")
        port = free_port()
        self.town = Town(started(folder, database_url=through, operations_port=port))
        wait_until(lambda: is_ready(self.town))

    def asked(self, each: int = 8) -> Asking:
        return Asking(self.town, questions_of(self.town), each)


@pytest.fixture(scope="module")
def distant(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distant]:
    made = Distant(postgres, tmp_path_factory.mktemp("distant"))
    yield made
    made.town.running.stop()
    made.relay.close()


def check_all_well_within(seconds: float, town: Town, load: Asking) -> None:
    begun = time.monotonic()
    wait_until(lambda: is_ready(town) and all_served(load, time.monotonic() - 0.5))
    assert time.monotonic() - begun < seconds


def all_served(load: Asking, moment: float) -> bool:
    record = load.since(moment, *DEPENDENT)
    return {each.what for each in record if each.status in (200, 303)} == set(DEPENDENT)


def test_fault_07_a_database_that_hangs_is_noticed_and_holds_nobody_for_long(
    distant: Distant,
) -> None:
    town = distant.town
    with distant.asked() as load:
        wait_until(lambda: all_served(load, 0))
        begun = time.monotonic()
        with distant.relay.hanging():
            wait_until(lambda: not is_ready(town))
            noticed = time.monotonic() - begun
            time.sleep(max(0.0, 8 - noticed))
            assert probe(town, "live").ok
        ended = time.monotonic()
        check_all_well_within(10, town, load)
    record = load.record
    assert noticed < 10
    assert {each.status for each in record} <= {200, 303, 503}
    assert all(each.sound for each in record)
    assert {each.status for each in record if each.what in PUBLIC} == {200}
    assert slowest(record) < DEADLINE + SLACK
    known = [each for each in load.since(begun + DEADLINE, *DEPENDENT) if each.begun < ended - 1]
    assert {each.status for each in known} == {503}
    assert slowest(known) < 1 + SLACK


def test_fault_07_rows_that_are_locked_hold_few_and_not_for_long(distant: Distant) -> None:
    town = distant.town
    with distant.asked() as load, psycopg.connect(distant.url) as other:
        wait_until(lambda: all_served(load, 0))
        other.execute("LOCK TABLE grants, sessions IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        time.sleep(8)
        assert probe(town, "live").ok
        other.rollback()
        check_all_well_within(10, town, load)
    record = load.record
    assert {each.status for each in record} <= {200, 303, 503}
    assert all(each.sound for each in record)
    assert {each.status for each in record if each.what in PUBLIC} == {200}
    assert slowest(record) < DEADLINE + SLACK
    assert 503 in {each.status for each in load.since(begun, "introspect")}
    assert 200 in {each.status for each in load.since(begun + 4, "front door")}


def test_fault_07_a_database_that_is_far_away_is_no_fault(distant: Distant) -> None:
    with distant.asked(each=2) as load, distant.relay.slow(0.1):
        begun = time.monotonic()
        wait_until(lambda: all_served(load, begun))
        time.sleep(3)
    assert {each.status for each in load.record} <= {200, 303, 503}
    assert slowest(load.record) < DEADLINE + SLACK
    assert probe(distant.town, "live").ok


class Redeeming(Load):
    """Signs on and redeems, and where no answer or a 503 came tries again; `given` counts, for each
    code, the answers that gave tokens."""

    def __init__(self, town: Town) -> None:
        super().__init__(threads=3)
        self._town = town
        self._silently = silently(town)
        self.given: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()

    def _go_on(self) -> None:
        while not self._stop.is_set():
            found = re.search(rb"code=([^&]+)", location(self._ask(self._silently)))
            for _ in range(3 if found else 0):
                assert found
                code = found[1].decode()
                answer = self._ask(self._town.redemption(code))
                self.given[code] += answer.status == 200
                if answer.status not in (503, UNANSWERED):
                    break
                time.sleep(0.2)

    def _ask(self, request: bytes) -> Answer:
        try:
            answer = ask(self._town.port, request)
        except Unanswered:
            answer = Answer(UNANSWERED, {}, b"")
        self.statuses[answer.status] += 1
        return answer


def test_fault_05_a_restarted_database_serves_again_and_nothing_was_given_twice(
    durable_postgres: Postgres, tmp_path: Path
) -> None:
    cluster, port = durable_postgres, free_port()
    url = cluster.new_database()
    town = Town(started(tmp_path, database_url=url, operations_port=port))
    try:
        with Redeeming(town) as load, Asking(town, questions_of(town)) as asked:
            for how in (signal.SIGINT, signal.SIGQUIT):
                wait_until(lambda: all_served(asked, time.monotonic() - 0.5))
                stop_server(cluster.process, how)
                time.sleep(1)
                start_again(cluster)
                wait_until(lambda: accepts(url))
                check_all_well_within(10, town, asked)
        record = asked.record
        assert {each.status for each in record} <= {200, 303, 503}
        assert all(each.sound for each in record)
        assert {each.status for each in record if each.what in PUBLIC} == {200}
        assert set(load.statuses) <= {200, 303, 400, 503}
        assert set(load.given.values()) <= {0, 1}
        assert sum(load.given.values()) > 10
        assert '"failed"' not in town.running.log.read_text()
    finally:
        town.running.stop()


def location(answer: Answer) -> bytes:
    return next((v.encode() for k, v in answer.headers.items() if k.lower() == "location"), b"")


def accepts(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
