"""Which company has verified a domain, and what it says of those who come from there by
themselves."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from idp.database import Connection
from idp.directory.domains import Domain
from idp.directory.products import CONSOLE
from idp.directory.roles import Role, RolePermission
from idp.directory.tenants import Tenant

SIGN_UP, SIGN_UP_ROLE = "sign_up", "sign_up_role"  # of a tenant's policy


class DefaultRole(NamedTuple):
    """`administers` says that it would make an admin of whoever has it."""

    id: str
    key: str
    administers: bool


class Holder(NamedTuple):
    """`policy` is the company's JSON, `stated` what it says of sign-up, None if nothing; `role` is
    what those get whom it admits, None if there is none of that name."""

    tenant_id: str
    name: str
    status: str
    policy: str
    stated: str | None
    role: DefaultRole | None


_HOLDER = (
    sa.select(Tenant.id, Tenant.name, Tenant.status, sa.type_coerce(Tenant.policy, sa.Text))
    .join(Domain, Domain.tenant_id == Tenant.id)
    .where(Domain.name == sa.bindparam("domain"), Domain.verified_at.is_not(None))
)
_ROLE = sa.select(
    Role.id,
    Role.key,
    sa.or_(
        Role.all_permissions,
        sa.exists().where(
            RolePermission.role_id == Role.id,
            RolePermission.product_key == sa.literal_column(f"'{CONSOLE}'"),
        ),
    ),
).where(Role.tenant_id == sa.bindparam("tenant_id"), Role.key == sa.bindparam("role_key"))


def find(db: Connection, domain: str) -> Holder | None:
    row = db.row(_HOLDER, domain=domain)
    if row is None:
        return None
    policy: dict[str, Any] = orjson.loads(row[3])
    role = find_role(db, row[0], policy.get(SIGN_UP_ROLE) or "")
    return Holder(row[0], row[1], row[2], row[3], policy.get(SIGN_UP), role)


def find_role(db: Connection, tenant_id: str, key: str) -> DefaultRole | None:
    row = db.row(_ROLE, tenant_id=tenant_id, role_key=key) if key else None
    return DefaultRole(row[0], row[1], bool(row[2])) if row else None
