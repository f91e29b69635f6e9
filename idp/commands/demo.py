"""`idp demo`: the provider and three products on this machine, with people to try it as."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import click

from idp.errors import SetupMistake
from idp.settings import PREFIX, Settings, settings_from

if TYPE_CHECKING:
    from idp.provider import Provider

HOST = "localhost"
PRODUCTS = ("lms", "payments", "connections")
START_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
QUIET = {f"{PREFIX}LOG_LEVEL": "WARNING"}

Processes = list[subprocess.Popen[bytes]]


@click.command()
@click.option("--port", default=8000, show_default=True, help="The products take the next three.")
def demo(port: int) -> None:
    """Start everything, print where to go, and run until Ctrl-C."""
    _check_free(range(port, port + 4))
    settings = _settings(port)
    os.environ.update({**QUIET, **_as_environment(settings)})
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    with _running() as processes:
        _start_all(processes, settings, port, stop)
        has_died = any(process.poll() is not None for process in processes)
    click.echo("\nStopped.")
    sys.exit(1 if has_died else 0)


def _start_all(processes: Processes, settings: Settings, port: int, stop: threading.Event) -> None:
    """The processes start while we look after the database: until it is ready they answer 503."""
    processes.append(_start(_server(settings)))
    has_secrets = all(
        (settings.keys_dir / "clients" / f"{key}.secret").exists() for key in PRODUCTS
    )
    if has_secrets:
        processes.append(_start(_products(settings, port)))
    held = _furnish(settings, port)
    if not has_secrets:
        processes.append(_start(_products(settings, port)))
    if _wait_until_ready(port, processes, stop):
        _introduce(held, port)
    worker = _start_worker(held, stop)  # nobody waits for it, and it is slow to import
    _watch(processes, stop)
    stop.set()
    worker.join(STOP_TIMEOUT)


def _furnish(settings: Settings, port: int) -> Provider:
    """Schema, keys, and the demo's directory; imported here, beside the starting processes."""
    from idp import logs, migrations, setup
    from idp.commands.serve import prepare
    from idp.provider import provider

    logs.configure("WARNING")
    held = provider(settings)
    migrations.upgrade(held.database)
    prepare(held)
    strangers = setup.people_outside_the_demo(held, _addresses(port))
    if strangers:
        raise SetupMistake(
            f"{held.database.url} holds {strangers} people of its own: the demo, whose passwords"
            " everybody knows, is not for it."
        )
    setup.apply_demo(held, _addresses(port))
    return held


def _start_worker(held: Provider, stop: threading.Event) -> threading.Thread:
    from idp import worker as outbox_worker

    thread = threading.Thread(target=outbox_worker.run, args=(held, stop, 2))
    thread.start()
    return thread


def _settings(port: int) -> Settings:
    """The demo's own address and inbox; everything else as the environment says."""
    return replace(
        settings_from(),
        issuer=f"http://{HOST}:{port}",
        host="127.0.0.1",
        port=port,
        demo_inbox=True,
    )


def _as_environment(settings: Settings) -> dict[str, str]:
    return {
        f"{PREFIX}ISSUER": settings.issuer,
        f"{PREFIX}HOST": settings.host,
        f"{PREFIX}PORT": str(settings.port),
        f"{PREFIX}DEMO_INBOX": "1",
    }


def _addresses(port: int) -> dict[str, str]:
    numbered = enumerate(("issuer", *PRODUCTS))
    return {name: f"http://{HOST}:{port + number}" for number, name in numbered}


def _server(settings: Settings) -> list[str]:
    """What `idp serve` does, without looking at the database first."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--factory"),
        *("--host", settings.host, "--port", str(settings.port)),
        *("--blocking-threads", str(settings.threads), "--log-level", "warning"),
        "idp.app:serve_app",
    ]


def _products(settings: Settings, port: int) -> list[str]:
    ports = [
        argument
        for number, name in enumerate(PRODUCTS, start=1)
        for argument in (f"--{name}-port", str(port + number))
    ]
    return [
        *(sys.executable, "-m", "relying_parties", "--issuer", settings.issuer),
        *("--secrets-dir", str(settings.keys_dir / "clients")),
        *ports,
    ]


def _check_free(ports: range) -> None:
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as problem:
                raise SetupMistake(
                    f"Port {port} is in use. Choose others with `idp demo --port`."
                ) from problem


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """In a session of its own, so that Ctrl-C reaches us alone and we stop it in order."""
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def _running() -> Iterator[Processes]:
    """However we end, what was started is stopped."""
    processes: Processes = []
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            _wait_or_kill(process)


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()


def _wait_until_ready(port: int, processes: Processes, stop: threading.Event) -> bool:
    addresses = _addresses(port)
    waiting = [f"{addresses['issuer']}/jwks"]
    waiting += [f"{addresses[name]}/healthz" for name in PRODUCTS]
    give_up_at = time.monotonic() + START_TIMEOUT
    while waiting and time.monotonic() < give_up_at and not stop.is_set():
        if any(process.poll() is not None for process in processes):
            return False
        waiting = [address for address in waiting if not _answers(address)]
        stop.wait(0.02)
    return not waiting


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=2) as answer:  # noqa: S310 - an address of our own
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _watch(processes: Processes, stop: threading.Event) -> None:
    """Until Ctrl-C, or until one of the processes has died."""
    while not stop.wait(0.2):
        if any(process.poll() is not None for process in processes):
            click.echo("A process has stopped; its words are above.", err=True)
            return


def _introduce(held: Provider, port: int) -> None:
    from idp import setup

    addresses = _addresses(port)
    click.echo(f"\nLatchkey is running. Open {click.style(addresses['issuer'], bold=True)}\n")
    names = {"lms": "LMS", "payments": "Secure Payments", "connections": "Connections"}
    for key in PRODUCTS:
        click.echo(f"  {names[key]:<17} {addresses[key]}")
    click.echo(f"  {'Mail and SMS':<17} {addresses['issuer']}/inbox")
    click.echo(f"\nPeople (password: {setup.DEMO_PASSWORD}):\n")
    for person in setup.demo_people(addresses):
        click.echo(f"  {person.email:<28} {person.note}")
    click.echo(f"\nData: {held.database.url}, keys: {held.settings.keys_dir}/")
    click.echo("Ctrl-C stops everything.")
