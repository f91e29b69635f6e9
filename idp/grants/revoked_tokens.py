"""One access token is revoked before its time (RFC 7009); its grant lives on."""

from __future__ import annotations

import sqlalchemy as sa

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
_REVOKED = sa.select(RevokedToken.jti).where(RevokedToken.jti == sa.bindparam("jti"))


def revoke(db: Connection, jti: str, expires_at: float) -> None:
    db.run(_REVOKE, jti=jti, expires_at=expires_at)


def is_revoked(db: Connection, jti: str) -> bool:
    return db.row(_REVOKED, jti=jti) is not None
