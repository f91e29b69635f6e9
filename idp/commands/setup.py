"""`idp apply` and `idp export`: the directory as a file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from idp import migrations, setup
from idp.provider import provider
from idp.settings import PREFIX, settings_from


@click.command()
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--schema", is_flag=True, help="Print the file's JSON Schema.")
def apply(file: Path | None, dry_run: bool, schema: bool) -> None:
    """Create or update what FILE (YAML or JSON) describes; a second run changes nothing."""
    if schema:
        click.echo(json.dumps(setup.json_schema(), indent=2))
        return
    if file is None:
        raise click.UsageError("Name the file to apply.")
    held = provider(settings_from())
    migrations.check_current(held.database)
    described = setup.parse(file, _variables())
    applied = setup.apply(held, described, held.clock(), dry_run=dry_run, base_dir=file.parent)
    for change in applied.changes:
        click.echo(str(change))
    for client_id, secret in applied.secrets.items():
        click.echo(f"The secret of {client_id}, shown once: {secret}")
    if not applied.changes:
        click.echo("Nothing to change.")


def _variables() -> dict[str, str]:
    """Of the environment, for `${NAME}` in a file; our own settings are nobody's to write there."""
    return {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}


@click.command()
def export() -> None:
    """Write the directory in the form that `idp apply` reads, with all secrets left out."""
    held = provider(settings_from())
    sys.stdout.write(setup.to_yaml(setup.export(held)))
