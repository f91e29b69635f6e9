"""One access token is revoked before its time (RFC 7009); its grant lives on."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from idp import restorations
from idp.database import Connection
from idp.grants.grant_row import RevokedToken
from idp.statements import Upsert

_REVOKE = Upsert(
    lambda insert: (
        insert(RevokedToken.__table__)
        .values(jti=sa.bindparam("jti"), expires_at=sa.bindparam("expires_at"))
        .on_conflict_do_nothing(index_elements=["jti"])
    )
)
_REVOKED: sa.Select[Any] = sa.select(sa.literal_column("1", sa.Integer)).where(
    sa.or_(
        sa.exists().where(RevokedToken.jti == sa.bindparam("jti")),
        restorations.is_after("issued_at"),
    )
)


def revoke(db: Connection, jti: str, expires_at: float) -> None:
    db.run(_REVOKE, jti=jti, expires_at=expires_at)


def is_revoked(db: Connection, jti: str, issued_at: float) -> bool:
    """Also for a token that was issued before the database was restored: nobody knows any more
    whether it was."""
    return db.row(_REVOKED, jti=jti, issued_at=issued_at) is not None
