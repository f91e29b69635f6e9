"""The three sample products (Authlib's client inside) as one process, as the demo runs them."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.machine.processes import start_server, stop_server, wait_until


@contextmanager
def running_products(
    issuer: str, secrets_dir: Path, ports: dict[str, int], log: Path
) -> Iterator[None]:
    """Until the block ends, each product listens on its port."""
    place = ["--issuer", issuer, "--secrets-dir", str(secrets_dir)]
    listen = [word for key, port in ports.items() for word in (f"--{key}-port", str(port))]
    command = [sys.executable, "-m", "relying_parties", *place, *listen]
    process = start_server(command, log)
    try:
        wait_until(lambda: all(map(_answers, ports.values())), process, log)
        yield
    finally:
        stop_server(process, signal.SIGTERM)


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://localhost:{port}/healthz", timeout=5).ok
    except requests.RequestException:
        return False
