"""Verified domains: a company proves by a TXT record that a domain is its own.

A domain is verified for one company alone; the database holds that under any race. Its record is
looked for by `domain_looks.py`, and what that finds later takes it away, or puts it in doubt: it is
the company's as before, and lets nobody in by itself.

A verified domain may route: the company's own identity provider signs its addresses in. One that
routes is not removed, since that takes more than this permission; one that is lost routes no more,
also when it is verified again.
"""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base
from idp.directory import granting
from idp.directory.acting import Administration, Mistake
from idp.directory.domain_names import canonical, shown, why_not
from idp.errors import told
from idp.secret_values import new_id, new_secret
from idp.tenancy import TenantOwned

PERMISSION = "domains.manage"
LABEL = "_latchkey"
MAX_DOMAINS = 50
FOUND, WRONG, TAKEN = "found", "wrong", "taken"
Doubt = Literal["gone", "unanswered"]
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
    def doubt(self) -> Doubt | None:
        """Of one that is verified."""
        return doubt_of(self.outcome, self.failing_since) if self.verified_at is not None else None

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


def doubt_of(outcome: str | None, failing_since: float | None) -> Doubt | None:
    """Why a verified domain may be somebody else's by now: its record is gone, or nobody
    answered at the last look. Whoever buys one that has lapsed decides what its nameservers say,
    and whether they say anything."""
    if failing_since is not None:
        return "gone"
    return None if outcome == FOUND else "unanswered"


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
