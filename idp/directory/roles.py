"""Roles: a tenant's own, each selecting nodes of the products' permission trees."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.database import Base

ACCOUNT_ADMIN = "account_admin"


class Role(Base):
    """`all_permissions` is the built-in account admin's: every node, also of products to come."""

    __tablename__ = "roles"
    __table_args__ = (sa.UniqueConstraint("tenant_id", "key"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"))
    key: Mapped[str]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    all_permissions: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float]

    permissions: Mapped[list[RolePermission]] = relationship(
        lazy="selectin", cascade="all, delete-orphan"
    )


class RolePermission(Base):
    """One node that a role selects. The node may be gone: it then grants nothing."""

    __tablename__ = "role_permissions"

    role_id: Mapped[str] = mapped_column(
        sa.ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True
    )
    product_key: Mapped[str] = mapped_column(primary_key=True)
    permission_key: Mapped[str] = mapped_column(primary_key=True)
