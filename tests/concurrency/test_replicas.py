"""Two servers behind the proxy of deploy/nginx.conf, on PostgreSQL and Redis, as compose.yaml has
them: whichever of them answers, it is the same provider."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from idp import setup
from idp.endpoints.bodies import LARGEST
from idp.oidc.parameters import MAX_VALUE
from idp.provider import Provider
from tests.concurrency.conftest import Town, furnish
from tests.concurrency.load import Load
from tests.concurrency.workers import wait_until
from tests.machine.nginx import deployed_nginx
from tests.machine.postgres import Postgres
from tests.machine.processes import Process, free_port
from tests.machine.provider_process import start_provider
from tests.machine.redis_server import RedisServer
from tests.peers.visitor import Visitor
from tests.world import CHALLENGE, DANA, PASSWORD, VERIFIER

ABROAD = "https://abroad.example/callback"
DRAIN = 2


@dataclass
class Door:
    """The proxy at `url`, and the servers behind it by name."""

    town: Town
    url: str
    ports: dict[str, int]
    servers: dict[str, Process]

    def start(self, name: str) -> None:
        own: dict[str, Any] = {"port": self.ports[name], "operations_port": free_port()}
        self.servers[name] = self.town.running.start_replica(**own)


@pytest.fixture(scope="module")
def door(postgres: Postgres, redis_server: RedisServer, tmp_path_factory) -> Iterator[Door]:
    entrance, first, second = free_port(), free_port(), free_port()
    ports = {"idp-1": first, "idp-2": second}
    with deployed_nginx(entrance, ports):
        running = start_provider(
            tmp_path_factory.mktemp("door"),
            furnish_with_one_abroad,
            database_url=postgres.new_database(),
            redis_url=redis_server.url,
            issuer=f"http://localhost:{entrance}",
            port=first,
            operations_port=free_port(),
            drain=DRAIN,
            trusted_proxies="127.0.0.1",
        )
        door = Door(Town(running), running.issuer, ports, {"idp-1": running.server})
        try:
            door.start("idp-2")
            yield door
        finally:
            running.stop()


def furnish_with_one_abroad(held: Provider) -> None:
    furnish(held)
    client = {
        "client_id": "abroad",
        "client_name": "Abroad",
        "product": "lms",
        "first_party": True,
        "token_endpoint_auth_method": "none",
        "redirect_uris": [ABROAD],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid offline_access",
    }
    described = setup.read({"clients": [client]}, {}, "one that is not on this machine")
    setup.apply(held, described, held.clock(), base_dir=held.settings.keys_dir)


def signed_in(door: Door, visitor: Visitor) -> dict[str, Any]:
    asked = {
        "client_id": "abroad",
        "redirect_uri": ABROAD,
        "response_type": "code",
        "scope": "openid offline_access",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    place = visitor.open(f"{door.url}/authorize?{urlencode(asked)}")
    if not place.is_away:
        place = visitor.sign_in(place, DANA, PASSWORD)
    form = {
        "grant_type": "authorization_code",
        "client_id": "abroad",
        "code": place.sent["code"],
        "redirect_uri": ABROAD,
        "code_verifier": VERIFIER,
    }
    answer = requests.post(f"{door.url}/token", data=form, timeout=10)
    assert answer.status_code == 200, answer.text
    given: dict[str, Any] = answer.json()
    return given


def test_a_sign_in_goes_on_at_whichever_server_is_asked(door: Door) -> None:
    visitor = Visitor()
    for _ in range(4):
        assert signed_in(door, visitor)["id_token"]
    visitor.close()


@pytest.mark.parametrize("body", ["the longest answer", "the largest upload"])
def test_sec_74_what_a_stranger_sends_is_answered_and_takes_no_server_from_others(
    door: Door, body: str
) -> None:
    """What fails on its way to a server, or back, would count against the server with other
    proxies."""
    longest = {"client_id": "abroad", "redirect_uri": ABROAD, "response_type": "token"}
    sent, wanted = {
        "the longest answer": (urlencode({**longest, "state": "\U0001f511" * MAX_VALUE}), 303),
        "the largest upload": ("x" * LARGEST, 413),
    }[body]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(10):
        answer = requests.post(
            f"{door.url}/authorize", sent, headers=headers, allow_redirects=False, timeout=10
        )
        assert answer.status_code == wanted
    for _ in door.ports:
        assert requests.get(f"{door.url}/jwks", timeout=10).status_code == 200


def test_fault_01_the_other_server_answers_when_one_is_killed(door: Door) -> None:
    """A request that the killed one had in hand may fail; none after it."""
    with Clients(door) as load:
        wait_until(lambda: load.answered >= 50)
        door.servers["idp-2"].kill()
        door.servers["idp-2"].wait()
        enough = load.answered + 100
        wait_until(lambda: load.answered >= enough)
    door.start("idp-2")
    failed = sum(count for outcome, count in load.outcomes.items() if outcome != "200")
    assert failed <= load.NUMBER, load.outcomes


class Clients(Load):
    """They keep their connections to the proxy, and ask for a bit of everything."""

    NUMBER = 4

    def __init__(self, door: Door) -> None:
        super().__init__(self.NUMBER)
        self.outcomes: Counter[str] = Counter()
        self._door = door

    @property
    def answered(self) -> int:
        return self.outcomes["200"]

    def _go_on(self) -> None:
        visitor = Visitor()
        tokens = signed_in(self._door, visitor)
        while not self._stop.is_set():
            tokens = self._ask(visitor, tokens)
        visitor.close()

    def _ask(self, visitor: Visitor, tokens: dict[str, Any]) -> dict[str, Any]:
        url = self._door.url
        try:
            userinfo = visitor.http.get(f"{url}/userinfo", headers=bearer(tokens), timeout=20)
            self.outcomes[str(userinfo.status_code)] += 1
            jwks = visitor.http.get(f"{url}/jwks", timeout=20)
            self.outcomes[str(jwks.status_code)] += 1
            tokens = signed_in(self._door, visitor)
            self.outcomes["200"] += 1
        except (requests.RequestException, AssertionError) as problem:
            self.outcomes[repr(problem)[:200]] += 1
        return tokens


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}
