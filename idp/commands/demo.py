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
from urllib.error import URLError
from urllib.request import urlopen

import click

from idp import logs, migrations, setup
from idp import worker as outbox_worker
from idp.commands.serve import prepare
from idp.errors import SetupMistake
from idp.provider import Provider, provider
from idp.settings import PREFIX, Settings, settings_from

HOST = "localhost"
PRODUCTS = ("lms", "payments", "connections")
START_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
QUIET = {f"{PREFIX}LOG_LEVEL": "WARNING"}


@click.command()
@click.option("--port", default=8000, show_default=True, help="The products take the next three.")
def demo(port: int) -> None:
    """Start everything, print where to go, and run until Ctrl-C."""
    _check_free(range(port, port + 4))
    settings = _settings(port)
    environment = {**os.environ, **QUIET, **_as_environment(settings)}
    logs.configure("WARNING")
    held = provider(settings)
    migrations.upgrade(held.database)
    prepare(held)
    setup.apply_demo(held, _addresses(port))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    with _running(_commands(settings, port), environment) as processes:
        worker = threading.Thread(target=outbox_worker.run, args=(held, stop, 2))
        worker.start()
        if _wait_until_ready(port, processes, stop):
            _introduce(held, port)
        _watch(processes, stop)
        stop.set()
        worker.join(STOP_TIMEOUT)
    click.echo("\nStopped.")


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


def _commands(settings: Settings, port: int) -> list[list[str]]:
    ports = [
        argument
        for number, name in enumerate(PRODUCTS, start=1)
        for argument in (f"--{name}-port", str(port + number))
    ]
    secrets_dir = str(settings.keys_dir / "clients")
    return [
        [sys.executable, "-m", "idp.commands", "serve"],
        [
            *(sys.executable, "-m", "relying_parties"),
            *("--issuer", settings.issuer, "--secrets-dir", secrets_dir),
            *ports,
        ],
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


@contextlib.contextmanager
def _running(
    commands: list[list[str]], environment: dict[str, str]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """In sessions of their own, so that Ctrl-C reaches us alone and we stop them in order."""
    processes = [
        subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        for command in commands
    ]
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


def _wait_until_ready(
    port: int, processes: list[subprocess.Popen[bytes]], stop: threading.Event
) -> bool:
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


def _watch(processes: list[subprocess.Popen[bytes]], stop: threading.Event) -> None:
    """Until Ctrl-C, or until one of the processes has died."""
    while not stop.wait(0.2):
        if any(process.poll() is not None for process in processes):
            click.echo("A process has stopped; its words are above.", err=True)
            return


def _introduce(held: Provider, port: int) -> None:
    addresses = _addresses(port)
    click.echo(f"\nLatchkey is running. Open {click.style(addresses['issuer'], bold=True)}\n")
    names = {"lms": "LMS", "payments": "Secure Payments", "connections": "Connections"}
    for key in PRODUCTS:
        click.echo(f"  {names[key]:<17} {addresses[key]}")
    click.echo(f"  {'Mail and SMS':<17} {addresses['issuer']}/inbox")
    click.echo(f"\nPeople (password: {setup.DEMO_PASSWORD}):\n")
    for person in setup.demo_people(addresses):
        click.echo(f"  {person.email:<28} {person.note}")
    click.echo(f"\nData: {held.settings.database_url}, keys: {held.settings.keys_dir}/")
    click.echo("Ctrl-C stops everything.")
