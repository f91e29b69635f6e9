"""`idp db`: the schema."""

from __future__ import annotations

import click

from idp import migrations
from idp.database import Database
from idp.directory import lost_addresses
from idp.errors import SetupMistake
from idp.schema_version import schema_of
from idp.secret_values import secret_keys
from idp.settings import settings_from


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
def upgrade() -> None:
    """Bring the database to the newest schema, and say whose address is none by today's rules; any
    number of processes may ask at once. One that is newer, and lets this version serve, stays."""
    database = _database()
    migrations.upgrade(database)
    click.echo(schema_of(database).told())
    lost = lost_addresses.find(database)
    if lost:
        click.echo(
            f"✗ {len(lost)} accounts have an address that leads to nobody by today's rules, so"
            " their people can't sign in with it (docs/operate.md, Upgrading). Their ids: "
            + ", ".join(lost)
        )


@db.command()
def check() -> None:
    """Say whether the database has exactly the schema that this version expects."""
    database = _database()
    migrations.check_schema(database)
    found = migrations.differences(database)
    if found:
        raise SetupMistake("The schema differs: " + "; ".join(map(str, found)))
    click.echo("The database has the newest schema, and nothing besides.")


def _database() -> Database:
    settings = settings_from()
    keys = secret_keys(settings.keys_dir)
    return Database(settings.database_url, settings.database_pool, keys.seal)
