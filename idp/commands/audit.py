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
from idp.audit_chain import PLATFORM, Head
from idp.audit_walk import Fault
from idp.canonical_json import canonical_json
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
@click.option("--heads", type=_FILE, help="What `idp audit heads` wrote: is each event there?")
def verify(file: Path | None, jwks: Path | None, tenant: str | None, heads: Path | None) -> None:
    """Say whether the log is whole, or what was done to it; FILE is an export, checked with nothing
    but the keys."""
    if (file is None) != (jwks is None) or (file and (tenant or heads)):
        raise click.UsageError("An export is verified with FILE and --jwks alone.")
    is_whole = _verify_file(file, jwks) if file and jwks else _verify_log(tenant)
    if heads and not _verify_heads(heads):
        is_whole = False
    if not is_whole:
        sys.exit(1)


@audit.command()
def heads() -> None:
    """Write where each chain ends, to be kept on another machine for `idp audit verify --heads`."""
    for head in audit_inspection.heads(_provider().database):
        click.echo(canonical_json({"chain": head.chain, "seq": head.seq, "digest": head.digest}))


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
        _say(names.get(report.chain, report.chain), f"{report.events} events, whole", report.faults)
        for report in reports
    ]
    return all(results)


def _verify_heads(file: Path) -> bool:
    held = _provider()
    names = _tenants(held)
    results = []
    for head in _heads_of(file):
        faults = audit_inspection.set_back(held.database, [head])
        where = f"event {head.seq} is as it was kept"
        results.append(_say(names.get(head.chain, head.chain), where, faults))
    return all(results)


def _heads_of(file: Path) -> list[Head]:
    """Raises SetupMistake for what is no such file: an empty one would vouch for anything."""
    try:
        read = [json.loads(line) for line in file.read_text().splitlines()]
        kept = [Head(str(each["chain"]), int(each["seq"]), str(each["digest"])) for each in read]
    except (ValueError, TypeError, KeyError) as problem:
        raise SetupMistake(f"{file} is not what `idp audit heads` writes: {problem}") from problem
    if not kept:
        raise SetupMistake(f"{file} has no heads in it.")
    return kept


def _verify_file(file: Path, jwks: Path) -> bool:
    try:
        keys = json.loads(jwks.read_text())
    except ValueError as problem:
        raise SetupMistake(f"{jwks} is no JSON: {problem}") from problem
    claims, faults = evidence.verify(file, keys)
    at = datetime.fromtimestamp(claims["iat"], UTC).isoformat(sep=" ")
    whose = claims["tenant"] or claims["chain"]
    span = f"events {claims['first']} to {claims['last']}, signed by {claims['iss']} at {at}, whole"
    return _say(whose, span, faults)


def _say(whose: str, what: str, faults: Iterable[Fault]) -> bool:
    """A line for each fault; True if there is none."""
    lines = [f"✗ {whose}: {fault}" for fault in faults]
    for line in lines or [f"✓ {whose}: {what}"]:
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
    migrations.check_schema(held.database)
    return held
