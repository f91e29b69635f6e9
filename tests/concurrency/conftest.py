"""Real provider processes: two, with twelve threads each, on either kind of storage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from idp import setup
from idp.provider import Provider
from tests.concurrency.assertions import JWKS
from tests.concurrency.volley import Answer, ask, fire, form
from tests.machine.postgres import Postgres
from tests.machine.provider_process import RunningProvider, start_provider
from tests.machine.redis_server import RedisServer
from tests.world import ADDRESSES, VERIFIER, Clock, World, apply_demo

WORKERS, THREADS = 2, 12
GRACE = 60  # of the same kind as the ten seconds of production, but no slow machine outlasts it
PUBLIC, ROTATING, SIGNING = "volley-public", "volley-rotating", "volley-signing"
REDIRECT_URI = "http://localhost:8009/callback"


@dataclass
class Town:
    """A running provider; `world` visits its database from this process, to prepare and to look."""

    running: RunningProvider

    @cached_property
    def world(self) -> World:
        folder = self.running.settings.keys_dir.parent
        return World(self.running.held, RealTime(self.running.held), folder)

    @property
    def port(self) -> int:
        return self.running.settings.port

    def fire(self, *requests: bytes) -> list[Answer]:
        return fire(self.port, requests)

    def ask(self, request: bytes) -> Answer:
        return ask(self.port, request)

    def code(self, client_id: str = "lms", **asked: str) -> str:
        return self.world.browser().code(client_id=client_id, **{**redirect_to(client_id), **asked})

    def tokens(self, client_id: str = "lms", **asked: str) -> dict[str, Any]:
        [answer] = self.fire(self.redemption(self.code(client_id, **asked), client_id))
        assert answer.status == 200, answer
        return answer.json

    def redemption(self, code: str, client_id: str = "lms") -> bytes:
        uri = redirect_to(client_id).get("redirect_uri", f"{ADDRESSES['lms']}/callback")
        fields = {"code": code, "redirect_uri": uri, "code_verifier": VERIFIER}
        return self._by(client_id, "/token", grant_type="authorization_code", **fields)

    def refreshment(self, token: str, client_id: str = "lms") -> bytes:
        return self._by(client_id, "/token", grant_type="refresh_token", refresh_token=token)

    def introspection(self, token: str, client_id: str = "lms") -> bytes:
        return self._by(client_id, "/introspect", token=token)

    def revocation(self, token: str, client_id: str = "lms") -> bytes:
        return self._by(client_id, "/revoke", token=token)

    def is_active(self, token: str, client_id: str = "lms") -> bool:
        [answer] = self.fire(self.introspection(token, client_id))
        return bool(answer.json["active"])

    def _by(self, client_id: str, path: str, **fields: str) -> bytes:
        if client_id == PUBLIC:
            return form(path, {}, client_id=PUBLIC, **fields)
        return form(path, self.world.basic(client_id), **fields)


class RealTime(Clock):
    def __init__(self, held: Provider) -> None:
        super().__init__()
        self._clock = held.clock

    def __call__(self) -> float:
        return self._clock()


def redirect_to(client_id: str) -> dict[str, str]:
    return {"redirect_uri": REDIRECT_URI} if client_id in (PUBLIC, ROTATING) else {}


def furnish(held: Provider) -> None:
    """The demo's directory, and three clients that it has not."""
    apply_demo(held, {**ADDRESSES, "issuer": held.settings.issuer})
    of_people = {
        "product": "lms",
        "first_party": True,
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile email offline_access",
    }
    clients = [
        {
            **of_people,
            "client_id": PUBLIC,
            "client_name": "Public",
            "token_endpoint_auth_method": "none",
        },
        {
            **of_people,
            "client_id": ROTATING,
            "client_name": "Rotating",
            "client_secret_file": f"clients/{ROTATING}.secret",
            "refresh_token_rotation": True,
        },
        {
            "client_id": SIGNING,
            "client_name": "Signing",
            "product": "payments",
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": JWKS,
            "grant_types": ["client_credentials"],
            "scope": "payouts",
            "permissions": ["payouts.read"],
        },
    ]
    described = setup.read({"clients": clients}, {}, "the volley's clients")
    setup.apply(held, described, held.clock(), base_dir=held.settings.keys_dir)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    """On SQLite alone, and on PostgreSQL with Redis."""
    folder = tmp_path_factory.mktemp("town")
    running = started(folder, **storage(request))
    yield Town(running)
    running.stop()


def started(folder: Path, **where: Any) -> RunningProvider:
    settings: dict[str, Any] = {"threads": THREADS, "refresh_grace": GRACE, **where}
    settings |= {"tries_per_network": 10**6, "tries_per_tenant": 10**6}  # all come from here
    return start_provider(folder, furnish, workers=WORKERS, **settings)


def storage(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "sqlite":
        return {}
    postgres: Postgres = request.getfixturevalue("postgres")
    redis_server: RedisServer = request.getfixturevalue("redis_server")
    return {"database_url": postgres.new_database(), "redis_url": redis_server.url}
