"""`idp demo`: the provider and three products on this machine, with people to try it as.

It starts them and watches over them; what they need, they import themselves, all at once.
"""

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
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import click

from idp.errors import SetupMistake
from idp.settings import PREFIX, Settings, settings_from

HOST = "localhost"
LOOPBACK = "127.0.0.0/8, ::1/128"
PORT = 8000
PRODUCTS = ("lms", "payments", "connections")
PATIENCE = 20.0
STOP_TIMEOUT = 10.0
QUIET = {f"{PREFIX}LOG_LEVEL": "WARNING"}

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

Processes = list[subprocess.Popen[bytes]]


@click.command()
@click.option("--port", type=int, help="8000 if left out; the products take the next three.")
@click.option("--furnish", is_flag=True, help="Write the demo's companies and people, and end.")
@click.option("--test", "is_test", is_flag=True, help="A provider for a product's tests instead.")
@click.option("--client", "clients", multiple=True, metavar="ID=REDIRECT_URI", help="For --test.")
@click.option("--apply", "file", type=_FILE, help="For --test: a file as `idp apply` takes it.")
@click.option("--tied", is_flag=True, help="For --test: end when standard input does.")
def demo(
    port: int | None,
    furnish: bool,
    is_test: bool,
    clients: tuple[str, ...],
    file: Path | None,
    tied: bool,
) -> None:
    """Start everything, print where to go, and run until Ctrl-C.

    With --test: a provider with nothing but what is declared, a clock to move, and mail to read, at
    a port that is free; it prints one line of JSON when it is ready, and leaves nothing behind."""
    if is_test:
        from idp.commands.test_mode.process import serve_test

        _check_name()
        serve_test(port or 0, _named(clients), file, tied=tied)
        return
    if clients or file or tied:
        raise click.UsageError("--client, --apply and --tied are for --test.")
    port = PORT if port is None else port
    if furnish:
        _furnish(port)
        return
    _check_name()
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


def _named(clients: tuple[str, ...]) -> dict[str, list[str]]:
    """Redirect URIs by client."""
    named: dict[str, list[str]] = {}
    for each in clients:
        client_id, is_told, redirect_uri = each.partition("=")
        if not is_told:
            raise click.UsageError("--client is like wiki=http://localhost:9000/callback.")
        named.setdefault(client_id, []).append(redirect_uri)
    return named


def _furnish(port: int) -> None:
    """For a provider that is started otherwise, with the settings that it is started with."""
    from idp.commands import demo_provider
    from idp.provider import provider

    click.echo(demo_provider.furnish(provider(settings_from()), addresses_from(port)))


def _start_all(processes: Processes, settings: Settings, port: int, stop: threading.Event) -> None:
    """The products wait for their secrets, which the provider makes on the first start."""
    provider = _start([sys.executable, "-m", "idp.commands.demo_provider"], subprocess.PIPE)
    processes.append(provider)
    has_secrets = all(
        (settings.keys_dir / "clients" / f"{key}.secret").exists() for key in PRODUCTS
    )
    if has_secrets:
        processes.append(_start(_products(settings, port)))
    people = _told_by(provider)
    if not has_secrets:
        processes.append(_start(_products(settings, port)))
    if _wait_until_ready(port, processes, stop):
        _introduce(people, port)
        processes.append(_start([sys.executable, "-m", "idp.commands", "worker"]))
    _watch(processes, stop)


def _told_by(provider: subprocess.Popen[bytes]) -> str:
    """Who can sign in, said once the database holds them; a provider that can't look after its
    database has said why, and ends us as it ended."""
    assert provider.stdout
    told = provider.stdout.read().decode()
    if not told:
        sys.exit(provider.wait())
    return told


def _settings(port: int) -> Settings:
    """The demo's own address and inbox; everything else as the environment says."""
    return replace(
        settings_from(),
        issuer=f"http://{HOST}:{port}",
        host="127.0.0.1",
        port=port,
        demo_inbox=True,
        outgoing_networks=LOOPBACK,
    )


def _as_environment(settings: Settings) -> dict[str, str]:
    return {
        f"{PREFIX}ISSUER": settings.issuer,
        f"{PREFIX}HOST": settings.host,
        f"{PREFIX}PORT": str(settings.port),
        f"{PREFIX}DEMO_INBOX": "1",
        f"{PREFIX}OUTGOING_NETWORKS": settings.outgoing_networks,
    }


def addresses_from(port: int) -> dict[str, str]:
    """`issuer` and the products, at one port after the other."""
    numbered = enumerate(("issuer", *PRODUCTS))
    return {name: f"http://{HOST}:{port + number}" for number, name in numbered}


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


def _check_name() -> None:
    """Browsers find `localhost` by themselves; the products and we ask the machine."""
    try:
        socket.getaddrinfo(HOST, None, socket.AF_INET)
    except OSError as problem:
        raise SetupMistake(
            f"This machine does not know the name {HOST}. Add this line to /etc/hosts: "
            f"127.0.0.1 {HOST}"
        ) from problem


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


def _start(command: list[str], stdout: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """In a session of its own, so that Ctrl-C reaches us alone and we stop it in order."""
    return subprocess.Popen(command, start_new_session=True, stdout=stdout)


@contextlib.contextmanager
def _running() -> Iterator[Processes]:
    """However we end, what was started is stopped."""
    processes: Processes = []
    try:
        yield processes
    finally:
        for process in processes:
            _signal(process, signal.SIGTERM)
        for process in processes:
            _wait_or_kill(process)


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT)
    _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Its own children too, which it may have died without."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _wait_until_ready(port: int, processes: Processes, stop: threading.Event) -> bool:
    """However slow the machine is; told to stop, or with a process that has died, not."""
    addresses = addresses_from(port)
    waiting = [f"{addresses['issuer']}/jwks"]
    waiting += [f"{addresses[name]}/healthz" for name in PRODUCTS]
    mention_at = time.monotonic() + PATIENCE
    while waiting and not stop.is_set():
        if any(process.poll() is not None for process in processes):
            return False
        if time.monotonic() > mention_at:
            click.echo(f"Still waiting for {', '.join(waiting)}.", err=True)
            mention_at += PATIENCE
        waiting = [address for address in waiting if not _answers(address)]
        stop.wait(0.02)
    return not waiting


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=2) as answer:  # noqa: S310 - an address of our own
            return bool(answer.status == 200)
    except (OSError, HTTPException):  # nobody is there yet; or we are, by a port of our own
        return False


def _watch(processes: Processes, stop: threading.Event) -> None:
    """Until Ctrl-C, or until one of the processes has died."""
    while not stop.wait(0.2):
        if any(process.poll() is not None for process in processes):
            click.echo("A process has stopped; its words are above.", err=True)
            return


def _introduce(people: str, port: int) -> None:
    addresses = addresses_from(port)
    click.echo(f"\nLatchkey is running. Open {click.style(addresses['issuer'], bold=True)}\n")
    names = {"lms": "LMS", "payments": "Secure Payments", "connections": "Connections"}
    for key in PRODUCTS:
        click.echo(f"  {names[key]:<17} {addresses[key]}")
    click.echo(f"  {'Mail and SMS':<17} {addresses['issuer']}/inbox")
    click.echo(people, nl=False)
    click.echo("Ctrl-C stops everything.")
