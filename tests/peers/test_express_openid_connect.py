"""npm's express-openid-connect: code by form_post, and both ways of signing out."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.machine.node import PEERS_FOLDER, find_node
from tests.machine.processes import start_server, stop_server, wait_until
from tests.machine.provider_process import RunningProvider
from tests.peers.registrations import Ports, secret_of
from tests.peers.visitor import Place, Visitor
from tests.world import DANA, PASSWORD

CLIENT = "peer-express"
SECONDS_TO_BE_TOLD = 30.0


@contextmanager
def running_express(port: int, issuer: str, log: Path) -> Iterator[str]:
    place = [str(port), issuer, CLIENT, secret_of(CLIENT)]
    process = start_server([str(find_node()), str(PEERS_FOLDER / "express_app.js"), *place], log)
    address = f"http://localhost:{port}"
    try:
        wait_until(lambda: _answers(address), process, log)
        yield address
    finally:
        stop_server(process, signal.SIGTERM)


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/signed-out", timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def express(
    provider: RunningProvider, ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    log = tmp_path_factory.mktemp("express") / "log"
    with running_express(ports.express, provider.issuer, log) as address:
        yield address


@pytest.fixture
def inside(express: str, visitor: Visitor) -> Place:
    """The protected page, signed in."""
    answer = visitor.sign_in(visitor.open(f"{express}/me"), DANA, PASSWORD)
    return visitor.submit(answer)


def test_express_takes_the_answer_by_form_post(inside: Place, express: str) -> None:
    assert (inside.status, inside.url) == (200, f"{express}/me")
    user = json.loads(inside.text)
    assert (user["email"], user["tenant"]) == (DANA, "northwind")


def test_express_signs_a_visitor_out_at_the_provider_and_has_them_back(
    inside: Place, express: str, visitor: Visitor, provider: RunningProvider
) -> None:
    place = visitor.open(f"{express}/logout")
    assert place.url == f"{express}/signed-out"
    assert f"{provider.issuer}/logout" in [address.partition("?")[0] for address in place.trail]
    assert visitor.open(f"{express}/me").form_with("email", "password")


def test_express_is_told_when_a_visitor_signs_out_elsewhere(
    inside: Place, express: str, visitor: Visitor, provider: RunningProvider
) -> None:
    visitor.submit(visitor.open(f"{provider.issuer}/logout"), decision="sign_out")
    deadline = time.monotonic() + SECONDS_TO_BE_TOLD
    while (page := visitor.open(f"{express}/me")).url == f"{express}/me":
        assert time.monotonic() < deadline
    assert page.form_with("email", "password")
