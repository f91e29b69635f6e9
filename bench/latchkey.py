"""Latchkey as it is served: `idp serve`, one process, on either kind of storage."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.directory import furnish
from bench.systems import System, python_module
from idp import migrations
from idp.commands.serve import prepare
from idp.provider import provider
from idp.settings import PREFIX, Settings
from tests.machine.processes import LOOPBACK, free_port

TOKEN_LIFETIME = 3600


def latchkey(
    name: str,
    folder: Path,
    core: int,
    threads: int,
    database_url: str,
    redis_url: str = "",
    **changed: Any,
) -> System:
    """A furnished provider, not yet started. Everything that is neither named here nor `changed` is
    the default."""
    port = free_port()
    settings = Settings(
        issuer=f"http://{LOOPBACK}:{port}",
        port=port,
        threads=threads,
        database_url=database_url,
        redis_url=redis_url,
        keys_dir=folder / "keys",
        access_token_lifetime=TOKEN_LIFETIME,  # one token serves a whole run
        **changed,
    )
    held = provider(settings)
    migrations.upgrade(held.database)
    furnish(held)
    prepare(held)
    return serving(name, settings, core, folder)


def serving(name: str, settings: Settings, core: int, folder: Path) -> System:
    """A provider whose database is ready, not yet started."""
    command = python_module("idp.commands", "serve")
    return System(name, _environment(settings), command, settings.port, core, folder)


def _environment(settings: Settings) -> dict[str, str]:
    """What differs from the defaults."""
    values = {field.name: getattr(settings, field.name) for field in fields(Settings)}
    changed = {n: v for n, v in values.items() if v != getattr(Settings(), n)}
    return {PREFIX + name.upper(): str(value) for name, value in changed.items()}
