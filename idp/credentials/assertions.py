"""What a passkey or a security key proves, and about whom.

Used with the person verified (PIN, finger, face) it is a passkey: both factors, and a way in
without a password (product.md M11). Without, it is a security key, a second factor alone. A key
that was enrolled without is not believed when it says otherwise, until it has said so beside
another factor (WebAuthn Level 3 section 4, `uvInitialized`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import audit, limits
from idp.audit import Origin
from idp.credentials import challenges, passkeys, tries, webauthn
from idp.credentials.challenges import Errand
from idp.credentials.passkeys import PASSKEY, Passkey, PasskeyHandle
from idp.credentials.webauthn import Answer, Assertion, Unsound
from idp.database import Connection, Database
from idp.directory import users
from idp.directory.users import Person, User
from idp.ephemeral import Ephemeral
from idp.settings import Settings


class Proven(NamedTuple):
    """`method` is PASSKEY or SECURITY_KEY."""

    person: Person
    method: str
    enrolled_at: float


class UnknownPasskey(Unsound):
    """Nobody has it (any more): whoever keeps it may forget it."""

    def __init__(self, credential_id: str) -> None:
        super().__init__("unknown passkey")
        self.credential_id = credential_id


class _Owned(NamedTuple):
    id: str
    public_key: str
    is_backup_eligible: bool
    is_user_verified: bool
    label: str
    enrolled_at: float
    handle: str


_TABLE: Any = Passkey.__table__
_HANDLES: Any = PasskeyHandle.__table__
_FIND = (
    sa.select(*(_TABLE.c[name] for name in _Owned._fields[:-1]), _HANDLES.c.handle)
    .add_columns(*users.PERSON_COLUMNS)
    .select_from(_TABLE)
    .join(_HANDLES, _HANDLES.c.user_id == _TABLE.c.user_id)
    .join(User, User.id == _TABLE.c.user_id)
    .where(_TABLE.c.credential_id == sa.bindparam("credential_id"))
)
_COUNTED = sa.bindparam("counted", type_=sa.BigInteger)
_USE = (
    sa.update(_TABLE)
    .where(
        _TABLE.c.id == sa.bindparam("passkey_id"),
        sa.or_(_TABLE.c.sign_count < _COUNTED, sa.and_(_TABLE.c.sign_count == 0, _COUNTED == 0)),
    )
    .values(
        sign_count=_COUNTED,
        is_backed_up=sa.bindparam("backed_up"),
        is_user_verified=sa.bindparam("verified"),
        last_used_at=sa.bindparam("used_at"),
    )
    .returning(_TABLE.c.id)
)


def ask_sign_in(settings: Settings, store: Ephemeral, errand: Errand, now: float) -> dict[str, Any]:
    """The same for everybody: whose passkey there is, the browser finds out (security.md S44)."""
    return webauthn.request_options(settings, store, errand, (), now)


def ask_second_factor(
    settings: Settings,
    store: Ephemeral,
    db: Connection,
    errand: Errand,
    keys: frozenset[str],
    now: float,
) -> dict[str, Any]:
    """For one of those keys of `errand.user_id`."""
    theirs = [each for each in passkeys.of_user(db, errand.user_id) if each.id in keys]
    allowed = passkeys.descriptors(theirs)
    return webauthn.request_options(settings, store, errand, allowed, now)


def prove(
    database: Database,
    store: Ephemeral,
    settings: Settings,
    errand: Errand,
    claimed: str,
    now: float,
    origin: Origin,
) -> Proven:
    """What the browser's answer proves: for a sign-in about whoever it is, with the person
    verified; for a second factor about `errand.user_id`. Raises Unsound, or TooManyTries."""
    owner: Person | None = None
    with database.transaction() as db:
        ration = tries.take_passkey(db, settings, now, origin)
    try:
        answer = webauthn.read(claimed)
        webauthn.spend_challenge(store, errand, answer, now)
        with database.connection() as db:
            owned, owner = _find(db, answer)
        _check_owner(errand, answer, owned, owner)
        assertion = webauthn.check_assertion(
            settings,
            answer,
            expected_key=owned.public_key,
            expected_backup_eligible=bool(owned.is_backup_eligible),
            require_user_verification=errand.purpose == challenges.SIGN_IN,
        )
        method = _method(errand, owned, assertion)
        _use(database, owned, owner, assertion, ration, now, origin)
    except Unsound as refusal:
        _record_failure(database, errand, owner, refusal, now, origin)
        raise
    return Proven(owner, method, owned.enrolled_at)


def _find(db: Connection, answer: Answer) -> tuple[_Owned, Person]:
    row = db.row(_FIND, credential_id=answer.credential_id)
    if row is None:
        raise UnknownPasskey(answer.credential_id)
    own = len(_Owned._fields)
    return _Owned._make(row[:own]), Person._make(row[own:])


def _check_owner(errand: Errand, answer: Answer, owned: _Owned, owner: Person) -> None:
    """Section 7.2, steps 5 and 6: where nobody was known before, the authenticator says who it is;
    and it never says somebody else."""
    is_known = errand.purpose != challenges.SIGN_IN
    if is_known and owner.id != errand.user_id:
        raise Unsound("somebody else's passkey")
    if answer.user_handle != owned.handle and not (is_known and answer.user_handle is None):
        raise Unsound("it was made for another account")
    if owner.status != users.ACTIVE:
        raise Unsound("disabled")


def _method(errand: Errand, owned: _Owned, assertion: Assertion) -> str:
    is_believed = assertion.is_user_verified and owned.is_user_verified
    if errand.purpose == challenges.SIGN_IN and not is_believed:
        raise Unsound("it was enrolled without verifying the person")
    return passkeys.method_of(is_believed)


def _use(
    database: Database,
    owned: _Owned,
    owner: Person,
    assertion: Assertion,
    ration: str,
    now: float,
    origin: Origin,
) -> None:
    """One conditional write: the counter goes up, or is not kept at all (section 6.1.1). A try that
    was right is given back."""
    with database.transaction() as db:
        is_counted = db.row(
            _USE,
            passkey_id=owned.id,
            counted=assertion.sign_count,
            backed_up=assertion.is_backed_up,
            verified=bool(owned.is_user_verified) or assertion.is_user_verified,
            used_at=now,
        )
        if is_counted is None:
            audit.record(
                *(db, "passkey.count_fell", now, origin),
                actor=owner.id,
                passkey=owned.id,
                label=owned.label,
            )
            raise Unsound("its counter did not go up")
        limits.give_back_ration(db, ration, now)


def _record_failure(
    database: Database,
    errand: Errand,
    owner: Person | None,
    refusal: Unsound,
    now: float,
    origin: Origin,
) -> None:
    """Of who was to prove it, else of whose key it is."""
    is_sign_in = errand.purpose == challenges.SIGN_IN
    tag = "sign_in.failed" if is_sign_in else "second_factor.failed"
    actor = errand.user_id or (owner.id if owner else None)
    with database.transaction() as db:
        audit.record(db, tag, now, origin, actor=actor, method=PASSKEY, reason=refusal.detail)
