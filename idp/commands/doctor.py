"""`idp doctor`: what is wrong with a set-up, and how to mend it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson
import sqlalchemy as sa

from idp import audit_inspection, restorations
from idp.errors import SetupMistake
from idp.operators import health, surroundings
from idp.operators.health import Finding
from idp.provider import Provider, provider
from idp.schema_version import HEAD, schema_of
from idp.secret_values import MASTER_KEY_FILE
from idp.settings import Settings, settings_from


@click.command()
@click.option("--serving", is_flag=True, help="It serves: look whether it is reached, and works.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(serving: bool, as_json: bool) -> None:
    """Look at settings, keys, database, Redis and the mail server, and say what to mend."""
    settings = settings_from()
    missing = _missing_files(settings)
    if missing:
        raise SetupMistake(missing)
    held = provider(settings)
    found = _examined(held, serving)
    faults = [each.fault for each in found if each.fault]
    notes = _notes(held) if all(each.name != "database" or not each.fault for each in found) else []
    if as_json:
        findings = [each._asdict() for each in found]
        click.echo(orjson.dumps({"findings": findings, "notes": notes}))
    else:
        for line in (*(f"· {note}" for note in notes), *(f"✗ {fault}" for fault in faults)):
            click.echo(line)
        if not faults:
            click.echo(f"✓ {held.settings.issuer} is set up well.")
    sys.exit(1 if faults else 0)


def _examined(held: Provider, serving: bool) -> list[Finding]:
    """Without a database that can be used nothing is said of what it holds."""
    found = health.examine(held)
    if any(each.name == "database" and each.fault for each in found):
        return found
    more = {**surroundings.OF_SET_UP, **(surroundings.OF_SERVING if serving else {})}
    return [*found, *health.examine_by(more, held)]


def _notes(held: Provider) -> list[str]:
    """No faults, but whoever looks for one wants to know."""
    spare = (
        f"Nothing that is kept needs sealing-{name}.key: take it away when the last process that"
        " encrypted by it ended a day ago."
        for name in surroundings.spare_keys(held)
    )
    schema = schema_of(held.database)
    newer = [] if schema.revision == HEAD else [schema.told()]
    return [*newer, *_restored(held), *_looked_at(held), *spare]


def _restored(held: Provider) -> list[str]:
    with held.database.connection() as db:
        latest = restorations.find_latest(db)
    if not latest:
        return []
    made_at, restored_at = (
        datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") for at in latest
    )
    return [f"Restored on {restored_at} from a backup of {made_at}."]


def _looked_at(held: Provider) -> list[str]:
    most = surroundings.NEWEST
    if not audit_inspection.is_longer_than(held.database, most):
        return []
    looked_at = f"Of the audit log the newest {most:,} events were looked at"
    return [f"{looked_at}: `idp audit verify` reads all."]


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
