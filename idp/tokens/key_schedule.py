"""What time does to signing keys: the next one of each algorithm is made, and private halves that
sign no more are erased. Any worker may do it, and any number of them at once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from idp.database import Connection
from idp.tokens.key_pairs import ALGORITHMS
from idp.tokens.signing_keys import CLOCK_SKEW, SigningKey

_TABLE: Any = SigningKey.__table__
_NEWER = sa.alias(_TABLE)
_YOUNG = sa.select(_TABLE.c.alg).where(
    _TABLE.c.active_from > sa.bindparam("since", type_=sa.Double), _TABLE.c.revoked_at.is_(None)
)
_IS_REPLACED = sa.exists().where(
    _NEWER.c.alg == _TABLE.c.alg,
    _NEWER.c.generation > _TABLE.c.generation,
    _NEWER.c.active_from <= sa.bindparam("since", type_=sa.Double),
    _NEWER.c.revoked_at.is_(None),
)
_ERASE = (
    sa.update(_TABLE)
    .where(_TABLE.c.private_key != "", sa.or_(_TABLE.c.revoked_at.is_not(None), _IS_REPLACED))
    .values(private_key="")
)


def due(db: Connection, max_age: float, now: float) -> list[str]:
    """The algorithms whose newest key came into force `max_age` seconds ago or earlier, and that
    have none waiting."""
    young = {row[0] for row in db.rows(_YOUNG, since=now - max_age)}
    return [alg for alg in ALGORITHMS if alg not in young]


def erase_spent(db: Connection, now: float) -> int:
    """How many private halves went: of revoked keys, and of those that a newer one has replaced
    for every process, however late its clock."""
    return db.run(_ERASE, since=now - CLOCK_SKEW)
