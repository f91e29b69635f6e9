"""`idp keys`: the keys that sign tokens, and those that encrypt what is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from idp import resealing, secret_values
from idp.errors import SetupMistake
from idp.provider import Provider, provider
from idp.settings import settings_from
from idp.tokens import signing_keys
from idp.tokens.key_pairs import ALGORITHMS
from idp.tokens.key_states import known_keys


@click.group()
def keys() -> None:
    """The keys that sign tokens, and those that encrypt what is kept."""


@keys.command("list")
def list_keys() -> None:
    """Every key with its state."""
    held = _provider()
    now = held.clock()
    ring = held.key_ring.current(now)
    with held.database.session(read_only=True) as session:
        rows = known_keys(session, ring, now)
    for row in rows:
        made = datetime.fromtimestamp(row.created_at, UTC).strftime("%Y-%m-%d %H:%M")
        click.echo(f"{row.alg:<8} {row.kid:<55} {made}  {row.state}")


@keys.command()
@click.argument("alg", type=click.Choice([*ALGORITHMS, "all"]), default="all")
def rotate(alg: str) -> None:
    """Make the next key: published now, signing once every product can know it."""
    held = _provider()
    lead = held.settings.signing_key_lead
    for name in ALGORITHMS if alg == "all" else (alg,):
        with held.database.transaction() as db:
            kid = signing_keys.rotate(db, held.secret_keys, name, lead, held.clock())
        click.echo(
            f"{name}: {kid} signs in {lead} seconds." if kid else f"{name}: one is waiting already."
        )


@keys.command()
@click.argument("kid")
@click.confirmation_option(prompt="Every token that this key signed dies at once. Go on?")
def revoke(kid: str) -> None:
    """In an emergency: unpublish a key and sign with a new one at once."""
    held = _provider()
    with held.database.transaction() as db:
        if not signing_keys.revoke(db, held.secret_keys, kid, held.clock()):
            raise SetupMistake(f"There is no key {kid}, or it is revoked already.")
    click.echo(f"{kid} is revoked.")


@keys.command()
@click.argument("name")
def make_sealing_key(name: str) -> None:
    """Make a key that can encrypt what is kept; nothing is, until LATCHKEY_SEALING_KEY names it."""
    path = secret_values.make_sealing_key(settings_from().keys_dir, name)
    click.echo(f"{path} is made. Copy it to every machine, then set LATCHKEY_SEALING_KEY={name}.")


@keys.command()
def reencrypt() -> None:
    """Encrypt everything by the key that LATCHKEY_SEALING_KEY names, once every process does."""
    held = _provider()
    resealing.check_keys(held.database, held.secret_keys, held.clock())
    done = resealing.reencrypt(held.database, held.secret_keys, held.clock())
    for table, count in done.items():
        click.echo(f"{table}: {count}")
    left = resealing.count_others(held.database, held.secret_keys)
    if left:
        raise SetupMistake(f"{left} were written by another key meanwhile. Restart, and go on.")
    click.echo("Everything that lasts is encrypted by the key of the settings.")


def _provider() -> Provider:
    return provider(settings_from())
