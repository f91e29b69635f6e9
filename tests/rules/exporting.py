"""An export of a chain with a few events, and what verifies it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from idp import audit, evidence
from idp.audit_chain import PLATFORM
from idp.audit_walk import CHANGED, CUT, INSERTED, MISPLACED, MISSING
from idp.canonical_json import canonical_json
from tests.world import ISSUER, START, World

Lines = list[bytes]
LENGTH = 8


@pytest.fixture
def northwind(either_world: World) -> str:
    """The tenant's id, which has `LENGTH` events."""
    [(tenant_id,)] = either_world.run("SELECT id FROM tenants WHERE slug = 'northwind'")
    with either_world.held.database.transaction() as db:
        for number in range(LENGTH):
            at = START + number / 3
            audit.record(db, "tenant.chosen", at, tenant=tenant_id, name="Zoë 漢", number=number)
    return str(tenant_id)


def exported(world: World, chain: str, first: int = 1, last: int | None = None) -> Lines:
    ring = world.held.key_ring.current(START)
    database, tenant = world.held.database, None if chain == PLATFORM else "northwind"
    return list(evidence.export(database, ring, ISSUER, chain, tenant, START, first, last))


def jwks(world: World) -> dict[str, Any]:
    return dict(world.get("/jwks").json or {})


def verified(world: World, lines: Lines, keys: dict[str, Any] | None = None) -> evidence.Evidence:
    file = world.folder / "export.jsonl"
    file.write_bytes(b"".join(lines))
    return evidence.verify(file, keys or jwks(world))


def edited(line: bytes, **changed: Any) -> bytes:
    shown = json.loads(line)
    return canonical_json({**shown, "event": {**shown["event"], **changed}}) + b"\n"


FORGERIES: dict[str, tuple[Callable[[Lines], Lines], list[tuple[str, int, int]]]] = {
    "an actor": (
        lambda lines: [*lines[:4], edited(lines[4], actor_id="ben"), *lines[5:]],
        [(CHANGED, 4, 4)],
    ),
    "a detail": (
        lambda lines: [*lines[:4], edited(lines[4], detail={}), *lines[5:]],
        [(CHANGED, 4, 4)],
    ),
    "an event left out": (lambda lines: [*lines[:4], *lines[5:]], [(MISSING, 4, 4)]),
    "the end left out": (lambda lines: [*lines[:7], lines[-1]], [(CUT, 7, 8)]),
    "all left out": (lambda lines: [lines[0], lines[-1]], [(CUT, 1, 8)]),
    "two exchanged": (
        lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
        [(MISPLACED, 4, 4)],
    ),
    "one repeated": (lambda lines: [*lines[:5], *lines[4:]], [(INSERTED, 4, 4)]),
    "one renumbered and added": (
        lambda lines: [*lines[:-1], edited(lines[8], seq=9), lines[-1]],
        [(INSERTED, 9, 9)],
    ),
}
