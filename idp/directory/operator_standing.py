"""What an operator may open by signing in at a client of the platform's: the counterpart of a
membership's `Standing`, and like it read from the rows each time, never from a cache.

It is of no company, and opens what is the platform's own and nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp.database import Connection
from idp.directory import users
from idp.directory.catalog import ProductView
from idp.directory.memberships import Standing
from idp.directory.users import User


class OperatorStanding(NamedTuple):
    """`operator_term` is the one that goes on, None for whoever is no operator; with a grant, None
    too where it is another than the grant's."""

    operator_term: str | None
    user_status: str

    @property
    def membership_id(self) -> None:
        return None

    @property
    def tenant_id(self) -> None:
        return None

    @property
    def tenant(self) -> None:
        return None

    @property
    def tenant_name(self) -> str:
        return ""

    @property
    def tenant_policy(self) -> str:
        return "{}"

    @property
    def ends_at(self) -> None:
        return None

    @property
    def access_request_id(self) -> None:
        return None

    @property
    def is_active(self) -> bool:
        return self.operator_term is not None and self.user_status == users.ACTIVE

    @property
    def rests_on(self) -> str:
        return self.operator_term or ""

    def permissions(self, product: ProductView) -> list[str]:
        """All nodes of the platform's tree: each operator has them."""
        is_theirs = self.is_active and product.is_platform
        return sorted(product.permission_keys) if is_theirs else []

    def opens(self, product: ProductView) -> bool:
        return bool(self.permissions(product))


AnyStanding = Standing | OperatorStanding

TERM = sa.case((User.is_operator.is_(sa.true()), User.operator_term))
_STANDING = sa.select(TERM, User.status).where(User.id == sa.bindparam("user_id"))


def operator_standing(db: Connection, user_id: str) -> OperatorStanding:
    row = db.row(_STANDING, user_id=user_id)
    return OperatorStanding(*row) if row else OperatorStanding(None, users.DISABLED)
