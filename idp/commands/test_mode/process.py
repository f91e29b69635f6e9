"""The process of `idp demo --test`: makes a provider of its own, says where it is, serves until it
is told to stop, and leaves nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import orjson

from idp.commands import all_kept
from idp.errors import SetupMistake
from idp.settings import FILE, PREFIX, Settings

ADDRESS, NAME = "127.0.0.1", "localhost"
LOOPBACK = "127.0.0.0/8, ::1/128"
OF_AN_INSTALLATION = ("DATABASE_URL", "REDIS_URL", "KEYS_DIR", "SMTP_URL", "SMS_URL")
MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
TOKEN_BYTES = 32


def serve_test(port: int, clients: dict[str, list[str]], file: Path | None, *, tied: bool) -> None:
    """Until a signal, or if `tied`, until standard input ends: whoever started it is gone. Raises
    SetupMistake."""
    _check_environment()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    with _listening(port) as provider, _listening(0) as control, _folder() as folder:
        with all_kept():
            trial, pages = _made(folder, provider.getsockname()[1], clients, file)
        with _serving(trial, pages, provider, control) as token:
            _tell(trial, control, token)
            if tied:
                threading.Thread(target=_await_end, args=(stop,), daemon=True).start()
            stop.wait()
    os._exit(0)  # nothing is left to be put away


def _check_environment() -> None:
    """Nothing of an installation is read here; where one is set up, somebody is mistaken."""
    names = [PREFIX + name + end for name in OF_AN_INSTALLATION for end in ("", FILE)]
    found = [name for name in names if name in os.environ]
    if found:
        raise SetupMistake(
            f"This is where an installation is set up ({', '.join(found)}), and a test brings all"
            " of its own: start it where that is not set."
        )


def _listening(port: int) -> socket.socket:
    """Whoever comes before we are ready waits. Raises SetupMistake."""
    try:
        return socket.create_server((ADDRESS, port), backlog=128)
    except OSError as problem:
        raise SetupMistake(f"Port {port} can't be used: {problem.strerror}.") from problem


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Where files cost no disk, unless TMPDIR says where. It goes with all that is in it."""
    place = MEMORY if os.access(MEMORY, os.W_OK) and "TMPDIR" not in os.environ else None
    with tempfile.TemporaryDirectory(prefix="latchkey-test-", dir=place) as folder:
        yield Path(folder)


def _made(
    folder: Path, port: int, clients: dict[str, list[str]], file: Path | None
) -> tuple[Any, Any]:
    """The provider and its pages. The schema and the keys are made while the rest is imported: in
    a process of its own, which ends with them."""
    from idp import migrations
    from idp.commands.serve import prepare
    from idp.commands.test_mode.clock import MovableClock
    from idp.provider import provider

    clock = MovableClock()
    held = provider(_settings(folder, port), clock)

    def prepared() -> None:
        migrations.upgrade(held.database)
        prepare(held)

    with _meanwhile(prepared):
        from idp import logs, setup
        from idp.app import create_pages
        from idp.commands.test_mode.captured import Post
        from idp.commands.test_mode.trial import Trial

        logs.configure(held.settings.log_level)
        pages = create_pages(held)
        pages.jinja_env.globals["is_test"] = True
        trial = Trial(held, clock, Post(held, pages), folder)
    if file:
        trial.apply(setup.load(file), str(file), file.parent)
    for name, redirect_uris in clients.items():
        trial.declare_client({"client_id": name, "redirect_uris": redirect_uris})
    trial.keep_as_it_is()
    return trial, pages


def _settings(folder: Path, port: int) -> Settings:
    """None of them comes from the environment."""
    return Settings(
        issuer=f"http://{NAME}:{port}",
        database_url=f"sqlite:///{folder / 'latchkey.db'}",
        keys_dir=folder / "keys",
        port=port,
        log_level="WARNING",
        demo_inbox=True,
        outgoing_networks=LOOPBACK,
        argon2_memory_kib=64,
        argon2_time_cost=1,
    )


@contextlib.contextmanager
def _meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """`work` is done by a copy of this process, and is done afterwards. Raises SetupMistake."""
    copy = os.fork()
    if not copy:
        try:
            work()
        except BaseException:  # noqa: BLE001  # nothing of it may go on in the copy
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    try:
        yield
    finally:
        _, status = os.waitpid(copy, 0)
    if status:
        raise SetupMistake("The database could not be made; why is said above.")


@contextlib.contextmanager
def _serving(
    trial: Any, pages: Any, provider: socket.socket, control: socket.socket
) -> Iterator[str]:
    """The token that whoever controls it sends."""
    from idp.commands.test_mode.control import Control
    from idp.commands.test_mode.gate import by_our_names
    from idp.commands.test_mode.server import serving
    from idp.endpoints.router import Router

    token = secrets.token_urlsafe(TOKEN_BYTES)
    app = trial.post.after_answers(Router(trial.held, pages.wsgi_app))
    controls = Control(trial, control.getsockname()[1], token)
    trial.post.begin()
    with serving(by_our_names(app, trial.held.settings.port), provider), serving(controls, control):
        yield token


def _tell(trial: Any, control: socket.socket, token: str) -> None:
    where = f"http://{NAME}:{control.getsockname()[1]}"
    click.echo(orjson.dumps({**trial.told(), "control": where, "token": token}))


def _await_end(stop: threading.Event) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    stop.set()
