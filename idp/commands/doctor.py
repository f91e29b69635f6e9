"""`idp doctor`: what is wrong with a set-up, and how to mend it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import sqlalchemy as sa

from idp import restorations
from idp.errors import SetupMistake
from idp.operators import health
from idp.provider import Provider, provider
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
    faults = {found.name: found.fault for found in health.examine(held) if found.fault}
    if "database" not in faults:
        _tell_of_restoration(held)
    for fault in faults.values():
        click.echo(f"✗ {fault}")
    if faults:
        sys.exit(1)
    click.echo(f"✓ {held.settings.issuer} is set up well.")


def _tell_of_restoration(held: Provider) -> None:
    """No fault, but whoever looks for one wants to know."""
    with held.database.connection() as db:
        latest = restorations.find_latest(db)
    if latest:
        made_at, restored_at = (
            datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") for at in latest
        )
        click.echo(f"· Restored on {restored_at} from a backup of {made_at}.")


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
