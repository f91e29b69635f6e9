"""A tenant ends: one act, for good, with evidence of what it ended (product.md N9).

What it reaches is written down in the same transaction, before anything changes. Nothing of it
comes back: the status is final, and the slug is never another's.

From then on nothing counts that rests on it (`grants/membership.py`). What its people held is let
go of in batches, the first at once and the others by the worker, so that nobody waits for a lock
however many people there were. How far that is, is what the rows say: whoever is killed in the
middle of a batch leaves it to the next.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.columns import JsonText
from idp.database import Base, Connection, Database
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
from idp.grants.ending import count_open, end_of_membership
from idp.operators import written_down
from idp.operators.written_down import FILES
from idp.tenancy import TenantOwned

BATCH = 200


class TenantEnding(TenantOwned, Base):
    """`counts` maps what was ended to how many. `wound_up_at` is when the last batch was done."""

    __tablename__ = "tenant_endings"

    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"), primary_key=True)
    ended_by: Mapped[str | None]
    ended_at: Mapped[float]
    counts: Mapped[dict[str, int]] = mapped_column(JsonText)
    wound_up_at: Mapped[float | None]


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
_MOST = sa.bindparam("most", type_=sa.Integer)
_SOME_MEMBERSHIPS = (
    sa.select(Membership.id)
    .where(
        sa.or_(
            Membership.tenant_id == _TENANT,
            Membership.id.in_(
                sa.select(AccessRequest.membership_id).where(AccessRequest.tenant_id == _TENANT)
            ),
        ),
        Membership.status != memberships.ENDED,
    )
    .limit(_MOST)
)
_END_SOME = (
    sa.update(Membership)
    .where(Membership.id.in_(_SOME_MEMBERSHIPS))
    .values(status=memberships.ENDED)
    .returning(Membership.user_id, Membership.id)
)
_SOME_LINKS = sa.select(LinkedAccount.id).where(LinkedAccount.company_id == _TENANT).limit(_MOST)
_UNLINK_SOME = sa.delete(LinkedAccount).where(LinkedAccount.id.in_(_SOME_LINKS))
_TO_WIND_UP = (
    sa.select(TenantEnding.tenant_id)
    .where(TenantEnding.wound_up_at.is_(None))
    .order_by(TenantEnding.ended_at)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_WOUND_UP = (
    sa.update(TenantEnding).where(TenantEnding.tenant_id == _TENANT).values(wound_up_at=_NOW)
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
    products_told = count_open(db, tenant.id)
    deciding.end_all_of(operation, tenant.id)
    db.run(_DISABLE_CLIENTS, tenant_id=tenant.id)
    db.run(_REVOKE_INVITATIONS, tenant_id=tenant.id, now=now)
    _refuse_who_waits(operation, tenant)
    for statement in (_RELEASE_DOMAINS, _FORGET_PROVIDERS):
        db.run(statement, tenant_id=tenant.id)
    _wind_up_some(db, tenant.id, now)
    told_of = {"products_told": products_told, "account_admins": account_admins}
    operation.record("tenant.ended", tenant=tenant.id, counts=counts, files=digests, **told_of)
    catalog_version.touch_clients_of(db, tenant.id)
    return Ended(counts, products_told)


def wind_up(database: Database, now: float) -> bool:
    """Another batch of a tenant that has ended; False if none is left."""
    with database.transaction() as db:
        row = db.row(_TO_WIND_UP)
        if row is not None:
            _wind_up_some(db, row[0], now)
    return row is not None


def _wind_up_some(db: Connection, tenant_id: str, now: float) -> None:
    ended = db.rows(_END_SOME, tenant_id=tenant_id, most=BATCH)
    for user_id, membership_id in ended:
        end_of_membership(db, user_id, membership_id, now)
    unlinked = db.run(_UNLINK_SOME, tenant_id=tenant_id, most=BATCH)
    if max(len(ended), unlinked) < BATCH:
        db.run(_WOUND_UP, tenant_id=tenant_id, now=now)


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
