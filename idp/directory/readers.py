"""Who is written to: people with their addresses and languages, by what they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from idp.database import Connection
from idp.directory import account_admins as account_admins_in
from idp.directory import memberships, tenants, users
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.products import CONSOLE
from idp.directory.roles import Role, RolePermission
from idp.directory.tenants import Tenant
from idp.directory.users import User


class Reader(NamedTuple):
    id: str
    email: str
    name: str
    locale: str


COLUMNS = (User.id, User.email, User.name, User.locale)
_IS_ACTIVE = User.status == sa.literal_column(f"'{users.ACTIVE}'")
_BY_ID = sa.select(*COLUMNS).where(User.id == sa.bindparam("user_id"))
_OPERATORS = sa.select(*COLUMNS).where(User.is_operator, _IS_ACTIVE)
_ACCOUNT_ADMINS = account_admins_in.IN_FORCE.where(Role.tenant_id == sa.bindparam("tenant_id"))
_WHO_MAY = (
    sa.select(*COLUMNS)
    .join_from(User, Membership, Membership.user_id == User.id)
    .join(MembershipRole, MembershipRole.membership_id == Membership.id)
    .join(Role, Role.id == MembershipRole.role_id)
    .join(Tenant, Tenant.id == Role.tenant_id)
    .where(
        Tenant.id == sa.bindparam("tenant_id"),
        Tenant.status == sa.literal_column(f"'{tenants.ACTIVE}'"),
        Membership.source == sa.literal_column(f"'{memberships.HOME}'"),
        sa.literal_column(f"'{memberships.ACTIVE}'") == memberships.STATUS_NOW,
        _IS_ACTIVE,
        sa.or_(
            Role.all_permissions,
            sa.exists().where(
                RolePermission.role_id == Role.id,
                RolePermission.product_key == sa.literal_column(f"'{CONSOLE}'"),
                RolePermission.permission_key == sa.bindparam("permission"),
            ),
        ),
    )
    .distinct()
)


def people(db: Connection, user_ids: Iterable[str | None]) -> list[Reader]:
    """Whatever their status is: who was disabled is told of it."""
    rows = (db.row(_BY_ID, user_id=user_id) for user_id in user_ids if user_id)
    return [Reader._make(row) for row in rows if row]


def operators(db: Connection) -> list[Reader]:
    return [Reader._make(row) for row in db.rows(_OPERATORS)]


def account_admins(db: Connection, tenant_id: str, now: float) -> list[Reader]:
    """Those who can sign in, whatever the tenant's status is."""
    return [Reader._make(row) for row in db.rows(_ACCOUNT_ADMINS, tenant_id=tenant_id, now=now)]


def who_may(db: Connection, tenant_id: str, permission: str, now: float) -> list[Reader]:
    """Those at home in a tenant who hold the console's `permission`, and can use it now."""
    asked = {"tenant_id": tenant_id, "permission": permission, "now": now}
    return [Reader._make(row) for row in db.rows(_WHO_MAY, **asked)]
