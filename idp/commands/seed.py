"""`idp seed`: a provider of any size, to try things on."""

from __future__ import annotations

import time

import click

from idp import migrations
from idp.provider import provider
from idp.settings import settings_from
from idp.setup import seeding


@click.command()
@click.option("--users", default=100_000, show_default=True, help="How many people.")
@click.option("--tenants", default=1_000, show_default=True, help="How many companies they are in.")
def seed(users: int, tenants: int) -> None:
    """Fill an empty database with made-up companies and people, who can't sign in."""
    held = provider(settings_from())
    migrations.check_schema(held.database)
    began = time.monotonic()

    def told(made: int) -> None:
        click.echo(f"{made:>9,} people, {time.monotonic() - began:.0f} s")

    seeding.seed(held.database, users, tenants, held.clock(), told)
