"""Which company has verified a domain, and what it says of those who come from there by
themselves."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from idp.database import Connection
from idp.directory import former_addresses
from idp.directory.domains import Domain, Doubt, doubt_of
from idp.directory.products import CONSOLE
from idp.directory.roles import Role, RolePermission
from idp.directory.tenants import Tenant

SIGN_UP, SIGN_UP_ROLE, SIGN_UP_SINCE = "sign_up", "sign_up_role", "sign_up_since"  # of a policy


class DefaultRole(NamedTuple):
    """`administers` says that it would make an admin of whoever has it."""

    id: str
    key: str
    administers: bool
    made_at: float


class Stated(NamedTuple):
    """What a company says of sign-up: `way` is None if nothing, `role` what those get whom it
    admits, None if there is none of that key; it was said for what there was `since` then."""

    way: str | None = None
    role: DefaultRole | None = None
    since: float | None = None


class Holder(NamedTuple):
    """`policy` is the company's JSON. The domain is its own since `verified_at`; `outcome` and
    `failing_since` are the domain's. `is_known_address` says that somebody there had the
    address."""

    tenant_id: str
    name: str
    status: str
    policy: str
    verified_at: float
    outcome: str | None
    failing_since: float | None = None
    stated: Stated = Stated()
    is_known_address: bool = False

    @property
    def doubt(self) -> Doubt | None:
        return doubt_of(self.outcome, self.failing_since)


_HOLDER = (
    sa.select(
        *(Tenant.id, Tenant.name, Tenant.status, sa.type_coerce(Tenant.policy, sa.Text)),
        *(Domain.verified_at, Domain.outcome, Domain.failing_since),
    )
    .join(Domain, Domain.tenant_id == Tenant.id)
    .where(Domain.name == sa.bindparam("domain"), Domain.verified_at.is_not(None))
)
ADMINISTERS: Any = sa.or_(
    Role.all_permissions,
    sa.exists().where(
        RolePermission.role_id == Role.id,
        RolePermission.product_key == sa.literal_column(f"'{CONSOLE}'"),
    ),
)
_ROLE = sa.select(Role.id, Role.key, ADMINISTERS, Role.created_at).where(
    Role.tenant_id == sa.bindparam("tenant_id"), Role.key == sa.bindparam("role_key")
)


def find(db: Connection, domain: str, email: str) -> Holder | None:
    """Of the domain of a canonical address."""
    row = db.row(_HOLDER, domain=domain)
    if row is None:
        return None
    stated = what_is_stated(db, row[0], orjson.loads(row[3]))
    return Holder._make((*row, stated, former_addresses.is_known(db, row[0], email)))


def what_is_stated(db: Connection, tenant_id: str, policy: dict[str, Any]) -> Stated:
    key = policy.get(SIGN_UP_ROLE)
    row = db.row(_ROLE, tenant_id=tenant_id, role_key=key) if key else None
    role = DefaultRole(row[0], row[1], bool(row[2]), row[3]) if row else None
    return Stated(policy.get(SIGN_UP), role, policy.get(SIGN_UP_SINCE))
