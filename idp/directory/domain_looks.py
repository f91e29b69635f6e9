"""Looking for the records of domains (`domains.py`): when somebody asks for it, and every day.

A domain that was verified is lost when its record has been gone for three days. A nameserver that
does not answer proves nothing, either way: the domain stays the company's, and is in doubt.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp import audit, limits, tenancy, text_records
from idp.database import Connection, Database
from idp.directory import catalog_version, domains, granting
from idp.directory.acting import Administration, NotFound, TooOften
from idp.directory.catalog_version import NO_CLIENT
from idp.directory.domains import FOUND, LABEL, PERMISSION, TAKEN, WRONG, Domain, RoutedDomain
from idp.errors import told
from idp.settings import Settings
from idp.text_records import UNANSWERED, NoRecords

AT_MOST_EVERY = 5.0  # seconds between two looks that people ask for
RECHECK_AFTER = 86400.0
DOUBT_AFTER = 3600.0
DOUBTS_AT_ONCE = 3  # each look may take as long as nameservers are given
LOST_AFTER = 3 * 86400.0


class Look(NamedTuple):
    """What there is to look for."""

    domain_id: str
    tenant_id: str
    name: str
    text: str


def check(
    admin: Administration, settings: Settings, clock: Callable[[], float], domain_id: str
) -> str:
    """Look for the record now; what was found. Who looks is written down first, so that a company
    has one look under way at most. No transaction is open while nameservers are asked: the one of
    `admin` is committed, and `admin.rows` goes on in another. Raises Forbidden, NotFound, TooOften.
    """
    domain = domains.get(admin, domain_id)
    if not limits.take(admin.db, f"domain look:{admin.tenant.id}", admin.now, 1, AT_MOST_EVERY):
        sentence = told("A domain was looked up a moment ago. Wait a few seconds.")
        raise TooOften(AT_MOST_EVERY, domain=sentence)
    look = Look(domain.id, domain.tenant_id, domain.name, domain.record_text)
    record_name = domain.record_name
    admin.rows.commit()
    outcome = _looked_up(settings, record_name, look.text)
    tenancy.go_on(admin.database, admin.rows)
    going_on = replace(admin, db=Connection.of(admin.database, admin.rows))
    granting.in_turn(going_on, PERMISSION)
    return _noted(replace(going_on, now=clock()), look, outcome)


def _looked_up(settings: Settings, record_name: str, text: str) -> str:
    try:
        texts = text_records.texts_of(settings, record_name)
    except NoRecords as problem:
        return problem.reason
    wanted = text.encode()
    return FOUND if any(hmac.compare_digest(each.encode(), wanted) for each in texts) else WRONG


def _noted(admin: Administration, look: Look, outcome: str) -> str:
    """Write down what was found; FOUND verifies, unless another company was first. In the tenant's
    turn, and dated in it: who says in the meantime that the company's domains admit has not seen
    this one, which came later."""
    domain = admin.rows.get(Domain, look.domain_id)
    if domain is None or domain.record_text != look.text:
        raise NotFound("the domain was removed while it was looked up")
    if outcome == FOUND and domain.verified_at is None:
        if not _verified(admin.rows, look, admin.now):
            outcome = TAKEN
        else:
            admin.record("domain.verified", domain=look.domain_id, name=look.name)
    _note(admin.rows, look.domain_id, outcome, admin.now)
    return outcome


def _verified(rows: Session, look: Look, now: float) -> bool:
    """One conditional write, which the database refuses to the second company."""
    mark = (
        sa.update(Domain)
        .where(Domain.id == look.domain_id, Domain.verified_at.is_(None))
        .values(verified_at=now)
    )
    try:
        with rows.begin_nested():
            rows.execute(mark, execution_options={"synchronize_session": False})
    except sa.exc.IntegrityError:
        return False
    return True


def _note(rows: Session, domain_id: str, outcome: str, now: float) -> None:
    """A look that nobody answered says nothing of whether the record is gone."""
    failing = {
        FOUND: sa.null(),
        UNANSWERED: Domain.failing_since,
    }.get(outcome, sa.func.coalesce(Domain.failing_since, now))
    rows.execute(
        sa.update(Domain)
        .where(Domain.id == domain_id)
        .values(checked_at=now, outcome=outcome, failing_since=failing),
        execution_options={"synchronize_session": False},
    )


def recheck(database: Database, settings: Settings, now: float) -> int:
    """The worker's: look again at every verified domain that was last looked at a day ago, and at a
    few of those that are in doubt for an hour, so that an outage of the DNS is over soon after it
    is over. How many were. Each is claimed by a conditional write, so that several workers share
    them."""
    looked = 0
    while _look_again(database, settings, now, Domain.checked_at <= now - RECHECK_AFTER):
        looked += 1
    in_doubt = (Domain.outcome != FOUND, Domain.checked_at <= now - DOUBT_AFTER)
    for _ in range(DOUBTS_AT_ONCE):
        looked += _look_again(database, settings, now, *in_doubt)
    return looked


def _look_again(database: Database, settings: Settings, now: float, *due: Any) -> bool:
    look = _claimed(database, now, *due)
    if look is None:
        return False
    outcome = _looked_up(settings, f"{LABEL}.{look.name}", look.text)
    with tenancy.session(database, look.tenant_id) as rows:
        _note(rows, look.domain_id, outcome, now)
        _lose(database, rows, look, now)
    return True


def _claimed(database: Database, now: float, *due: Any) -> Look | None:
    """The one that has waited longest."""
    with tenancy.every_tenant(database) as rows:
        found = sa.select(Domain).where(Domain.verified_at.is_not(None), *due)
        found = found.order_by(Domain.checked_at).limit(1)
        domain = rows.scalar(found.with_for_update(skip_locked=True))
        if domain is None:
            return None
        domain.checked_at = now
        return Look(domain.id, domain.tenant_id, domain.name, domain.record_text)


def _lose(database: Database, rows: Session, look: Look, now: float) -> None:
    lost = rows.execute(
        sa.update(Domain)
        .where(
            Domain.id == look.domain_id,
            Domain.verified_at.is_not(None),
            Domain.failing_since <= now - LOST_AFTER,
        )
        .values(verified_at=None, failing_since=None),
        execution_options={"synchronize_session": False},
    )
    if lost.rowcount:  # type: ignore[attr-defined]
        db = Connection.of(database, rows)
        has_routed = rows.execute(
            sa.delete(RoutedDomain).where(RoutedDomain.domain_id == look.domain_id),
            execution_options={"synchronize_session": False},
        )
        catalog_version.touch(db, NO_CLIENT)
        audit.record(
            *(db, "domain.lost", now),
            tenant=look.tenant_id,
            domain=look.domain_id,
            name=look.name,
            has_routed=bool(has_routed.rowcount),  # type: ignore[attr-defined]
        )
