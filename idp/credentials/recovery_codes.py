"""Recovery codes: ten, shown once, each good once, for whoever has lost the other second factors.

80 random bits each, kept as a keyed hash. Making new ones kills the old. Using one removes nothing
else, and the owner is mailed (security.md S53).
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import Origin
from idp.credentials import second_factor_tries
from idp.credentials.enrolled import Evidence, Factor, Hold
from idp.credentials.second_factor_tries import Authenticator
from idp.database import Base, Connection, Database
from idp.secret_values import SecretKeys, new_id
from idp.settings import Settings
from idp.statements import Upsert

METHOD = "recovery"
COUNT = 10
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32: nothing looks like another
LENGTH, GROUP = 16, 4
READ_AS = str.maketrans("ILO", "110", "-")


class RecoverySet(Base):
    """The codes that count; `id` is another one each time that they are made."""

    __tablename__ = "recovery_sets"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[str]
    made_at: Mapped[float]


class RecoveryCode(Base):
    __tablename__ = "recovery_codes"

    code_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("recovery_sets.user_id", ondelete="CASCADE"), index=True
    )
    used_at: Mapped[float | None]


_SET: Any = RecoverySet.__table__
_CODE: Any = RecoveryCode.__table__
_USER_ID = sa.bindparam("user_id", type_=sa.Text)
_FIND = sa.select(_SET.c.id, _SET.c.made_at).where(_SET.c.user_id == _USER_ID)
_USED = sa.select(
    sa.func.count().filter(_CODE.c.used_at.is_(None)), sa.func.max(_CODE.c.used_at)
).where(_CODE.c.user_id == _USER_ID)


def _begin(insert: Any) -> Any:
    names = ("user_id", "id", "made_at")
    row = insert(_SET).values({name: sa.bindparam(name) for name in names})
    replaced = {name: row.excluded[name] for name in names[1:]}
    return row.on_conflict_do_update(index_elements=["user_id"], set_=replaced)


_BEGIN = Upsert(_begin)
_INSERT = sa.insert(_CODE).values({name: sa.bindparam(name) for name in ("code_hash", "user_id")})
_DISCARD = sa.delete(_CODE).where(_CODE.c.user_id == _USER_ID)
_REMOVE = (
    sa.delete(_SET)
    .where(_SET.c.user_id == _USER_ID, _SET.c.id == sa.bindparam("set_id"))
    .returning(_SET.c.id)
)
_SPEND = (
    sa.update(_CODE)
    .where(
        _CODE.c.user_id == _USER_ID,
        _CODE.c.code_hash == sa.bindparam("hashed"),
        _CODE.c.used_at.is_(None),
    )
    .values(used_at=sa.bindparam("now", type_=sa.Double))
    .returning(_CODE.c.code_hash)
)


def renew(
    database: Database, keys: SecretKeys, hold: Hold, user_id: str, now: float, origin: Origin
) -> list[str]:
    """Ten new ones, to be shown this once; the old are dead. Raises what `hold` does."""
    codes = [_new_code() for _ in range(COUNT)]
    with database.transaction() as db:
        hold(db)
        db.run(_BEGIN, user_id=user_id, id=new_id(), made_at=now)  # one after the other
        db.run(_DISCARD, user_id=user_id)
        for code in codes:
            db.run(_INSERT, code_hash=_hashed(keys, user_id, code), user_id=user_id)
        audit.record(db, "recovery_codes.made", now, origin, actor=user_id)
    return codes


def verify(
    database: Database,
    keys: SecretKeys,
    settings: Settings,
    user_id: str,
    claimed_code: str,
    now: float,
    origin: Origin,
) -> Evidence:
    """Raises SecondFactorRefused."""
    with database.transaction() as db:
        set_id, made_at = db.row(_FIND, user_id=user_id) or ("", 0.0)
        hashed = _hashed(keys, user_id, claimed_code)
        second_factor_tries.judge(
            db,
            settings,
            Authenticator(user_id, METHOD, set_id),
            lambda: db.row(_SPEND, user_id=user_id, hashed=hashed, now=now) is not None,
            now,
            origin,
        )
        audit.record(db, "recovery_codes.used", now, origin, actor=user_id, left=left(db, user_id))
    return Evidence(METHOD, made_at)


def left(db: Connection, user_id: str) -> int | None:
    """None where they never had any."""
    return _use(db, user_id)[0] if db.row(_FIND, user_id=user_id) else None


def factors(db: Connection, user_id: str) -> list[Factor]:
    """One for all codes together, labelled by how many are left; none where there are none."""
    made = db.row(_FIND, user_id=user_id)
    count, used_at = _use(db, user_id)
    return [Factor(METHOD, made[0], str(count), made[1], used_at)] if made and count else []


def remove(db: Connection, user_id: str, set_id: str) -> bool:
    """All of them. False if they are not theirs."""
    return db.row(_REMOVE, user_id=user_id, set_id=set_id) is not None


def _use(db: Connection, user_id: str) -> tuple[int, float | None]:
    """How many are left, and when one was last used."""
    row = db.row(_USED, user_id=user_id)
    assert row is not None
    return row[0], row[1]


def _new_code() -> str:
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return "-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def _hashed(keys: SecretKeys, user_id: str, code: str) -> str:
    """However it is written: case, spaces, dashes, and letters that look like digits."""
    plain = "".join(code.upper().split()).translate(READ_AS)
    return keys.blind(f"recovery code:{user_id}:{plain}")
