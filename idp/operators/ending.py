"""A tenant ends: one act, for good, with evidence of what it ended (product.md N9).

What it reaches is written down in the same transaction, before anything changes. Nothing of it
comes back: the status is final, and the slug is never another's.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.columns import JsonText
from idp.database import Base
from idp.directory import (
    catalog_version,
    clients,
    deciding,
    join_requests,
    memberships,
    readers,
    tenants,
)
from idp.directory.access_requests import AccessRequest
from idp.directory.acting import Mistake
from idp.directory.clients import Client
from idp.directory.domains import Domain
from idp.directory.identity_providers import CompanyProvider
from idp.directory.invitations import Invitation
from idp.directory.memberships import CROSS_TENANT, Membership
from idp.directory.operating import Operation
from idp.directory.tenants import Tenant
from idp.errors import told
from idp.federation.linked_accounts import LinkedAccount
from idp.grants.ending import end_of_tenant
from idp.operators import written_down
from idp.operators.written_down import FILES
from idp.tenancy import TenantOwned


class TenantEnding(TenantOwned, Base):
    """`counts` maps what was ended to how many."""

    __tablename__ = "tenant_endings"

    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"), primary_key=True)
    ended_by: Mapped[str | None]
    ended_at: Mapped[float]
    counts: Mapped[dict[str, int]] = mapped_column(JsonText)


class TenantEndingFile(TenantOwned, Base):
    """JSON lines as they were when the tenant ended, compressed (RFC 1950)."""

    __tablename__ = "tenant_ending_files"

    tenant_id: Mapped[str] = mapped_column(
        sa.ForeignKey("tenant_endings.tenant_id"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    packed: Mapped[bytes]


class Ended(NamedTuple):
    counts: dict[str, int]
    products_told: int


_TENANT = sa.bindparam("tenant_id", type_=sa.Text)
_NOW = sa.bindparam("now", type_=sa.Double)
_END_MEMBERSHIPS = (
    sa.update(Membership)
    .where(
        sa.or_(
            Membership.tenant_id == _TENANT,
            Membership.id.in_(
                sa.select(AccessRequest.membership_id).where(AccessRequest.tenant_id == _TENANT)
            ),
        ),
        Membership.status != memberships.ENDED,
    )
    .values(status=memberships.ENDED)
)
_DISABLE_CLIENTS = (
    sa.update(Client)
    .where(Client.tenant_id == _TENANT, Client.status != clients.DISABLED)
    .values(status=clients.DISABLED)
)
_REVOKE_INVITATIONS = (
    sa.update(Invitation)
    .where(
        Invitation.tenant_id == _TENANT,
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
    )
    .values(revoked_at=_NOW)
)
_RELEASE_DOMAINS = sa.delete(Domain).where(Domain.tenant_id == _TENANT)
_OWN_PROVIDERS = sa.select(CompanyProvider.id).where(CompanyProvider.tenant_id == _TENANT)
_UNLINK = sa.delete(LinkedAccount).where(LinkedAccount.provider_key.in_(_OWN_PROVIDERS))
_FORGET_PROVIDERS = sa.delete(CompanyProvider).where(CompanyProvider.tenant_id == _TENANT)
_END = (
    sa.update(Tenant)
    .where(Tenant.id == _TENANT, Tenant.status != tenants.ENDED)
    .values(status=tenants.ENDED)
    .returning(Tenant.id)
)


def end(operation: Operation, tenant: Tenant, typed: str) -> Ended:
    """`typed` is the tenant's name or slug, as proof that this one is meant. Raises Forbidden,
    RecentSignInNeeded, or Mistake."""
    operation.check("tenants.manage")
    operation.check_recent()
    if typed.strip() not in (tenant.name, tenant.slug):
        raise Mistake(confirm=told("Type the name of the tenant exactly as it stands above."))
    db, now = operation.db, operation.now
    if db.row(_END, tenant_id=tenant.id) is None:
        raise Mistake(confirm=told("This tenant has ended already."))
    account_admins = [each.id for each in readers.account_admins(db, tenant.id, now)]
    counts, digests = _write_down(operation, tenant)
    products_told = end_of_tenant(db, tenant.id, now)
    deciding.end_all_of(operation, tenant.id)
    db.run(_END_MEMBERSHIPS, tenant_id=tenant.id)
    db.run(_DISABLE_CLIENTS, tenant_id=tenant.id)
    db.run(_REVOKE_INVITATIONS, tenant_id=tenant.id, now=now)
    _refuse_who_waits(operation, tenant)
    for statement in (_RELEASE_DOMAINS, _UNLINK, _FORGET_PROVIDERS):
        db.run(statement, tenant_id=tenant.id)
    told_of = {"products_told": products_told, "account_admins": account_admins}
    operation.record("tenant.ended", tenant=tenant.id, counts=counts, files=digests, **told_of)
    catalog_version.touch_clients_of(db, tenant.id)
    return Ended(counts, products_told)


def _refuse_who_waits(operation: Operation, tenant: Tenant) -> None:
    """Each gets a letter."""
    for request_id, user_id in join_requests.refuse_all(operation.db, tenant.id, operation.now):
        about = {"person": user_id, "request": request_id, "reason": None}
        operation.record("join.refused", tenant=tenant.id, **about)


def _write_down(operation: Operation, tenant: Tenant) -> tuple[dict[str, int], dict[str, str]]:
    """Who had what, before it is taken away: how much, and the SHA-256 of each file."""
    counts: dict[str, int] = {}
    digests: dict[str, str] = {}
    files = []
    for name in FILES:
        lines = written_down.lines(operation.db, name, tenant.id, operation.now)
        counts[name.removesuffix(".jsonl")] = len(lines)
        content = b"".join(lines)
        digests[name] = sha256(content).hexdigest()
        packed = zlib.compress(content, 6)
        files.append(TenantEndingFile(tenant_id=tenant.id, name=name, packed=packed))
    counts["from other tenants"] = _from_elsewhere(operation, tenant)
    operation.rows.add(
        TenantEnding(
            tenant_id=tenant.id,
            ended_by=operation.actor.user_id or operation.actor.client_id,
            ended_at=operation.now,
            counts=counts,
        )
    )
    operation.rows.flush()
    operation.rows.add_all(files)
    operation.rows.flush()
    return counts, digests


def _from_elsewhere(operation: Operation, tenant: Tenant) -> int:
    counted = sa.select(sa.func.count()).where(
        Membership.tenant_id == tenant.id,
        Membership.source == CROSS_TENANT,
        Membership.status != memberships.ENDED,
    )
    return operation.rows.scalar(counted) or 0
