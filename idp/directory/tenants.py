"""Tenants: the client companies. Everything of one is invisible to every other."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, validates

from idp.columns import ByteText, JsonText
from idp.database import Base

ACTIVE = "active"
SUSPENDED = "suspended"
ENDED = "ended"

IS_UNCONFIRMED = sa.text("confirmed_at IS NULL")


class Tenant(Base):
    """`policy` holds what differs from the platform's defaults (`policies/`). `name_folded` is what
    lists are ordered and searched by. One that has ended never comes back, and its slug is never
    another's. Until `confirmed_at` it may do little (`confirming`). Whoever founded it by opening
    an account did so with the address `founded_email`, from the network `founded_from`, blinded.
    Nothing that was granted in it until `sign_ins_valid_after` counts any more."""

    __tablename__ = "tenants"
    __table_args__ = (
        sa.Index("ix_tenants_name_folded", "name_folded", "id"),
        sa.Index("ix_tenants_status_name_folded", "status", "name_folded", "id"),
        sa.Index(
            "ix_tenants_unconfirmed",
            *("name_folded", "id"),
            sqlite_where=IS_UNCONFIRMED,
            postgresql_where=IS_UNCONFIRMED,
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(ByteText, unique=True)
    name: Mapped[str]
    name_folded: Mapped[str] = mapped_column(ByteText, server_default="")
    status: Mapped[str] = mapped_column(sa.Text, default=ACTIVE)
    policy: Mapped[dict[str, Any]] = mapped_column(JsonText, default=dict)
    created_at: Mapped[float]
    confirmed_at: Mapped[float | None]
    founded_email: Mapped[str | None]
    founded_from: Mapped[str | None]
    sign_ins_valid_after: Mapped[float] = mapped_column(default=0.0, server_default=sa.text("0"))

    @validates("name")
    def _fold_name(self, _column: str, name: str) -> str:
        self.name_folded = folded(name)
        return name


def called(name: str, slug: str) -> str:
    """As people of other companies read it: the name is the company's own choice, and the slug no
    other's."""
    return f"{name} ({slug})"


def alike(names: Iterable[str]) -> frozenset[str]:
    """Those that more than one goes by, `folded`."""
    counted = Counter(map(folded, names))
    return frozenset(name for name, times in counted.items() if times > 1)


def folded(name: str) -> str:
    """The one form of a name, whatever its case."""
    return unicodedata.normalize("NFKC", name).casefold()
