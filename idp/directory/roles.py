"""Roles: a tenant's own, each selecting nodes of the products' permission trees."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.database import Base
from idp.tenancy import TenantOwned

ACCOUNT_ADMIN = "account_admin"
RANK = 10
TOP_RANK = 100


class Role(TenantOwned, Base):
    """`all_permissions` is the built-in account admin's: every node, also of products to come.
    Nobody gives, changes or takes away a role whose `rank` is above their own."""

    __tablename__ = "roles"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "key"),
        sa.Index("uq_roles_id_tenant", "id", "tenant_id", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"))
    key: Mapped[str]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    all_permissions: Mapped[bool] = mapped_column(default=False)
    rank: Mapped[int] = mapped_column(default=RANK)
    created_at: Mapped[float]

    permissions: Mapped[list[RolePermission]] = relationship(
        lazy="selectin", cascade="all, delete-orphan"
    )


class RolePermission(TenantOwned, Base):
    """One node that a role selects. The node may be gone: it then grants nothing."""

    __tablename__ = "role_permissions"
    __table_args__ = (
        # Not by product first: SQLite would look there for one role's nodes among all companies'.
        sa.Index("ix_role_permissions_of_node", "permission_key", "product_key"),
        sa.ForeignKeyConstraint(
            ["role_id", "tenant_id"], ["roles.id", "roles.tenant_id"], ondelete="CASCADE"
        ),
    )

    role_id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    product_key: Mapped[str] = mapped_column(primary_key=True)
    permission_key: Mapped[str] = mapped_column(primary_key=True)
