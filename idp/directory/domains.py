"""Verified domains: a company proves by a TXT record that a domain is its own.

A domain is verified for one company alone; the database holds that under any race. Verified ones
are asked for again every day, and are lost when the record has been gone for three days. A
nameserver that does not answer proves nothing, either way.

A verified domain may route: the company's own identity provider signs its addresses in. One that
routes is not removed, since that takes more than this permission; one that is lost routes no more,
also when it is verified again.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from idp import audit, limits, tenancy, text_records
from idp.database import Base, Connection, Database
from idp.directory import catalog, granting
from idp.directory.acting import Administration, Mistake, NotFound, TooOften
from idp.directory.domain_names import canonical, shown, why_not
from idp.errors import told
from idp.secret_values import new_id, new_secret
from idp.settings import Settings
from idp.tenancy import TenantOwned
from idp.text_records import UNANSWERED, NoRecords

PERMISSION = "domains.manage"
LABEL = "_latchkey"
MAX_DOMAINS = 50
AT_MOST_EVERY = 5.0  # seconds between two looks that people ask for
RECHECK_AFTER = 86400.0
LOST_AFTER = 3 * 86400.0
FOUND, WRONG, TAKEN = "found", "wrong", "taken"
_IS_VERIFIED = sa.text("verified_at IS NOT NULL")


class Domain(TenantOwned, Base):
    """`name` is in the letters of the DNS. `outcome` is what the last look, at `checked_at`, found:
    FOUND, WRONG, TAKEN, or a reason of NoRecords. `failing_since` is when a verified one was first
    without its record."""

    __tablename__ = "domains"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "name"),
        sa.Index(
            "uq_domains_verified",
            "name",
            unique=True,
            sqlite_where=_IS_VERIFIED,
            postgresql_where=_IS_VERIFIED,
        ),
        sa.Index(
            "ix_domains_recheck",
            "checked_at",
            sqlite_where=_IS_VERIFIED,
            postgresql_where=_IS_VERIFIED,
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"))
    name: Mapped[str]
    challenge: Mapped[str]
    created_at: Mapped[float]
    verified_at: Mapped[float | None]
    checked_at: Mapped[float | None]
    outcome: Mapped[str | None]
    failing_since: Mapped[float | None]

    @property
    def shown(self) -> str:
        return shown(self.name)

    @property
    def record_name(self) -> str:
        return f"{LABEL}.{self.name}"

    @property
    def record_text(self) -> str:
        return f"latchkey-domain={self.challenge}"


class RoutedDomain(TenantOwned, Base):
    """Of whose addresses a company's provider signs people in. The domain is verified."""

    __tablename__ = "routed_domains"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["provider_id", "tenant_id"],
            ["company_providers.id", "company_providers.tenant_id"],
            ondelete="CASCADE",
        ),
    )

    domain_id: Mapped[str] = mapped_column(
        sa.ForeignKey("domains.id", ondelete="CASCADE"), primary_key=True
    )
    provider_id: Mapped[str] = mapped_column(index=True)
    tenant_id: Mapped[str]


class Look(NamedTuple):
    """What there is to look for."""

    domain_id: str
    tenant_id: str
    name: str
    text: str


def listing(admin: Administration) -> list[Domain]:
    """By name. Raises Forbidden."""
    admin.check(PERMISSION)
    return list(admin.rows.scalars(sa.select(Domain).order_by(Domain.name)))


def get(admin: Administration, domain_id: str) -> Domain:
    """Raises Forbidden, NotFound."""
    admin.check(PERMISSION)
    return admin.get(Domain, domain_id)


def add(admin: Administration, claimed: str) -> Domain:
    """Not verified yet. Whether another company has it is told by nothing until it is proven.
    Raises Mistake, Forbidden."""
    granting.in_turn(admin, PERMISSION)
    name = canonical(claimed)
    if name is None:
        raise Mistake(domain=told("Enter a domain, such as example.com."))
    refused = why_not(name)
    if refused:
        raise Mistake(domain=refused)
    names = set(admin.rows.scalars(sa.select(Domain.name)))
    if name in names:
        raise Mistake(domain=told("This domain is in the list already."))
    if len(names) >= MAX_DOMAINS:
        raise Mistake(domain=told("A company has at most 50 domains."))
    domain = Domain(
        id=new_id(),
        tenant_id=admin.tenant.id,
        name=name,
        challenge=new_secret(),
        created_at=admin.now,
    )
    admin.rows.add(domain)
    admin.record("domain.added", domain=domain.id, name=name)
    return domain


def remove(admin: Administration, domain_id: str) -> Domain:
    """Raises Forbidden, NotFound, RecentSignInNeeded, or Mistake for one that routes."""
    granting.in_turn(admin, PERMISSION)
    admin.check_recent()
    domain = admin.get(Domain, domain_id)
    if provider_of(admin, domain_id):
        raise Mistake(domain=told("An identity provider signs its addresses in. End that first."))
    admin.rows.delete(domain)
    was_verified = domain.verified_at is not None
    admin.record("domain.removed", domain=domain.id, name=domain.name, was_verified=was_verified)
    return domain


def provider_of(admin: Administration, domain_id: str) -> str | None:
    """The id of the company's provider that the domain routes to."""
    routed = sa.select(RoutedDomain.provider_id).where(RoutedDomain.domain_id == domain_id)
    return admin.rows.scalar(routed)


def check(admin: Administration, settings: Settings, domain_id: str) -> str:
    """Look for the record now; what was found. Who looks is written down first, so that a company
    has one look under way at most. No transaction is open while nameservers are asked: the one of
    `admin` is committed, and `admin.rows` goes on in another. Raises Forbidden, NotFound, TooOften.
    """
    domain = get(admin, domain_id)
    if not limits.take(admin.db, f"domain look:{admin.tenant.id}", admin.now, 1, AT_MOST_EVERY):
        sentence = told("A domain was looked up a moment ago. Wait a few seconds.")
        raise TooOften(AT_MOST_EVERY, domain=sentence)
    look = Look(domain.id, domain.tenant_id, domain.name, domain.record_text)
    record_name = domain.record_name
    admin.rows.commit()
    outcome = _looked_up(settings, record_name, look.text)
    tenancy.go_on(admin.database, admin.rows)
    return _noted(replace(admin, db=Connection.of(admin.database, admin.rows)), look, outcome)


def _looked_up(settings: Settings, record_name: str, text: str) -> str:
    try:
        texts = text_records.texts_of(settings, record_name)
    except NoRecords as problem:
        return problem.reason
    wanted = text.encode()
    return FOUND if any(hmac.compare_digest(each.encode(), wanted) for each in texts) else WRONG


def _noted(admin: Administration, look: Look, outcome: str) -> str:
    """Write down what was found; FOUND verifies, unless another company was first."""
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
    """The worker's: look again at every verified domain that was last looked at a day ago. How many
    were. Each is claimed by a conditional write, so that several workers share them."""
    looked = 0
    while (look := _claimed(database, now)) is not None:
        outcome = _looked_up(settings, f"{LABEL}.{look.name}", look.text)
        with tenancy.session(database, look.tenant_id) as rows:
            _note(rows, look.domain_id, outcome, now)
            _lose(database, rows, look, now)
        looked += 1
    return looked


def _claimed(database: Database, now: float) -> Look | None:
    with tenancy.every_tenant(database) as rows:
        due = Domain.checked_at <= now - RECHECK_AFTER
        found = sa.select(Domain).where(Domain.verified_at.is_not(None), due).limit(1)
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
        catalog.touch(db)
        audit.record(
            *(db, "domain.lost", now),
            tenant=look.tenant_id,
            domain=look.domain_id,
            name=look.name,
            has_routed=bool(has_routed.rowcount),  # type: ignore[attr-defined]
        )
