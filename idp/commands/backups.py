"""`idp backup` and `idp restore`: the whole database as a file, and back."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click

from idp.backups import backup_file, restoring, taking
from idp.backups.backup_file import Header
from idp.backups.restoring import EVERYBODY, Restored
from idp.database import Database
from idp.directory.users import canonical_email
from idp.ephemeral_redis import RedisEphemeral
from idp.errors import SetupMistake
from idp.secret_values import MASTER_KEY_FILE, SecretKeys, secret_keys
from idp.settings import Settings, settings_from

ALL = "all"
LOOK_AT = """What was changed since the backup is as it was before. See anew to what was a guard:
  people that were disabled, roles and memberships that were taken away;
  access to other companies that was ended;
  passwords that were changed and second factors that were removed or reset (--new-passwords);
  clients, identity providers and their secrets that were removed or disabled;
  companies that were suspended or ended."""


class _Parts(NamedTuple):
    settings: Settings
    keys: SecretKeys
    database: Database


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write all that is in the database to FILE, while the provider runs."""
    settings, keys, database = _parts()
    taken = taking.take(database, keys, settings.issuer, file, time.time())
    click.echo(f"{file}: {taken.tables} tables, {taken.size:,} bytes.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Put it in the place of all that is there.")
@click.option(
    "--new-passwords",
    metavar="all|FILE",
    help="Whose password opens nothing until it is replaced: everybody's, or an address a line.",
)
def restore(file: Path, replace: bool, new_passwords: str | None) -> None:
    """Put the database back as it was when FILE was made, into an empty one. Every sign-in, token,
    code and link of before is dead."""
    settings, keys, database = _parts()
    named = _addresses(new_passwords)
    with backup_file.opened(file, keys) as opened:
        redis = RedisEphemeral(settings.redis_url) if settings.redis_url else None
        restored = restoring.restore(
            *(database, keys, opened, time.time),
            redis=redis,
            replace=replace,
            new_passwords=named,
        )
    _tell(opened.header, restored, settings)


def _parts() -> _Parts:
    """Never makes a master key: a new one would open no backup, and vouch for none."""
    settings = settings_from()
    path = settings.keys_dir / MASTER_KEY_FILE
    if not path.exists():
        raise SetupMistake(f"There is no {path}: put the one there that the provider runs with.")
    keys = secret_keys(settings.keys_dir, settings.sealing_key)
    return _Parts(settings, keys, Database(settings.database_url, seal=keys.seal))


def _addresses(named: str | None) -> list[str] | None:
    """Raises SetupMistake for a line that is no address: a guard that misses somebody is none."""
    if named == ALL:
        return EVERYBODY
    try:
        lines = Path(named).read_text().split() if named else []
    except (OSError, UnicodeDecodeError) as problem:
        raise SetupMistake(f"{named} can't be read: {problem}") from problem
    addresses = [canonical_email(line) for line in lines]
    if None in addresses:
        raise SetupMistake(f"{named}: {lines[addresses.index(None)]} is no e-mail address.")
    return [address for address in addresses if address]


def _tell(header: Header, restored: Restored, settings: Settings) -> None:
    made = datetime.fromtimestamp(header.made_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    click.echo(f"Restored: {restored.rows:,} rows, as they were on {made}.")
    click.echo("Every sign-in, token, code, link and recovery code of before is dead.")
    if header.issuer != settings.issuer:
        click.echo(f"✗ The backup is of {header.issuer}, and the issuer here is {settings.issuer}.")
    if restored.worn_out:
        click.echo(f"{restored.worn_out:,} passwords have to be replaced by way of a letter.")
    for address in restored.unknown:
        click.echo(f"✗ Nobody with the address {address} had a password then.")
    click.echo(LOOK_AT)
