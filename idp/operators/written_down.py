"""What is written down of a tenant before it ends, as lines of JSON: who and what there was, and no
secret of any."""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from idp.columns import joined_by_space
from idp.database import Connection
from idp.directory import company_providers, join_requests, memberships
from idp.directory.access_requests import OPEN, AccessRequest, Side
from idp.directory.clients import Client
from idp.directory.domains import Domain
from idp.directory.identity_providers import CompanyProvider
from idp.directory.invitations import Invitation
from idp.directory.memberships import Membership, of_roles
from idp.directory.roles import Role
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.federation.linked_accounts import LinkedAccount
from idp.grants.grant_row import Grant
from idp.sessions.browser import SsoSession

YES_OR_NO = frozenset({"is_offline", "is_only_way"})
_TENANT = sa.bindparam("tenant_id", type_=sa.Text)
_NOW = sa.bindparam("now", type_=sa.Double)
_PEOPLE = (
    sa.select(
        *(Membership.id, Membership.user_id, User.email, User.name, Membership.kind),
        *(Membership.status, Membership.source, Membership.access_request_id),
        *(Membership.only_products, Membership.ends_at, Membership.created_at),
        of_roles(joined_by_space(Role.key)),
    )
    .select_from(Membership)
    .join(User, User.id == Membership.user_id)
    .where(Membership.tenant_id == _TENANT, Membership.status != memberships.ENDED)
    .order_by(Membership.id)
)
_SIGN_INS = (
    sa.select(
        *(Grant.id, Grant.user_id, Grant.client_id, Grant.session_id, Grant.scope),
        *(Grant.is_offline, Grant.auth_time, Grant.created_at, Grant.expires_at),
    )
    .select_from(Membership)
    .join(Grant, sa.and_(Grant.user_id == Membership.user_id, Grant.membership_id == Membership.id))
    .join(SsoSession, SsoSession.id == Grant.session_id)
    .where(
        Membership.tenant_id == _TENANT,
        Grant.ended_at.is_(None),
        Grant.expires_at > _NOW,
        sa.or_(Grant.is_offline, SsoSession.ended_at.is_(None)),
    )
    .order_by(Grant.id)
)
_CLIENTS = (
    sa.select(
        *(Client.client_id, Client.client_name, Client.product_key, Client.status),
        *(Client.scope, sa.type_coerce(Client.permissions, sa.Text), Client.created_at),
    )
    .where(Client.tenant_id == _TENANT)
    .order_by(Client.client_id)
)
FILES: dict[str, tuple[sa.Executable, tuple[str, ...]]] = {
    "people.jsonl": (
        _PEOPLE,
        (
            *("membership_id", "user_id", "email", "name", "kind", "status", "source"),
            *("access_request_id", "only_products", "ends_at", "created_at", "roles"),
        ),
    ),
    "sign-ins.jsonl": (
        _SIGN_INS,
        (
            *("grant_id", "user_id", "client_id", "session_id", "scope", "is_offline"),
            *("auth_time", "created_at", "expires_at"),
        ),
    ),
    "clients.jsonl": (
        _CLIENTS,
        (
            *("client_id", "client_name", "product", "status", "scope", "permissions"),
            "created_at",
        ),
    ),
}

FILES["invitations.jsonl"] = (
    sa.select(
        *(Invitation.id, Invitation.email, Invitation.kind, Invitation.invited_by),
        *(Invitation.created_at, Invitation.expires_at),
    )
    .where(
        Invitation.tenant_id == _TENANT,
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
    )
    .order_by(Invitation.id),
    ("invitation_id", "email", "kind", "invited_by", "created_at", "expires_at"),
)
FILES["join-requests.jsonl"] = (join_requests.WHO_WAITS, join_requests.WHO_WAITS_COLUMNS)
FILES["domains.jsonl"] = (
    sa.select(Domain.name, Domain.created_at, Domain.verified_at)
    .where(Domain.tenant_id == _TENANT)
    .order_by(Domain.name),
    ("name", "created_at", "verified_at"),
)
_PROVIDER = ("id", *company_providers.TOLD, "created_at")
FILES["identity-providers.jsonl"] = (
    sa.select(*(getattr(CompanyProvider, name) for name in _PROVIDER))
    .where(CompanyProvider.tenant_id == _TENANT)
    .order_by(CompanyProvider.id),
    ("provider_id", *_PROVIDER[1:]),
)
_LINKED = ("user_id", "provider_key", "issuer", "subject", "email", "linked_at")
FILES["linked-accounts.jsonl"] = (
    sa.select(*(getattr(LinkedAccount, name) for name in _LINKED))
    .where(LinkedAccount.company_id == _TENANT)
    .order_by(LinkedAccount.id),
    ("user_id", "provider_id", *_LINKED[2:]),
)
_receiving = aliased(Tenant)
_IS_ASKED = AccessRequest.tenant_id == _TENANT
FILES["access.jsonl"] = (
    sa.select(
        AccessRequest.id,
        sa.case((_IS_ASKED, sa.literal(Side.ASKING)), else_=sa.literal(Side.RECEIVING)),
        *(AccessRequest.user_id, User.email, User.name),
        sa.case(
            (_IS_ASKED, sa.func.coalesce(_receiving.name, AccessRequest.receiving_name)),
            else_=Tenant.name,
        ),
        *(AccessRequest.products, AccessRequest.status, AccessRequest.membership_id),
        *(AccessRequest.asked_at, AccessRequest.decided_at, AccessRequest.configured_at),
        AccessRequest.ends_at,
    )
    .join(User, User.id == AccessRequest.user_id)
    .join(Tenant, Tenant.id == AccessRequest.tenant_id)
    .outerjoin(_receiving, _receiving.id == AccessRequest.receiving_tenant_id)
    .where(
        sa.or_(_IS_ASKED, AccessRequest.receiving_tenant_id == _TENANT),
        AccessRequest.status.in_(sa.literal_column(f"'{each}'") for each in OPEN),
    )
    .order_by(AccessRequest.id),
    (
        *("access_request_id", "side", "user_id", "email", "name", "other_company", "products"),
        *("status", "membership_id", "asked_at", "decided_at", "configured_at", "ends_at"),
    ),
)


def lines(db: Connection, name: str, tenant_id: str, now: float) -> list[bytes]:
    """Of one of FILES."""
    statement, columns = FILES[name]
    rows = db.rows(statement, tenant_id=tenant_id, now=now)
    return [orjson.dumps(_told(dict(zip(columns, row, strict=True)))) + b"\n" for row in rows]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """Lists as lists, whatever they are kept as."""
    if "roles" in row:
        row["roles"] = sorted(set((row["roles"] or "").split()))
    if isinstance(row.get("permissions"), str):
        row["permissions"] = orjson.loads(row["permissions"])
    for name in YES_OR_NO.intersection(row):
        row[name] = bool(row[name])
    return row
