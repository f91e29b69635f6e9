"""`idp doctor`: what is wrong with a set-up, and how to mend it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
import sqlalchemy as sa

from idp import migrations
from idp.errors import Refusal, SetupMistake
from idp.provider import Provider, provider
from idp.secret_values import MASTER_KEY_FILE
from idp.settings import Settings, settings_from
from idp.tokens.signing_keys import ALGORITHMS


@click.command()
def doctor() -> None:
    """Look at settings, keys, database and Redis, and say what to mend."""
    settings = settings_from()
    missing = _missing_files(settings)
    if missing:
        raise SetupMistake(missing)
    held = provider(settings)
    faults = [fault for check in CHECKS if (fault := _fault(check, held))]
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


def _fault(check: Callable[[Provider], str | None], held: Provider) -> str | None:
    try:
        return check(held)
    except SetupMistake as mistake:
        return str(mistake)
    except Refusal as refusal:
        return refusal.detail


def _database(held: Provider) -> str | None:
    migrations.check_current(held.database)
    return None


def _ephemeral(held: Provider) -> str | None:
    held.ephemeral.ping()
    return None


def _signing_keys(held: Provider) -> str | None:
    now = held.clock()
    ring = held.key_ring.current(now)
    for alg in ALGORITHMS:
        ring.signer(alg, now)
    return None


def _catalog(held: Provider) -> str | None:
    if held.catalog.current(held.clock()).clients:
        return None
    return "No client is registered: describe your products in a file and run `idp apply FILE`."


def _mail(held: Provider) -> str | None:
    if held.settings.smtp_url or held.settings.demo_inbox:
        return None
    return "No mail can be sent: set LATCHKEY_SMTP_URL."


CHECKS = (_database, _ephemeral, _signing_keys, _catalog, _mail)
