"""`idp audit`: is the audit log whole, and exports that others can verify."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click
import sqlalchemy as sa

from idp import audit_inspection, evidence, migrations
from idp.audit_chain import PLATFORM
from idp.audit_inspection import Fault
from idp.directory.tenants import Tenant
from idp.errors import SetupMistake
from idp.provider import Provider, provider
from idp.settings import settings_from

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """The audit log."""


@audit.command()
@click.argument("file", type=_FILE, required=False)
@click.option("--jwks", type=_FILE, help="The provider's public keys, as /jwks gives them.")
@click.option("--tenant", metavar="SLUG", help="This tenant's chain alone.")
def verify(file: Path | None, jwks: Path | None, tenant: str | None) -> None:
    """Say whether the log is whole, or what was done to it; FILE is an export, checked with nothing
    but the keys."""
    if (file is None) != (jwks is None) or (file and tenant):
        raise click.UsageError("An export is verified with FILE and --jwks, and with no --tenant.")
    is_whole = _verify_file(file, jwks) if file and jwks else _verify_log(tenant)
    if not is_whole:
        sys.exit(1)


@audit.command()
@click.option("--tenant", metavar="SLUG", help="Whose; without it, the platform's own.")
@click.option("--first", type=int, default=1, help="The first event; the default is the first.")
@click.option("--last", type=int, help="The last event; the default is the newest.")
def export(tenant: str | None, first: int, last: int | None) -> None:
    """Write a chain with its proof to standard output, for `idp audit verify FILE`."""
    held = _provider()
    chain = PLATFORM if tenant is None else _tenant_id(held, tenant)
    now = held.clock()
    ring, issuer = held.key_ring.current(now), held.settings.issuer
    for line in evidence.export(held.database, ring, issuer, chain, tenant, now, first, last):
        sys.stdout.buffer.write(line)


def _verify_log(tenant: str | None) -> bool:
    held = _provider()
    names = _tenants(held)
    if tenant is None:
        reports = audit_inspection.inspect_all(held.database)
    else:
        reports = iter([audit_inspection.inspect(held.database, _tenant_id(held, tenant))])
    results = [
        _say(names.get(report.chain, report.chain), f"{report.events} events", report.faults)
        for report in reports
    ]
    return all(results)


def _verify_file(file: Path, jwks: Path) -> bool:
    try:
        keys = json.loads(jwks.read_text())
    except ValueError as problem:
        raise SetupMistake(f"{jwks} is no JSON: {problem}") from problem
    claims, faults = evidence.verify(file, keys)
    at = datetime.fromtimestamp(claims["iat"], UTC).isoformat(sep=" ")
    whose = claims["tenant"] or claims["chain"]
    span = f"events {claims['first']} to {claims['last']}, signed by {claims['iss']} at {at}"
    return _say(whose, span, faults)


def _say(whose: str, what: str, faults: Iterable[Fault]) -> bool:
    """A line for each fault; True if there is none."""
    lines = [f"✗ {whose}: {fault}" for fault in faults]
    for line in lines or [f"✓ {whose}: {what}, whole"]:
        click.echo(line)
    return not lines


def _tenants(held: Provider) -> dict[str, str]:
    """Slugs by id."""
    with held.database.session() as session:
        return {row.id: row.slug for row in session.execute(sa.select(Tenant.id, Tenant.slug))}


def _tenant_id(held: Provider, slug: str) -> str:
    for tenant_id, name in _tenants(held).items():
        if name == slug:
            return tenant_id
    raise SetupMistake(f"There is no tenant {slug}.")


def _provider() -> Provider:
    held = provider(settings_from())
    migrations.check_current(held.database)
    return held
