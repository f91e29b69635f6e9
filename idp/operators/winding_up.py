"""What is left of a tenant that has ended: it is written down, and then let go of (product.md N9).

Nothing counts any more that rests on it (`grants/membership.py`), so nobody waits for any of this,
and none of it makes anybody wait for a lock, however many people there were. First all is written
down; nothing is taken away before. Then what was its own goes, and what its people held in batches.
Where there was little, the act itself does it up to the first batch; the rest is the worker's. How
far it is, is what the rows say: whoever is killed in the middle leaves it to the next.
"""

from __future__ import annotations

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.audit import NOWHERE
from idp.columns import JsonText
from idp.database import Base, Database
from idp.directory import catalog_version, clients, deciding, join_requests, memberships
from idp.directory.access_requests import AccessRequest
from idp.directory.catalog import Catalog
from idp.directory.clients import Client
from idp.directory.domains import Domain
from idp.directory.identity_providers import CompanyProvider
from idp.directory.invitations import Invitation
from idp.directory.memberships import CROSS_TENANT, Membership
from idp.directory.operating import Operation, Operator, operation
from idp.directory.users import User
from idp.federation.linked_accounts import LinkedAccount
from idp.grants.ending import end_of_membership
from idp.operators import written_down
from idp.operators.written_down import File
from idp.tenancy import TenantOwned

LITTLE = 100  # rows of each kind
BATCH = 100


class TenantEnding(TenantOwned, Base):
    """`counts` maps what was ended to how many, and is empty until it is written down.
    `wound_up_at` is when the last batch was done."""

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
_IS_WRITTEN = sa.type_coerce(TenantEnding.counts, sa.Text) != sa.literal_column("'{}'")
_IS_LEFT = TenantEnding.wound_up_at.is_(None)
_LEFT = (
    sa.select(
        *(TenantEnding.tenant_id, TenantEnding.ended_at, _IS_WRITTEN),
        *(TenantEnding.ended_by, User.id),
    )
    .outerjoin(User, User.id == TenantEnding.ended_by)
    .where(_IS_LEFT)
    .order_by(TenantEnding.ended_at)
    .limit(1)
)
_TURN = (
    sa.select(TenantEnding.tenant_id)
    .where(TenantEnding.tenant_id == _TENANT, _IS_LEFT)
    .with_for_update(skip_locked=True)
)
_WRITTEN = (
    sa.update(TenantEnding)
    .where(TenantEnding.tenant_id == _TENANT, ~_IS_WRITTEN)
    .values(counts=sa.bindparam("counted", type_=sa.Text))
    .returning(TenantEnding.tenant_id)
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
_FROM_ELSEWHERE = sa.select(sa.func.count()).where(
    Membership.tenant_id == _TENANT,
    Membership.source == CROSS_TENANT,
    Membership.status != memberships.ENDED,
)


def begin(operation: Operation, tenant_id: str) -> dict[str, int]:
    """In the act that ends it: all but what is too much for it. What there was, or nothing of a
    tenant of which it is written down later."""
    files = written_down.write(operation.db, tenant_id, operation.now, LITTLE)
    if files is None:
        return {}
    counts = _keep(operation, tenant_id, files)
    _wind_up_some(operation, tenant_id)
    return counts


def go_on(database: Database, catalog: Catalog, now: float) -> bool:
    """Another step of it; False if none is left. What is to be written down is read outside of any
    transaction, and thrown away where somebody else was faster."""
    with database.connection() as db:
        left = db.row(_LEFT)
        if left is None:
            return False
        tenant_id, ended_at, is_written, ended_by, person_id = left
        files = None if is_written else written_down.write(db, tenant_id, ended_at)
    actor = Operator(person_id, None if person_id else ended_by, None, frozenset())
    with operation(database, catalog, actor, now, NOWHERE) as by:
        if files is not None:
            _keep(by, tenant_id, files)
        elif by.db.row(_TURN, tenant_id=tenant_id) is None:
            return False
        else:
            _wind_up_some(by, tenant_id)
    return True


def _keep(operation: Operation, tenant_id: str, files: list[File]) -> dict[str, int]:
    """And what was its own goes."""
    db, now = operation.db, operation.now
    counts = {each.name.removesuffix(".jsonl"): each.lines for each in files}
    [(counts["from other tenants"],)] = db.rows(_FROM_ELSEWHERE, tenant_id=tenant_id)
    if db.row(_WRITTEN, tenant_id=tenant_id, counted=orjson.dumps(counts).decode()) is None:
        return counts
    operation.rows.add_all(
        TenantEndingFile(tenant_id=tenant_id, name=each.name, packed=each.packed) for each in files
    )
    operation.rows.flush()
    digests = {each.name: each.digest for each in files}
    operation.record("tenant.evidence_made", tenant=tenant_id, counts=counts, files=digests)
    db.run(_DISABLE_CLIENTS, tenant_id=tenant_id)
    db.run(_REVOKE_INVITATIONS, tenant_id=tenant_id, now=now)
    db.run(_RELEASE_DOMAINS, tenant_id=tenant_id)
    db.run(_FORGET_PROVIDERS, tenant_id=tenant_id)
    catalog_version.touch_clients_of(db, tenant_id)
    return counts


def _wind_up_some(operation: Operation, tenant_id: str) -> None:
    db, now = operation.db, operation.now
    ended = db.rows(_END_SOME, tenant_id=tenant_id, most=BATCH)
    for user_id, membership_id in ended:
        end_of_membership(db, user_id, membership_id, now)
    unlinked = db.run(_UNLINK_SOME, tenant_id=tenant_id, most=BATCH)
    closed = deciding.end_some_of(operation, tenant_id, BATCH)
    refused = _refuse_some(operation, tenant_id)
    if max(len(ended), unlinked, closed, refused) < BATCH:
        db.run(_WOUND_UP, tenant_id=tenant_id, now=now)


def _refuse_some(operation: Operation, tenant_id: str) -> int:
    """Who waits to be let in. Each gets a letter."""
    refused = join_requests.refuse_some(operation.db, tenant_id, BATCH, operation.now)
    for request_id, user_id in refused:
        about = {"person": user_id, "request": request_id, "reason": None}
        operation.record("join.refused", tenant=tenant_id, **about)
    return len(refused)
