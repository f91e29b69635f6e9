"""A provider with the demo's companies and people, a clock to move, and browsers to visit it with.

`world` runs on SQLite; `either_world` runs the test once on SQLite and once on PostgreSQL with
Redis. Made once per test process, copied for each test.
"""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import sqlalchemy as sa
from werkzeug.test import Client, TestResponse

from idp import lanes, migrations, setup
from idp.app import create_app
from idp.commands.serve import prepare
from idp.directory.products import Product
from idp.provider import Provider, provider
from idp.settings import Settings
from tests.machine.kept_loads import KeptLoads, is_file_as_copied
from tests.machine.kept_postgres import KeptPostgres
from tests.machine.postgres import Postgres

START = 1_795_000_000.0
ISSUER = "http://localhost:8000"
ADDRESSES = {
    "issuer": ISSUER,
    "lms": "http://localhost:8001",
    "payments": "http://localhost:8002",
    "connections": "http://localhost:8003",
    "console-app": "http://localhost:8009",
}
PASSWORD = setup.DEMO_PASSWORD
AMARA = "amara@northwind.example"  # account admin of northwind
HANA = "hana@harbor.example"  # account admin of harbor
BEN = "ben@northwind.example"  # opens LMS alone
DANA = "dana@northwind.example"  # opens all three by her roles
PRIYA = "priya@northwind.example"  # in both companies, with different roles
OLU = "operator@latchkey.example"  # operator of the platform
VICTOR = "victor@northwind.example"  # disabled

VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CHEAP = {"argon2_memory_kib": 64, "argon2_time_cost": 1}


class Clock:
    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class World:
    """`held` is the provider, `app` its WSGI callable."""

    held: Provider
    clock: Clock
    folder: Path
    app: Any = field(init=False)

    def __post_init__(self) -> None:
        self.app = create_app(self.held)

    @property
    def settings(self) -> Settings:
        return self.held.settings

    def browser(self, **headers: str) -> Visitor:
        return Visitor(self, headers)

    def secret(self, client_id: str) -> str:
        return (self.settings.keys_dir / "clients" / f"{client_id}.secret").read_text().strip()

    def basic(self, client_id: str, secret: str | None = None) -> dict[str, str]:
        """The Authorization header of a demo client."""
        pair = f"{client_id}:{secret or self.secret(client_id)}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}

    def post(
        self, path: str, headers: Mapping[str, str] | None = None, **form: str | None
    ) -> TestResponse:
        """A form sent by a client: no cookies; None leaves a field out."""
        sent = {name: value for name, value in form.items() if value is not None}
        return Client(self.app).post(path, data=sent, headers=headers or {})

    def get(self, path: str, **headers: str) -> TestResponse:
        return Client(self.app).get(path, headers=headers)

    def userinfo(self, access_token: str) -> TestResponse:
        return self.get("/userinfo", Authorization=f"Bearer {access_token}")

    def redeem(
        self,
        code: str,
        client_id: str = "lms",
        secret: str | None = None,
        **changed: str | None,
    ) -> TestResponse:
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{ADDRESSES[client_id]}/callback",
            "code_verifier": VERIFIER,
        }
        return self.post("/token", self.basic(client_id, secret), **{**form, **changed})

    def refresh(self, token: str, client_id: str = "lms", **more: str | None) -> TestResponse:
        return self.post(
            "/token",
            self.basic(client_id),
            grant_type="refresh_token",
            refresh_token=token,
            **more,
        )

    def introspect(self, token: str, client_id: str = "lms") -> dict[str, Any]:
        answer = self.post("/introspect", self.basic(client_id), token=token)
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})

    def audit(self, tag: str | None = None) -> list[dict[str, Any]]:
        """Audit events in order, of one tag or of all."""
        from idp.audit_chain import AuditEvent

        with self.held.database.session() as session:
            events = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id))
            return [
                {"tag": e.tag, "actor": e.actor_id, "client": e.client_id, **e.detail}
                for e in events
                if tag in (None, e.tag)
            ]

    def run(self, sql: str, **values: Any) -> Any:
        """A statement straight on the database."""
        with self.held.database.engine.begin() as connection:
            result = connection.execute(sa.text(sql), values)
            return [tuple(row) for row in result] if result.returns_rows else result.rowcount

    def apply(self, **described: Any) -> Any:
        """Apply a set-up file given as keywords."""
        parsed = setup.read(described, {}, "a test's file")
        return setup.apply(self.held, parsed, self.clock(), base_dir=self.settings.keys_dir)


class Visitor:
    """A browser: keeps cookies, fills in forms, does not follow redirects unless asked."""

    def __init__(self, world: World, headers: dict[str, str]) -> None:
        self.world = world
        self.headers = headers
        self.client = Client(world.app)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(_local(path), headers={**self.headers, **headers})

    def post(self, path: str, **form: str) -> TestResponse:
        return self.client.post(_local(path), data=form, headers=self.headers)

    def follow(self, answer: TestResponse) -> TestResponse:
        """Redirects within the provider; stops at a page, or at a redirect to a product."""
        while answer.status_code == 303 and _is_local(answer.headers["Location"]):
            answer = self.get(answer.headers["Location"])
        return answer

    def submit(self, page: TestResponse, path: str | None = None, **fields: str) -> TestResponse:
        """Fill in the page's (last) form with its hidden fields, and send it."""
        found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        hidden = {name: unescape(value) for name, value in found}
        action = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', page.text)
        return self.post(path or action[-1], **{**hidden, **fields})

    def authorize(self, client_id: str = "lms", **changed: str | None) -> TestResponse:
        """The first answer to an authorization request; None leaves a parameter out."""
        return self.get("/authorize?" + urlencode(request_for(client_id, **changed)))

    def sign_in(
        self,
        email: str = AMARA,
        password: str = PASSWORD,
        client_id: str = "lms",
        **changed: str | None,
    ) -> TestResponse:
        """From the request through the password; the answer is what comes after it."""
        page = self.follow(self.authorize(client_id, **changed))
        assert page.status_code == 200, page.text
        return self.follow(self.submit(page, email=email, password=password))

    def enter(self, path: str, email: str = AMARA) -> TestResponse:
        """Open a page of the console, signing in on the way if it asks."""
        page = self.follow(self.get(path))
        if 'name="password"' in page.text:
            page = self.follow(self.submit(page, email=email, password=PASSWORD))
        return page

    def code(
        self,
        email: str = AMARA,
        client_id: str = "lms",
        **changed: str | None,
    ) -> str:
        """Sign in if need be, and take the code from the answer."""
        answer = self.follow(self.authorize(client_id, **changed))
        if answer.status_code == 200:
            answer = self.follow(self.submit(answer, email=email, password=PASSWORD))
        return sent_back(answer)["code"]

    def tokens(
        self, email: str = AMARA, client_id: str = "lms", **changed: str | None
    ) -> dict[str, Any]:
        answer = self.world.redeem(self.code(email, client_id, **changed), client_id)
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})


def request_for(client_id: str = "lms", **changed: str | None) -> dict[str, str]:
    """A sound authorization request of a demo client; None leaves a parameter out."""
    sound: dict[str, str | None] = {
        "client_id": client_id,
        "redirect_uri": f"{ADDRESSES.get(client_id, '')}/callback",
        "response_type": "code",
        "scope": "openid profile email",
        "state": "a-state",
        "nonce": "a-nonce",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in {**sound, **changed}.items() if value is not None}


def sent_back(answer: TestResponse) -> dict[str, str]:
    """The parameters of an authorization response by redirect (query or fragment)."""
    assert answer.status_code == 303, (answer.status, answer.text[:2000])
    parts = urlsplit(answer.headers["Location"])
    return {name: values[0] for name, values in parse_qs(parts.query or parts.fragment).items()}


def claims_of(jwt: str) -> dict[str, Any]:
    """The payload, unverified."""
    import json

    payload = jwt.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def _local(path: str) -> str:
    return path.removeprefix(ISSUER) or "/"


def _is_local(location: str) -> bool:
    return location.startswith(("/", ISSUER + "/"))


def make_world(settings: Settings, folder: Path) -> World:
    clock = Clock()
    return World(provider(settings, clock), clock, folder)


def furnish(world: World) -> None:
    """Schema, keys, and the demo's directory."""
    migrations.upgrade(world.held.database)
    prepare(world.held)
    apply_demo(world.held, ADDRESSES)


def apply_demo(held: Provider, addresses: Mapping[str, str]) -> None:
    """The demo's directory, whose products demand no second factor: a test that is about one says
    so."""
    setup.apply_demo(held, addresses)
    with held.database.transaction() as db:
        db.run(_ONE_FACTOR)


_ONE_FACTOR = sa.update(Product).values(second_factor=sa.false(), second_factor_minutes=sa.null())


@pytest.fixture(scope="session")
def furnished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A furnished SQLite database and its keys, to be copied."""
    folder = tmp_path_factory.mktemp("furnished")
    world = make_world(sqlite_settings(folder), folder)
    furnish(world)
    world.held.database.close()
    return folder


def sqlite_settings(folder: Path, **changed: Any) -> Settings:
    values: dict[str, Any] = {
        "issuer": ISSUER,
        "database_url": f"sqlite:///{folder / 'latchkey.db'}",
        "keys_dir": folder / "keys",
        "outgoing_networks": "127.0.0.0/8",
        **CHEAP,
        **changed,
    }
    return Settings(**values)


@pytest.fixture(scope="session")
def sqlite_loads() -> KeptLoads:
    return KeptLoads()


@pytest.fixture
def world(
    furnished_folder: Path,
    sqlite_loads: KeptLoads,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """On SQLite alone, which waits for no disk: what a test writes need not outlive a power cut, as
    on PostgreSQL (tests/machine/postgres.py)."""
    monkeypatch.setattr(
        lanes,
        "set_sqlite_synchronous",
        lambda connection, _: connection.execute("PRAGMA synchronous = OFF"),
    )
    folder = tmp_path / "world"
    shutil.copytree(furnished_folder, folder)
    made = make_world(sqlite_settings(folder), folder)
    files = (each / "latchkey.db" for each in (furnished_folder, folder))
    sqlite_loads.lend(made.held, partial(is_file_as_copied, *files))
    yield made
    made.held.database.close()


@pytest.fixture(scope="session")
def furnished_postgres(furnished_folder: Path, postgres: Postgres) -> str:
    """A furnished PostgreSQL database, to be copied; its keys are those of the SQLite one."""
    url: str = postgres.new_database()
    settings = sqlite_settings(furnished_folder, database_url=url)
    world = make_world(settings, furnished_folder)
    furnish(world)
    world.held.database.close()
    return url


@pytest.fixture(scope="session")
def kept_postgres(furnished_postgres: str, postgres: Postgres) -> Iterator[KeptPostgres]:
    kept = KeptPostgres(postgres, furnished_postgres)
    yield kept
    kept.give_up()


@pytest.fixture(scope="session")
def postgres_loads() -> KeptLoads:
    return KeptLoads()


@pytest.fixture
def postgres_world(
    kept_postgres: KeptPostgres,
    postgres_loads: KeptLoads,
    furnished_folder: Path,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """On PostgreSQL, with ephemeral values in Redis."""
    folder = tmp_path / "postgres-world"
    shutil.copytree(furnished_folder, folder)
    settings = sqlite_settings(folder, database_url=kept_postgres.url, redis_url=redis_url)
    with monkeypatch.context() as while_it_is_made:
        while_it_is_made.setattr("idp.provider.Database", kept_postgres.database)
        made = make_world(settings, folder)
    postgres_loads.lend(made.held, kept_postgres.is_as_copied)
    yield made
    kept_postgres.put_back()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_world(request: pytest.FixtureRequest) -> World:
    """Once on each."""
    name = "world" if request.param == "sqlite" else "postgres_world"
    made: World = request.getfixturevalue(name)
    return made
