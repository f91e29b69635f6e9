"""A provider, the three products on real ports, a clock that a test can move, and a browser."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Thread
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from relying_parties import connections, lms, payments
from relying_parties.__main__ import QuietHandler
from relying_parties.base.configuration import Configuration
from relying_parties.base.product import Product
from tests.products.stand_in_provider import StandInProvider, serve


@dataclass
class Clock:
    """The real time, plus what the test has let pass."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class RunningProduct:
    base_url: str
    app: Flask
    clock: Clock

    @property
    def product(self) -> Product:
        found: Product = self.app.extensions["product"]
        return found

    def url(self, path: str) -> str:
        return self.base_url + path


@dataclass
class Visitor:
    """A browser without a screen: keeps cookies, follows redirects, remembers where it was."""

    http: requests.Session = field(default_factory=requests.Session)
    trail: list[str] = field(default_factory=list)

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._remember(self.http.get(url, timeout=10, **options))

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._remember(self.http.post(url, timeout=10, **options))

    def form_token(self, page: requests.Response) -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', page.text)
        assert found is not None, "the page has no form token"
        return found[1]

    def _remember(self, response: requests.Response) -> requests.Response:
        self.trail = [urlsplit(r.url).path for r in [*response.history, response]]
        return response


@pytest.fixture
def provider() -> Iterator[StandInProvider]:
    stand_in = StandInProvider()
    server = serve(stand_in)
    yield stand_in
    server.shutdown()
    server.server_close()


@pytest.fixture
def start(provider: StandInProvider) -> Iterator[Callable[[ModuleType], RunningProduct]]:
    servers: list[BaseWSGIServer] = []

    def start_product(module: ModuleType) -> RunningProduct:
        server = make_server("127.0.0.1", 0, _not_yet, threaded=True, request_handler=QuietHandler)
        servers.append(server)
        key = module.FACE.key
        base_url = f"http://localhost:{server.server_port}"
        configuration = Configuration(
            provider.issuer, key, f"secret of {key}", base_url, f"urn:product:{key}"
        )
        clock = Clock()
        app = module.create_app(configuration, clock=clock)
        server.app = app
        serving = {"poll_interval": 0.02}
        Thread(target=server.serve_forever, kwargs=serving, daemon=True).start()
        provider.product_urls[key] = base_url
        return RunningProduct(base_url, app, clock)

    yield start_product
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def loans(start: Callable[[ModuleType], RunningProduct]) -> RunningProduct:
    return start(lms)


@pytest.fixture
def payouts(start: Callable[[ModuleType], RunningProduct]) -> RunningProduct:
    return start(payments)


@pytest.fixture
def services(start: Callable[[ModuleType], RunningProduct]) -> RunningProduct:
    return start(connections)


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    somebody = Visitor()
    yield somebody
    somebody.http.close()


def _not_yet(environ: Any, start_response: Any) -> list[bytes]:
    raise AssertionError("served before the product was there")
