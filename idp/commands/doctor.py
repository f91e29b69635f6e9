"""`idp doctor`: what is wrong with a set-up, and how to mend it."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import sqlalchemy as sa

from idp.errors import SetupMistake
from idp.operators import health
from idp.provider import provider
from idp.secret_values import MASTER_KEY_FILE
from idp.settings import Settings, settings_from


@click.command()
def doctor() -> None:
    """Look at settings, keys, database and Redis, and say what to mend."""
    settings = settings_from()
    missing = _missing_files(settings)
    if missing:
        raise SetupMistake(missing)
    held = provider(settings)
    faults = [found.fault for found in health.examine(held) if found.fault]
    for fault in faults:
        click.echo(f"✗ {fault}")
    if faults:
        sys.exit(1)
    click.echo(f"✓ {held.settings.issuer} is set up well.")


def _missing_files(settings: Settings) -> str:
    """Asked first, since whoever opens them makes them."""
    url = sa.make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return f"There is no database at {url.database}: run `idp db upgrade`."
    if not (settings.keys_dir / MASTER_KEY_FILE).exists():
        return (
            f"There is no {settings.keys_dir / MASTER_KEY_FILE}: `idp serve` makes the first one."
        )
    return ""
