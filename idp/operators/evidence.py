"""The evidence of a tenant's end, for whoever has to show it later: a ZIP that needs nothing of
ours to be checked but the provider's public keys, and those are in it too.

`manifest.json` has the SHA-256 of every other file; `statement.jws` is the manifest, signed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

import orjson
import sqlalchemy as sa

from idp import evidence
from idp.directory.acting import NotFound
from idp.directory.operating import Operation
from idp.directory.tenants import Tenant
from idp.operators.ending import TenantEnding, TenantEndingFile
from idp.tokens.signed_tokens import TENANT_ENDING, mint
from idp.tokens.signing_keys import KeyRing

ALG = "ES256"
MANIFEST, STATEMENT, KEYS, AUDIT = "manifest.json", "statement.jws", "keys.json", "audit.jsonl"


def pack(operation: Operation, tenant: Tenant, ring: KeyRing, issuer: str) -> IO[bytes]:
    """A ZIP, in a nameless file that is gone when the caller closes it. Raises Forbidden,
    NotFound for a tenant that goes on, or Broken for one whose audit log was changed."""
    operation.check("tenants.manage")
    ending = operation.rows.get(TenantEnding, tenant.id)
    if ending is None:
        raise NotFound("the tenant has not ended")
    operation.record("tenant.evidence_taken", tenant=tenant.id)
    packed = TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        _write(operation, tenant, ending, ring, issuer, packed)
    except BaseException:
        packed.close()
        raise
    packed.seek(0)
    return packed


def _write(
    operation: Operation,
    tenant: Tenant,
    ending: TenantEnding,
    ring: KeyRing,
    issuer: str,
    target: IO[bytes],
) -> None:
    signer = ring.signer(ALG, operation.now)
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        files = {name: _put(archive, name, lines) for name, lines in _contents(operation, tenant)}
        chain = evidence.export(
            operation.database, ring, issuer, tenant.id, tenant.slug, operation.now
        )
        files[AUDIT] = _put(archive, AUDIT, chain)
        files[KEYS] = _put(archive, KEYS, [orjson.dumps({"keys": [signer.public_jwk]})])
        claims = _claims(operation, tenant, ending, issuer, files)
        _put(archive, MANIFEST, [orjson.dumps(claims, option=orjson.OPT_INDENT_2)])
        _put(archive, STATEMENT, [mint(signer, TENANT_ENDING, claims).encode()])


def _contents(operation: Operation, tenant: Tenant) -> Iterator[tuple[str, Iterator[bytes]]]:
    """What was written down when the tenant ended."""
    kept = sa.select(TenantEndingFile).where(TenantEndingFile.tenant_id == tenant.id)
    for file in operation.rows.scalars(kept.order_by(TenantEndingFile.name)):
        yield file.name, iter([zlib.decompress(file.packed)])


def _put(archive: ZipFile, name: str, lines: Any) -> dict[str, Any]:
    """What the manifest says of the file."""
    digest, size, count = sha256(), 0, 0
    with archive.open(name, "w", force_zip64=True) as file:
        for line in lines:
            file.write(line)
            digest.update(line)
            size, count = size + len(line), count + line.count(b"\n")
    return {"sha256": digest.hexdigest(), "bytes": size, "lines": count}


def _claims(
    operation: Operation,
    tenant: Tenant,
    ending: TenantEnding,
    issuer: str,
    files: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    return {
        "iss": issuer,
        "iat": int(operation.now),
        "tenant_id": tenant.id,
        "tenant": tenant.slug,
        "tenant_name": tenant.name,
        "ended_at": ending.ended_at,
        "ended_by": ending.ended_by,
        "ended": ending.counts,
        "files": files,
    }
