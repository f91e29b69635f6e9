"""What an attacker brings along: forged tokens, many requests at once, every address there is."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from joserfc.jwk import ECKey
from werkzeug.test import Client, TestResponse

from idp import database
from idp.app import create_pages
from idp.endpoints.router import ROUTES
from idp.provider import Provider
from idp.settings import Settings
from idp.tokens.signed_tokens import mint
from idp.tokens.signing_keys import KeyView
from tests.world import ADDRESSES, World, make_world, sqlite_settings

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MACHINE = "night-batch"
MACHINES_CALLBACK = "https://batch.example/cb"
THIRD_PARTY = "guest-books"
HTTPS = "https://id.example"

Result = TypeVar("Result")


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def header_of(jwt: str) -> dict[str, Any]:
    return dict(json.loads(decoded(jwt.split(".", maxsplit=1)[0])))


def claims_of(jwt: str) -> dict[str, Any]:
    return dict(json.loads(decoded(jwt.split(".")[1])))


def compact(header: dict[str, Any] | bytes, payload: bytes, signature: bytes) -> str:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return ".".join(map(encoded, (head, payload, signature)))


def signer(world: World, alg: str = "ES256") -> KeyView:
    return world.held.key_ring.current(world.clock()).signer(alg, world.clock())


def minted(world: World, typ: str, claims: dict[str, Any], alg: str = "ES256") -> str:
    """By the provider's own key: nothing but the claims can be wrong with it."""
    return mint(signer(world, alg), typ, claims)


def without(claims: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in names}


def add_machine(world: World) -> ECKey:
    """A client that proves itself by `private_key_jwt`, and signs its requests; its key."""
    key = ECKey.generate_key("P-256", {"kid": "machine-key", "use": "sig"})
    world.apply(
        clients=[
            {
                "client_id": MACHINE,
                "client_name": "Night batch",
                "product": "lms",
                "token_endpoint_auth_method": "private_key_jwt",
                "grant_types": ["client_credentials", "authorization_code"],
                "redirect_uris": [MACHINES_CALLBACK],
                "scope": "jobs",
                "jwks": {"keys": [dict(key.as_dict(private=False))]},
            }
        ]
    )
    world.clock.move(2)  # a catalog may be a second old
    return key


def add_third_party(world: World, **changed: Any) -> str:
    """A client that has to ask for consent; its secret."""
    secret = "a-guest-secret-of-more-than-32-characters"
    world.apply(
        clients=[
            {
                "client_id": THIRD_PARTY,
                "client_name": "Guest books",
                "product": "lms",
                "redirect_uris": ["https://guest.example/callback"],
                "client_secret": secret,
                **changed,
            }
        ]
    )
    world.clock.move(2)
    return secret


def over_https(world: World) -> World:
    """As it is in production, where passwords may not be hashed as cheaply as in tests."""
    strong = replace(world.settings, argon2_memory_kib=19 * 1024, argon2_time_cost=2)
    return reopened(world, replace(strong, issuer=HTTPS))


def reopened(world: World, settings: Settings) -> World:
    from idp.provider import provider

    return World(provider(settings, world.clock), world.clock, world.folder)


def at_once(tasks: Sequence[Callable[[], Result]]) -> list[Result]:
    """Every task in a thread of its own, all let go together; their results in order."""
    gate = threading.Barrier(len(tasks))
    results: dict[int, Result] = {}
    problems: list[BaseException] = []

    def run(number: int, task: Callable[[], Result]) -> None:
        gate.wait(30)
        try:
            results[number] = task()
        except BaseException as problem:  # noqa: BLE001 - told to the test's own thread below
            problems.append(problem)

    threads = [threading.Thread(target=run, args=each) for each in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if problems:
        raise problems[0]
    return [results[number] for number in range(len(tasks))]


class SignInForm:
    """The form of the front door, filled in once and sent by anybody any number of times."""

    def __init__(self, world: World, **headers: str) -> None:
        page = world.browser().get("/")
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        cookies = page.headers.getlist("Set-Cookie")
        kept = "; ".join(cookie.partition(";")[0] for cookie in cookies)
        self.world = world
        self.fields = {**dict(hidden), "product": "lms"}
        self.headers = {"Cookie": kept, **headers}
        self.from_here = {"REMOTE_ADDR": "127.0.0.1"}

    def send(self, email: str, password: str, **more: str) -> TestResponse:
        fields = {**self.fields, "email": email, "password": password, **more}
        client = Client(self.world.app, use_cookies=False)
        sent = {"data": fields, "headers": self.headers, "environ_base": self.from_here}
        return client.post("/login/password", **sent)


def rules(held: Provider) -> list[tuple[str, str]]:
    """Every method and path of the pages, with parameters filled in: the console's by northwind."""
    app = create_pages(held)
    return [
        (method, _filled(rule.rule))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if "bootstrap" not in rule.endpoint and "tabler" not in rule.endpoint
    ]


def forms_and_pages(held: Provider) -> list[tuple[str, str]]:
    """What a browser opens; at the API a cookie counts for nothing (tests/console/test_api*)."""
    return [(method, path) for method, path in rules(held) if not path.startswith("/api/")]


def _filled(rule: str) -> str:
    named = rule.replace("<path:filename>", "theme.css").replace("<tenant>", "northwind")
    named = re.sub(r"<any\((\w+)[^>]*>", r"\1", named)
    return re.sub(r"<[^>]+>", "0" * 32, named)


def every_address(held: Provider) -> list[tuple[str, str]]:
    """The pages' and the endpoints' methods and paths."""
    protocol = [
        (method, path)
        for path, route in ROUTES.items()
        for method in route.methods
        if method != "HEAD"
    ]
    return [*rules(held), *protocol]


def asked(world: World, method: str, path: str, **headers: str) -> TestResponse:
    """One request from nowhere: no cookies, no form."""
    return Client(world.app).open(path, method=method, headers=headers)


@contextmanager
def shared_world(folder: Path, factory: pytest.TempPathFactory) -> Iterator[World]:
    """A furnished world on SQLite for a whole file of tests that leave it as it was."""
    copy = factory.mktemp("shared") / "world"
    shutil.copytree(folder, copy)
    made = make_world(sqlite_settings(copy), copy)
    yield made
    made.held.database.close()


_opened: list[str] = []


def _note_opening(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened:
        _opened.append(str(arguments[0]))


@cache
def _listen() -> None:
    sys.addaudithook(_note_opening)  # for good: Python has no way to take one off


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """The paths of all files that are opened meanwhile, after a first word that is no path."""
    _listen()
    _opened[:] = ["(watching)"]
    try:
        yield _opened
    finally:
        _opened[:] = []


@contextmanager
def watched_statements() -> Iterator[list[str]]:
    """The SQL that runs through the short way to the driver, in order."""
    run = database.Connection._execute
    seen: list[str] = []

    def watch(self: Any, statement: Any, values: Any) -> Any:
        seen.append(self._database.prepared(statement)[0])
        return run(self, statement, values)

    database.Connection._execute = watch  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        database.Connection._execute = run  # type: ignore[method-assign]


def dump(world: World) -> str:
    """Everything that the database holds, as text."""
    tables = database.Base.metadata.sorted_tables
    with world.held.database.engine.begin() as connection:
        return "\n".join(
            f"{table.name}: {tuple(row)!r}"
            for table in tables
            for row in connection.execute(sa.select(table))
        )


def callback(client_id: str) -> str:
    return f"{ADDRESSES[client_id]}/callback"
