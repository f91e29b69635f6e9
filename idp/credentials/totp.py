"""Codes of an authenticator app (RFC 6238): SHA-1, six digits, thirty seconds, as every app has it.

The current step counts and the one before it, for latency. A step is used once and never again, nor
any older one: one conditional write, also for the code that confirmed the enrolment (security.md
S49). The secret is sealed, and bound to its person. One app for each person.
"""

from __future__ import annotations

from typing import Any

import pyotp
import sqlalchemy as sa
from pyotp.exceptions import OTPVerificationError
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import Origin
from idp.credentials import second_factor_tries
from idp.credentials.enrolled import Evidence, Factor, Hold
from idp.credentials.second_factor_tries import WRONG, Authenticator, SecondFactorRefused
from idp.database import Base, Connection, Database
from idp.ephemeral import Ephemeral
from idp.secret_values import SecretKeys, new_id
from idp.settings import Settings
from idp.statements import Upsert

METHOD = "totp"
PURPOSE = "totp of {user_id}"
STEP = 30
SHOWN_AS = "Latchkey"
GROUP = 4


class TotpAuthenticator(Base):
    """`last_step` is the newest step that was used: seconds since 1970, divided by thirty."""

    __tablename__ = "totp_authenticators"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[str] = mapped_column(unique=True)
    sealed_secret: Mapped[str]
    last_step: Mapped[int] = mapped_column(sa.BigInteger)
    enrolled_at: Mapped[float]
    last_used_at: Mapped[float | None]


_TABLE: Any = TotpAuthenticator.__table__
_OF_USER = _TABLE.c.user_id == sa.bindparam("user_id")
_FIND = sa.select(_TABLE.c.id, _TABLE.c.sealed_secret, _TABLE.c.enrolled_at).where(_OF_USER)
_LIST = sa.select(_TABLE.c.id, _TABLE.c.enrolled_at, _TABLE.c.last_used_at).where(_OF_USER)
_SPEND = (
    sa.update(_TABLE)
    .where(
        _TABLE.c.id == sa.bindparam("authenticator_id"),
        _TABLE.c.last_step < sa.bindparam("step", type_=sa.BigInteger),
    )
    .values(
        last_step=sa.bindparam("step", type_=sa.BigInteger),
        last_used_at=sa.bindparam("now", type_=sa.Double),
    )
    .returning(_TABLE.c.id)
)
_REMOVE = (
    sa.delete(_TABLE)
    .where(_OF_USER, _TABLE.c.id == sa.bindparam("factor_id"))
    .returning(_TABLE.c.id)
)


def _store(insert: Any) -> Any:
    names = ("user_id", "id", "sealed_secret", "last_step", "enrolled_at")
    row = insert(_TABLE).values({name: sa.bindparam(name) for name in names})
    replaced = {name: row.excluded[name] for name in names[1:]}
    return row.on_conflict_do_update(
        index_elements=["user_id"], set_={**replaced, "last_used_at": sa.null()}
    )


_STORE = Upsert(_store)


class Offer:
    """A secret that is shown to be enrolled, and not stored yet."""

    def __init__(self, secret: str, email: str) -> None:
        self.secret = secret
        self.address = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=SHOWN_AS)

    @property
    def groups(self) -> str:
        """The secret for typing it in."""
        starts = range(0, len(self.secret), GROUP)
        return " ".join(self.secret[start : start + GROUP] for start in starts)

    def picture(self) -> str:
        """A QR code as SVG without a style, for a page that allows none."""
        import segno  # asked for by few

        code = segno.make(self.address, micro=False, error="m")
        return code.svg_inline(omitsize=True, lineclass=None, svgclass="qr", light="#fff")


def offer(
    store: Ephemeral, user_id: str, email: str, binding: str, lifetime: float, now: float
) -> Offer:
    """The same each time that it is shown to one browser (`binding`), until it is enrolled."""
    key = _offer_key(user_id, binding)
    secret = store.read(key, now)
    if secret is None:
        secret = pyotp.random_base32()
        store.put(key, secret, lifetime, now)
    return Offer(secret, email)


def enrol(
    database: Database,
    store: Ephemeral,
    keys: SecretKeys,
    hold: Hold,
    user_id: str,
    binding: str,
    claimed_code: str,
    now: float,
    origin: Origin,
) -> Evidence:
    """Store what was offered, if the code shows that an app has it; it replaces the one before. Of
    two who confirm one offer, one does. Raises SecondFactorRefused, and what `hold` does."""
    key = _offer_key(user_id, binding)
    secret = store.read(key, now)
    step = _step(secret, claimed_code, now) if secret else None
    if secret is None or step is None or store.take(key, now) != secret:
        raise SecondFactorRefused(WRONG)
    with database.transaction() as db:
        hold(db)
        replaced = db.row(_FIND, user_id=user_id)
        if replaced:
            second_factor_tries.forget(db, replaced[0])
        db.run(
            _STORE,
            user_id=user_id,
            id=new_id(),
            sealed_secret=keys.encrypt(secret.encode(), _purpose(user_id)),
            last_step=step,
            enrolled_at=now,
        )
        audit.record(
            *(db, "factor.enrolled", now, origin),
            actor=user_id,
            method=METHOD,
            replaces=replaced is not None,
        )
    return Evidence(METHOD, now)


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
        authenticator_id, sealed, enrolled_at = db.row(_FIND, user_id=user_id) or ("", "", 0.0)

        def spend() -> bool:
            secret = keys.decrypt(sealed, _purpose(user_id)).decode()
            step = _step(secret, claimed_code, now)
            return step is not None and _spend(db, authenticator_id, step, now)

        tried = Authenticator(user_id, METHOD, authenticator_id)
        second_factor_tries.judge(db, settings, tried, spend, now, origin)
    return Evidence(METHOD, enrolled_at)


def factors(db: Connection, user_id: str) -> list[Factor]:
    """At most one."""
    return [
        Factor(METHOD, factor_id, "", enrolled_at, last_used_at)
        for factor_id, enrolled_at, last_used_at in db.rows(_LIST, user_id=user_id)
    ]


def remove(db: Connection, user_id: str, factor_id: str) -> bool:
    """False if it is not theirs."""
    return db.row(_REMOVE, user_id=user_id, factor_id=factor_id) is not None


def _spend(db: Connection, authenticator_id: str, step: int, now: float) -> bool:
    """True for one of all who use a step, and for none once a newer one was used."""
    return db.row(_SPEND, authenticator_id=authenticator_id, step=step, now=now) is not None


def _step(secret: str, claimed_code: str, now: float) -> int | None:
    """The step that the code is of, the current one or the one before."""
    code = "".join(claimed_code.split())
    for at in (now, now - STEP):
        try:
            return pyotp.TOTP(secret).verify_and_get_timecode(code, for_time=at)
        except OTPVerificationError:
            continue
    return None


def _purpose(user_id: str) -> str:
    return PURPOSE.format(user_id=user_id)


def _offer_key(user_id: str, binding: str) -> str:
    return f"totp offer:{user_id}:{binding}"
