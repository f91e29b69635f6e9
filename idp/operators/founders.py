"""Whose a company is, as an operator reads it before they confirm it (product.md S5).

An account changes its address afterwards, and a company that lets nobody open an account by its
domain does not stop that (docs/console.md): so the address with which somebody founded is kept, and
each address says whose its domain is if it is another company's.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp.directory import domain_names
from idp.directory.domains import Domain
from idp.directory.operating import Operation
from idp.directory.tenants import Tenant
from idp.directory.users import canonical_email
from idp.operators import tenants


class Other(NamedTuple):
    slug: str
    name: str


class Address(NamedTuple):
    """`verified_by` is the other company that has verified its domain."""

    email: str
    verified_by: Other | None


class Founders(NamedTuple):
    """`founded_with` is None for a company that nobody founded by opening an account."""

    founded_with: Address | None
    account_admins: list[Address]


_VERIFIED_BY = (
    sa.select(Tenant.slug, Tenant.name)
    .join(Domain, Domain.tenant_id == Tenant.id)
    .where(
        Domain.name == sa.bindparam("domain"),
        Domain.verified_at.is_not(None),
        Tenant.id != sa.bindparam("tenant_id"),
    )
)


def find(operation: Operation, tenant: Tenant) -> Founders:
    """Raises Forbidden."""
    admins = tenants.account_admins(operation, tenant)
    founded_with = tenant.founded_email
    return Founders(
        _address(operation, tenant, founded_with) if founded_with else None,
        [_address(operation, tenant, admin.email) for admin in admins],
    )


def _address(operation: Operation, tenant: Tenant, email: str) -> Address:
    domain = domain_names.of_address(canonical_email(email) or "")
    row = operation.db.row(_VERIFIED_BY, domain=domain or "", tenant_id=tenant.id)
    return Address(email, Other._make(row) if row else None)
