"""The `idp` command. Each group of commands is imported when it is asked for."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from idp.errors import Refusal, SetupMistake

COMMANDS = {
    "demo": ("idp.commands.demo", "demo"),
    "serve": ("idp.commands.serve", "serve"),
    "worker": ("idp.commands.serve", "worker"),
    "backup": ("idp.commands.backups", "backup"),
    "restore": ("idp.commands.backups", "restore"),
    "db": ("idp.commands.database", "db"),
    "keys": ("idp.commands.keys", "keys"),
    "registration-tokens": ("idp.commands.registration", "registration_tokens"),
    "apply": ("idp.commands.setup", "apply"),
    "seed": ("idp.commands.seed", "seed"),
    "export": ("idp.commands.setup", "export"),
    "audit": ("idp.commands.audit", "audit"),
    "doctor": ("idp.commands.doctor", "doctor"),
}


class _Commands(click.Group):
    """Knows the names at once and the code only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        with all_kept():
            command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_Commands)
@click.version_option(package_name="latchkey")
def idp() -> None:
    """Latchkey, an OpenID Connect identity provider."""


def main() -> None:
    with mistakes_told():
        idp(prog_name="idp")


@contextmanager
def all_kept() -> Iterator[None]:
    """For imports: they leave no garbage, and looking for it takes a tenth of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def mistakes_told() -> Iterator[None]:
    """What an operator can mend is said in a sentence, not in a trace."""
    try:
        yield
    except SetupMistake as mistake:
        click.echo(f"idp: {mistake}", err=True)
        sys.exit(2)
    except Refusal as refusal:
        click.echo(f"idp: {refusal.detail}", err=True)
        sys.exit(1)
