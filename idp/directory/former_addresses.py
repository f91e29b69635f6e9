"""E-mail addresses that people of a company had, and have no more.

An address lets its reader in by itself once. Whoever comes by one that somebody here had is judged
by an admin, who is told what became of that person: they may be who was disabled or refused, or
somebody new whom the company has given the mailbox to.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection
from idp.directory import memberships
from idp.directory.join_requests import JoinRequest
from idp.directory.memberships import Membership
from idp.statements import Upsert
from idp.tenancy import TenantOwned


class FormerAddress(TenantOwned, Base):
    """`email` is canonical."""

    __tablename__ = "former_addresses"

    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"), primary_key=True)
    email: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )


_TABLE: Any = FormerAddress.__table__
_USER = sa.bindparam("owner_id", type_=sa.Text)
_COMPANIES = sa.union(
    sa.select(Membership.tenant_id).where(
        Membership.user_id == _USER,
        Membership.source == sa.literal_column(f"'{memberships.HOME}'"),
    ),
    sa.select(JoinRequest.tenant_id).where(JoinRequest.user_id == _USER),
)
_OF_COMPANIES = _COMPANIES.subquery()
_KEEP = Upsert(
    lambda insert: (
        insert(_TABLE)
        .from_select(
            ["tenant_id", "email", "user_id"],
            sa.select(_OF_COMPANIES.c.tenant_id, sa.bindparam("email", type_=sa.Text), _USER).where(
                sa.true()
            ),
        )
        .on_conflict_do_nothing()
    )
)
_HAD = sa.select(_TABLE.c.user_id).where(
    _TABLE.c.tenant_id == sa.bindparam("tenant_id"), _TABLE.c.email == sa.bindparam("email")
)


def keep(db: Connection, user_id: str, email: str) -> None:
    """The person leaves the canonical address `email`: their companies know it, whatever they are
    or were there. In the transaction of the change."""
    db.run(_KEEP, owner_id=user_id, email=email)


def is_known(db: Connection, tenant_id: str, email: str) -> bool:
    return db.row(_HAD, tenant_id=tenant_id, email=email) is not None
