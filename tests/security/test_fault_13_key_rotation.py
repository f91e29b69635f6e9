"""R13: keys rotate while tokens are made and validated, and no product refuses one of them; in an
emergency every product that keeps to the rules has let go of the key within a minute."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from joserfc import jws
from joserfc.errors import BadSignatureError, InvalidKeyIdError
from joserfc.jwk import KeySet

from idp import worker
from idp.tokens import signing_keys
from tests.concurrency.conftest import Town, started
from tests.concurrency.load import Load
from tests.concurrency.workers import is_replaced, wait_until, workers
from tests.machine.postgres import Postgres
from tests.machine.redis_server import RedisServer
from tests.security.browsing import at_once, claims_of, header_of, reopened, signer
from tests.security.protocol import MACHINE, post_as, register
from tests.security.test_sec_37_signing_keys import revoke
from tests.world import World

HALF_AN_HOUR, STEP = 1800, 15
EMERGENCY = 60
TRIES = 100


@dataclass
class Product:
    """A stock verifier, which keeps the key set for `patience` seconds, or for as long as its
    Cache-Control says; for a name that it doesn't know it fetches the set again only where it
    `goes_back` (OpenID Connect Core section 10.1.1). `fetch` gives the set and its max-age."""

    fetch: Callable[[], tuple[dict[str, Any], int]]
    clock: Callable[[], float]
    patience: int | None = None
    goes_back: bool = False
    went_back: int = 0
    good_until: float = 0.0
    known: KeySet = field(default_factory=lambda: KeySet([]))

    def accepts(self, token: str) -> bool:
        if self.clock() >= self.good_until:
            self._fetch()
        try:
            jws.deserialize_compact(token, self.known, algorithms=["ES256"])
        except (InvalidKeyIdError, BadSignatureError):
            if not self.goes_back:
                return False
            self.went_back += 1
            self._fetch()
            return replace(self, goes_back=False).accepts(token)
        return True

    def _fetch(self) -> None:
        asked_at = self.clock()
        published, max_age = self.fetch()
        self.known = KeySet.import_key_set(published)  # type: ignore[arg-type]
        self.good_until = asked_at + (max_age if self.patience is None else self.patience)


def products_of(world: World) -> list[Product]:
    """Twenty: most keep to the Cache-Control alone, some to their own clock, one to its own for a
    whole day."""

    def fetch() -> tuple[dict[str, Any], int]:
        answer = world.get("/jwks")
        return dict(answer.json or {}), int(answer.headers["Cache-Control"].rpartition("=")[2])

    by_the_rules = [Product(fetch, world.clock) for _ in range(14)]
    own = [Product(fetch, world.clock, patience=300, goes_back=True) for _ in range(5)]
    return [*by_the_rules, *own, Product(fetch, world.clock, patience=86_400, goes_back=True)]


def token_of(world: World) -> str:
    answer = post_as(world, MACHINE, "/token", grant_type="client_credentials")
    assert answer.status_code == 200, answer.text
    return str((answer.json or {})["access_token"])


def test_fault_13_ten_rotations_by_the_clock_in_half_an_hour_fail_no_validation(
    world: World,
) -> None:
    """With two processes that make tokens, and two that sweep, all at once."""
    often: dict[str, Any] = {"signing_key_lead": 60, "signing_key_max_age": 120}
    register(world, MACHINE)
    processes = [reopened(world, replace(world.settings, **often)) for _ in range(2)]
    products = [each for process in processes for each in products_of(process)[::2]]
    alive: list[str] = []
    for second in range(0, HALF_AN_HOUR, STEP):
        sweeps = [lambda p=p: worker.rotate_keys(p.held, p.clock()) for p in processes]
        mints = [lambda p=p: token_of(p) for p in processes]
        if second % 60 == 0:
            at_once([*sweeps, *mints])
        alive += [mint() for mint in mints]
        alive = [token for token in alive if claims_of(token)["exp"] > world.clock()]
        for token in (alive[0], *alive[-2:]):
            assert all(product.accepts(token) for product in products), second
        world.clock.move(STEP)
    made = [each for each in world.audit("signing_key.made") if each["alg"] == "ES256"]
    assert len(made) - 1 >= 10
    assert len({header_of(token)["kid"] for token in alive}) > 1
    for process in processes:
        process.held.database.close()


def test_fault_13_in_an_emergency_every_product_lets_go_of_the_key_within_a_minute(
    world: World,
) -> None:
    """And ours at once; what the next key signs is taken by all who go back for a key."""
    register(world, MACHINE)
    products = [each for each in products_of(world) if each.patience is None]
    for number, product in enumerate(products):
        product.goes_back = number % 2 == 0
        world.clock.move(3)  # each has fetched at another time
        assert product.accepts(token_of(world))
    stolen, started = token_of(world), world.clock()
    assert revoke(world, signer(world).kid)
    assert world.introspect(stolen) == {"active": False}
    renewed = token_of(world)
    assert all(each.accepts(renewed) for each in products if each.goes_back)
    while any(each.accepts(stolen) for each in products if not each.goes_back):
        world.clock.move(1)
    assert world.clock() - started <= EMERGENCY
    assert all(each.accepts(renewed) and not each.accepts(stolen) for each in products)


@pytest.fixture
def hurried(postgres: Postgres, redis_server: RedisServer, tmp_path: Path) -> Iterator[Town]:
    """Two processes, where a key signs three seconds after it was made."""
    running = started(
        tmp_path,
        database_url=postgres.new_database(),
        redis_url=redis_server.url,
        signing_key_lead=3,
        signing_key_max_age=3,
        jwks_max_age=1,
    )
    yield Town(running)
    running.stop()


class Validating(Load):
    """Asks for tokens and validates each by the published keys, as fast as it is answered.
    `signed_by` are the keys that it saw, `refused` the tokens that were not taken."""

    def __init__(self, town: Town) -> None:
        super().__init__(threads=4)
        self._issuer = town.running.issuer
        self._secret = town.world.secret("northwind-hr")
        self.signed_by: set[str] = set()
        self.refused: list[str] = []

    def _go_on(self) -> None:
        product = Product(self._fetch, time.time)
        form = {"grant_type": "client_credentials"}
        while not self._stop.is_set():
            answer = self._ask("POST", "/token", data=form, auth=("northwind-hr", self._secret))
            token = answer.json()["access_token"]
            self.signed_by.add(header_of(token)["kid"])
            self.refused += [] if product.accepts(token) else [token]

    def _fetch(self) -> tuple[dict[str, Any], int]:
        answer = self._ask("GET", "/jwks")
        return answer.json(), int(answer.headers["Cache-Control"].rpartition("=")[2])

    def _ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Again where the process that was killed had it: for a moment it goes on being given
        connections."""
        for _ in range(TRIES):
            with contextlib.suppress(requests.ConnectionError):
                return requests.request(method, self._issuer + path, timeout=30, **more)
            self._stop.wait(0.05)
        raise AssertionError(f"{path} is not answered any more")


def test_fault_13_on_real_processes_fifty_rotations_at_once_make_one_key(hurried: Town) -> None:
    """One of the processes is killed on the way, and no token is refused by anybody."""
    with Validating(hurried) as load:
        first = rotated(hurried)
        victim = workers(hurried)[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: is_replaced(hurried, victim))
        wait_until(lambda: first in load.signed_by)
        second = rotated(hurried)
        wait_until(lambda: second in load.signed_by)
    assert load.refused == []
    assert len(load.signed_by) == 3


def rotated(town: Town) -> str:
    held, lead = town.running.held, town.running.settings.signing_key_lead

    def rotate() -> str | None:
        with held.database.transaction() as db:
            return signing_keys.rotate(db, held.secret_keys, "ES256", lead, held.clock())

    [made] = [kid for kid in at_once([rotate] * 50) if kid]
    return made
