"""`idp apply` and `idp export`: the directory as a file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from idp import migrations, setup
from idp.provider import provider
from idp.settings import settings_from


@click.command()
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option(
    "--env", "names", multiple=True, metavar="NAME", help="A variable that ${NAME} stands for."
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--schema", is_flag=True, help="Print the file's JSON Schema.")
def apply(file: Path | None, names: tuple[str, ...], dry_run: bool, schema: bool) -> None:
    """Create or update what FILE (YAML or JSON) describes; a second run changes nothing."""
    if schema:
        click.echo(json.dumps(setup.json_schema(), indent=2))
        return
    if file is None:
        raise click.UsageError("Name the file to apply.")
    held = provider(settings_from())
    migrations.check_schema(held.database)
    described = setup.parse(file, _variables(names))
    applied = setup.apply(held, described, held.clock(), dry_run=dry_run, base_dir=file.parent)
    for change in applied.changes:
        click.echo(str(change))
    for client_id, secret in applied.secrets.items():
        click.echo(f"The secret of {client_id}, shown once: {secret}")
    if not applied.changes:
        click.echo("Nothing to change.")


def _variables(names: tuple[str, ...]) -> dict[str, str]:
    """Of the environment those alone that whoever runs the command has named: a file that somebody
    else wrote could ask for any secret there, and have it sent to an address of theirs."""
    for name in names:
        if name not in os.environ:
            raise click.UsageError(f"The environment has no {name}.")
    return {name: os.environ[name] for name in names}


@click.command()
def export() -> None:
    """Write the directory in the form that `idp apply` reads, with all secrets left out."""
    held = provider(settings_from())
    sys.stdout.write(setup.to_yaml(setup.export(held)))
