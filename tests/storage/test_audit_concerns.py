"""Every tag says whom its events concern: in whose history they are told."""

from __future__ import annotations

import pytest

from idp import audit, audit_inspection
from idp.audit import TAGS, Wanted
from idp.audit_concerns import CONCERNS, About
from idp.database import Database

NOW = 1_795_000_000.0
TENANT = "a" * 32


def test_every_tag_is_said_to_be_about_somebody_or_nobody() -> None:
    assert set(CONCERNS) == set(TAGS)


def test_each_event_is_in_the_history_of_the_one_whom_it_is_about(database: Database) -> None:
    recorded = sorted(tag for tag in TAGS if not tag.startswith("audit."))
    with database.transaction() as db:
        for number, tag in enumerate(recorded):
            audit.record(db, tag, NOW + number, actor="amara", tenant=TENANT, person="ben")
        audit.record(db, "sign_in.failed", NOW + 999, tenant=TENANT, reason="unknown address")
    for person, about, some in (
        ("amara", About.ACTOR, {"sign_in.locked", "token.revoked"}),
        ("ben", About.NAMED, {"person.disabled", "access.approved"}),
        ("nobody", None, set[str]()),
    ):
        with database.connection() as db:
            found = audit.search(db, TENANT, Wanted(person=person), 100).entries
        told = {entry.tag for entry in found}
        assert told == {tag for tag in recorded if CONCERNS[tag].about is about}, person
        assert some <= told
    assert [fault for each in audit_inspection.inspect_all(database) for fault in each.faults] == []


def test_an_event_about_somebody_else_says_whom(database: Database) -> None:
    for tag, concern in CONCERNS.items():
        if concern.about is About.NAMED:
            with database.transaction() as db, pytest.raises(ValueError, match="which person"):
                audit.record(db, tag, NOW, actor="amara", tenant=TENANT)
