"""Tenants: the client companies. Everything of one is invisible to every other."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, JsonText

ACTIVE = "active"
SUSPENDED = "suspended"


class Tenant(Base):
    """`policy` holds what differs from the platform's defaults (`policies/`)."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(sa.Text, default=ACTIVE)
    policy: Mapped[dict[str, Any]] = mapped_column(JsonText, default=dict)
    created_at: Mapped[float]
