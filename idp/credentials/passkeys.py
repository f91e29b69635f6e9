"""Passkeys and security keys: whose they are, and how they come and go. What they prove is in
`assertions.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from secrets import token_bytes
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import Origin
from idp.credentials import webauthn
from idp.credentials.challenges import Errand
from idp.credentials.enrolled import Factor, Hold
from idp.credentials.key_makers import KEEPERS
from idp.credentials.webauthn import Descriptor, Key, Unsound
from idp.database import Base, Connection, Database
from idp.directory import users
from idp.ephemeral import Ephemeral
from idp.errors import Refusal, told
from idp.secret_values import encode, new_id
from idp.settings import Settings
from idp.statements import Upsert

PASSKEY = "passkey"
SECURITY_KEY = "security_key"
MOST = 20  # of one person
MAX_LABEL = 60
HANDLE_BYTES = 64  # section 5.4.3


class PasskeyHandle(Base):
    """How authenticators know a person: random, for life. They may tell it to whoever holds them,
    so it is neither an address nor the `sub` that products know (section 14.6.1)."""

    __tablename__ = "passkey_handles"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    handle: Mapped[str] = mapped_column(unique=True)


class Passkey(Base):
    """`credential_id` and `public_key` (COSE) are base64url; `transports` is separated by spaces.
    `is_user_verified` says whether its word for that counts. An empty `label` is nobody's name for
    it."""

    __tablename__ = "passkeys"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[str]
    sign_count: Mapped[int] = mapped_column(sa.BigInteger)
    transports: Mapped[str]
    aaguid: Mapped[str]
    is_backup_eligible: Mapped[bool]
    is_backed_up: Mapped[bool]
    is_user_verified: Mapped[bool]
    label: Mapped[str]
    enrolled_at: Mapped[float]
    last_used_at: Mapped[float | None]


class TooMany(Refusal):
    def __init__(self) -> None:
        super().__init__(
            "too_many_passkeys",
            told("You have as many passkeys as there can be. Remove one first."),
            "as many as there can be",
        )


class Added(NamedTuple):
    """A new key, and what it proved on the way: `method` is PASSKEY or SECURITY_KEY."""

    id: str
    method: str


class Enrolled(NamedTuple):
    """One of a person's, for them to look at."""

    id: str
    credential_id: str
    transports: str
    aaguid: str
    is_backup_eligible: bool
    is_user_verified: bool
    label: str
    enrolled_at: float
    last_used_at: float | None


_TABLE: Any = Passkey.__table__
_HANDLES: Any = PasskeyHandle.__table__
_OF_USER = (
    sa.select(*(_TABLE.c[name] for name in Enrolled._fields))
    .where(_TABLE.c.user_id == sa.bindparam("user_id"))
    .order_by(_TABLE.c.enrolled_at, _TABLE.c.id)
)
_GIVE_HANDLE = Upsert(
    lambda insert: (
        insert(_HANDLES)
        .values(user_id=sa.bindparam("user_id"), handle=sa.bindparam("handle"))
        .on_conflict_do_nothing(index_elements=["user_id"])
    )
)
_HANDLE_OF = sa.select(_HANDLES.c.handle).where(_HANDLES.c.user_id == sa.bindparam("user_id"))
_NEW: dict[str, Any] = {column.name: sa.bindparam(column.name) for column in Passkey.__table__.c}
_ADD = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values(_NEW)
        .on_conflict_do_nothing(index_elements=["credential_id"])
        .returning(_TABLE.c.id)
    )
)
_TAKE_TURN = (
    sa.update(_HANDLES)
    .where(_HANDLES.c.user_id == sa.bindparam("owner_id"))
    .values(handle=_HANDLES.c.handle)
)
_ID = _TABLE.c.id == sa.bindparam("passkey_id")
_MINE = (_ID, _TABLE.c.user_id == sa.bindparam("owner_id"))
_RENAME = sa.update(_TABLE).where(*_MINE).values(label=sa.bindparam("new_label"))
_REMOVE = sa.delete(_TABLE).where(*_MINE).returning(_TABLE.c.id)


def method_of(is_user_verified: bool) -> str:
    return PASSKEY if is_user_verified else SECURITY_KEY


def factors(method: str) -> Callable[[Connection, str], list[Factor]]:
    """What lists those of a person's that are believed so."""

    def listed(db: Connection, user_id: str) -> list[Factor]:
        return [
            Factor(method, key.id, key.label, key.enrolled_at, key.last_used_at)
            for key in of_user(db, user_id)
            if method_of(key.is_user_verified) == method
        ]

    return listed


def of_user(db: Connection, user_id: str) -> list[Enrolled]:
    """In the order in which they came."""
    return [Enrolled._make(row) for row in db.rows(_OF_USER, user_id=user_id)]


def ask_enrolment(
    settings: Settings, store: Ephemeral, db: Connection, errand: Errand, now: float
) -> dict[str, Any]:
    """For a new key of `errand.user_id`, on an authenticator that has none of theirs."""
    db.run(_GIVE_HANDLE, user_id=errand.user_id, handle=encode(token_bytes(HANDLE_BYTES)))
    row, person = db.row(_HANDLE_OF, user_id=errand.user_id), users.find_person(db, errand.user_id)
    assert row and person
    user = {"id": row[0], "name": person.email, "displayName": person.name or person.email}
    excluded = descriptors(of_user(db, errand.user_id))
    return webauthn.creation_options(settings, store, errand, user, excluded, now)


def descriptors(keys: Sequence[Enrolled]) -> list[Descriptor]:
    return [Descriptor(key.credential_id, tuple(key.transports.split())) for key in keys]


def enrol(
    database: Database,
    store: Ephemeral,
    settings: Settings,
    hold: Hold,
    errand: Errand,
    claimed: str,
    label: str,
    now: float,
    origin: Origin,
) -> Added:
    """A new key of `errand.user_id`, by the name of what keeps it where it has no other. Raises
    Unsound, TooMany, or what `hold` does; nothing has changed then."""
    try:
        answer = webauthn.read(claimed)
        webauthn.spend_challenge(store, errand, answer, now)
        key = webauthn.check_registration(settings, answer)
        with database.transaction() as db:
            hold(db)
            name = clean_label(label) or KEEPERS.get(key.aaguid, "")
            added = _add(db, errand.user_id, key, name, now, origin)
    except (Unsound, TooMany) as refusal:
        with database.transaction() as db:
            why = {"actor": errand.user_id, "reason": refusal.detail}
            audit.record(db, "passkey.refused", now, origin, **why)
        raise
    return Added(added, method_of(key.is_user_verified))


def _add(db: Connection, user_id: str, key: Key, label: str, now: float, origin: Origin) -> str:
    """In the turn of whose it is, so that the last one comes once."""
    db.run(_TAKE_TURN, owner_id=user_id)
    if len(of_user(db, user_id)) >= MOST:
        raise TooMany
    values = key._asdict() | {"transports": " ".join(key.transports)}
    new = {"id": new_id(), "user_id": user_id, "enrolled_at": now, "last_used_at": None}
    if db.row(_ADD, **values, **new, label=label) is None:
        raise Unsound("somebody has it already")
    audit.record(
        *(db, "factor.enrolled", now, origin),
        actor=user_id,
        method=method_of(key.is_user_verified),
        label=label,
        replaces=False,
    )
    return str(new["id"])


def clean_label(claimed: str) -> str:
    """One line of printable characters."""
    printable = "".join(each if each.isprintable() else " " for each in claimed)
    return " ".join(printable.split())[:MAX_LABEL]


def rename(
    db: Connection, user_id: str, passkey_id: str, label: str, now: float, origin: Origin
) -> bool:
    """False if they have no such key. In a transaction."""
    named = clean_label(label)
    if not db.run(_RENAME, passkey_id=passkey_id, owner_id=user_id, new_label=named):
        return False
    audit.record(
        *(db, "passkey.renamed", now, origin), actor=user_id, passkey=passkey_id, label=named
    )
    return True


def remove(db: Connection, user_id: str, factor_id: str) -> bool:
    """False if it is not theirs."""
    return db.row(_REMOVE, passkey_id=factor_id, owner_id=user_id) is not None
