"""The evidence of a tenant's end, for whoever has to show it later: a ZIP that needs nothing of
ours to be checked but the provider's public keys, and those are in it too.

`manifest.json` has the SHA-256 of every other file; `statement.jws` is the manifest, signed. What
was written down at the end is held against its digests in the audit log, which is sealed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
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
from idp.errors import Refusal, told
from idp.operators.winding_up import TenantEndingFile
from idp.tokens.signed_tokens import TENANT_ENDING, mint
from idp.tokens.signing_keys import KeyRing

ALG = "ES256"
MANIFEST, STATEMENT, KEYS, AUDIT = "manifest.json", "statement.jws", "keys.json", "audit.jsonl"
ENDED, MADE = "tenant.ended", "tenant.evidence_made"
TAG = b'"tag":"tenant.e'


class Altered(Refusal):
    """What was written down when the tenant ended is not what its audit log says was."""

    status = 500

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(
            "server_error",
            told("What was written down at the end has been changed since. Nothing was signed."),
            f"not as the audit log has them: {', '.join(names)}",
        )


def pack(operation: Operation, tenant: Tenant, ring: KeyRing, issuer: str) -> IO[bytes]:
    """A ZIP, in a nameless file that is gone when the caller closes it. Raises Forbidden,
    NotFound for a tenant that goes on, or of which nothing is written down yet, and Broken or
    Altered, which are recorded, where the database is not as it was left."""
    operation.check("tenants.manage")
    if not is_there(operation, tenant):
        raise NotFound("the tenant has not ended, or it is still being written down")
    packed = TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        _write(operation, tenant, ring, issuer, packed)
    except BaseException as problem:
        packed.close()
        if isinstance(problem, Refusal):
            operation.record("tenant.evidence_refused", tenant=tenant.id, reason=problem.detail)
        raise
    operation.record("tenant.evidence_taken", tenant=tenant.id)
    packed.seek(0)
    return packed


def is_there(operation: Operation, tenant: Tenant) -> bool:
    kept = sa.select(TenantEndingFile.name).where(TenantEndingFile.tenant_id == tenant.id)
    return operation.rows.scalar(kept.limit(1)) is not None


def _write(
    operation: Operation, tenant: Tenant, ring: KeyRing, issuer: str, target: IO[bytes]
) -> None:
    signer = ring.signer(ALG, operation.now)
    exported = evidence.export(
        operation.database, ring, issuer, tenant.id, tenant.slug, operation.now
    )
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        noted: list[dict[str, Any]] = []
        chain = _put(archive, AUDIT, _noting_ends(exported, noted))
        files = {name: _put(archive, name, lines) for name, lines in _contents(operation, tenant)}
        end, made = _check_unaltered(noted, files)
        files[AUDIT] = chain
        files[KEYS] = _put(archive, KEYS, [orjson.dumps({"keys": [signer.public_jwk]})])
        claims = _claims(operation, tenant, end, issuer, files) | {"ended": made["counts"]}
        _put(archive, MANIFEST, [orjson.dumps(claims, option=orjson.OPT_INDENT_2)])
        _put(archive, STATEMENT, [mint(signer, TENANT_ENDING, claims).encode()])


def _noting_ends(lines: Iterable[bytes], noted: list[dict[str, Any]]) -> Iterator[bytes]:
    """Events of the end and of its evidence, as they go by on their way into the pack."""
    for line in lines:
        event = orjson.loads(line).get("event", {}) if TAG in line else {}
        if event.get("tag") in (ENDED, MADE):
            noted.append(event)
        yield line


def _contents(operation: Operation, tenant: Tenant) -> Iterator[tuple[str, list[bytes]]]:
    """What was written down when the tenant ended; nothing where it can't be unpacked any more."""
    kept = sa.select(TenantEndingFile).where(TenantEndingFile.tenant_id == tenant.id)
    for file in operation.rows.scalars(kept.order_by(TenantEndingFile.name)):
        try:
            yield file.name, [zlib.decompress(file.packed)]
        except zlib.error:
            yield file.name, []


def _check_unaltered(
    noted: list[dict[str, Any]], files: dict[str, dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one event of the end, and what the log has of the evidence: the digest of each file. Of
    ends by earlier versions one event has both. Raises Altered."""
    ends = [event for event in noted if event["tag"] == ENDED]
    made = [event["detail"] for event in noted if "files" in event["detail"]]
    if (len(ends), len(made)) != (1, 1):
        raise Altered([f"{len(ends)} ends, {len(made)} times written down"])
    then, now = made[0]["files"], {name: files[name]["sha256"] for name in files}
    if then != now:
        names = {*then, *now}
        raise Altered(sorted(name for name in names if then.get(name) != now.get(name)))
    return ends[0], made[0]


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
    end: dict[str, Any],
    issuer: str,
    files: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    return {
        "iss": issuer,
        "iat": int(operation.now),
        "tenant_id": tenant.id,
        "tenant": tenant.slug,
        "tenant_name": tenant.name,
        "ended_at": end["at"],
        "ended_by": end["actor_id"] or end["client_id"],
        "files": files,
    }
