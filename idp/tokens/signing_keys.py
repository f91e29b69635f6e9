"""Signing keys: published before they sign, and still published when they no longer do.

A key's whole life follows from three columns (`active_from`, its successor's, `revoked_at`), so
there is no state to move. Private halves are encrypted (`secret_values.py`), and go once they sign
no more (`key_schedule.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import NOWHERE, Origin
from idp.columns import JsonText
from idp.database import Base, Connection, Database
from idp.directory import catalog_version
from idp.directory.catalog_version import NO_CLIENT
from idp.errors import SetupMistake
from idp.secret_values import SecretKeys
from idp.statements import Upsert
from idp.tokens.key_pairs import (
    ALGORITHMS,
    PrivateKey,
    PublicKey,
    generate,
    public_jwk_of,
    public_key_of,
)

PURPOSE = "{kid}"
CLOCK_SKEW = 60.0


class SigningKey(Base):
    """`generation` counts per algorithm; its uniqueness makes fifty rotations at once one.
    `private_key` is empty once it is gone."""

    __tablename__ = "signing_keys"
    __table_args__ = (sa.UniqueConstraint("alg", "generation"),)

    kid: Mapped[str] = mapped_column(primary_key=True)
    alg: Mapped[str]
    generation: Mapped[int]
    private_key: Mapped[str]
    public_jwk: Mapped[dict[str, Any]] = mapped_column(JsonText)
    created_at: Mapped[float]
    active_from: Mapped[float]
    revoked_at: Mapped[float | None]


class By(NamedTuple):
    """Who makes or revokes a key: a person or a client, or whoever is at the command line."""

    actor: str | None = None
    client: str | None = None
    origin: Origin = NOWHERE


NOBODY = By()


@dataclass(frozen=True)
class KeyView:
    """A key ready to verify, and to sign as long as there is a private half."""

    kid: str
    alg: str
    generation: int
    private: PrivateKey | None
    public: PublicKey
    public_jwk: dict[str, Any]
    active_from: float


@dataclass(frozen=True)
class KeyRing:
    """All keys that are not revoked. `retention` is the life of the longest-lived token."""

    keys: tuple[KeyView, ...]
    retention: float
    _jwks: dict[tuple[str, ...], tuple[bytes, str]] = field(default_factory=dict, repr=False)

    def signer(self, alg: str, now: float) -> KeyView:
        """The newest key of that algorithm that has come into force."""
        for key in self._newest_first:
            if key.alg == alg and key.active_from <= now:
                return key
        raise SetupMistake(f"There is no signing key for {alg}: run `idp keys rotate`.")

    @cached_property
    def _newest_first(self) -> list[KeyView]:
        return sorted(self.keys, key=lambda key: -key.generation)

    @cached_property
    def by_kid(self) -> dict[str, KeyView]:
        return {key.kid: key for key in self.keys}

    def find(self, kid: str) -> KeyView | None:
        return self.by_kid.get(kid)

    def is_published(self, key: KeyView, now: float) -> bool:
        """From its making until the last token that it can have signed has expired."""
        return self._published_until[key.kid] > now

    @cached_property
    def _published_until(self) -> dict[str, float]:
        return {key.kid: self._replaced_at(key) + self.retention + CLOCK_SKEW for key in self.keys}

    def _replaced_at(self, key: KeyView) -> float:
        successors = (
            other.active_from
            for other in self.keys
            if other.alg == key.alg and other.generation > key.generation
        )
        return min(successors, default=math.inf)

    def jwks(self, now: float) -> tuple[bytes, str]:
        """The JWK Set (RFC 7517 section 5) and its ETag, encoded once for each set of keys."""
        names = tuple(kid for kid, until in self._published_until.items() if until > now)
        if names not in self._jwks:
            body = orjson.dumps({"keys": [self.by_kid[kid].public_jwk for kid in names]})
            self._jwks[names] = (body, f'"{sha256(body).hexdigest()[:32]}"')
        return self._jwks[names]


_TABLE: Any = SigningKey.__table__
_INSERT = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values(
            kid=sa.bindparam("kid"),
            alg=sa.bindparam("alg"),
            generation=sa.bindparam("generation"),
            private_key=sa.bindparam("private_key"),
            public_jwk=sa.bindparam("public_jwk", type_=sa.Text),
            created_at=sa.bindparam("created_at"),
            active_from=sa.bindparam("active_from"),
        )
        .on_conflict_do_nothing(index_elements=["alg", "generation"])
        .returning(_TABLE.c.kid)
    )
)
_LATEST = (
    sa.select(_TABLE.c.generation, _TABLE.c.active_from, _TABLE.c.revoked_at)
    .where(_TABLE.c.alg == sa.bindparam("alg"))
    .order_by(_TABLE.c.generation.desc())
)
_NEWER_THAT_SIGNS = sa.select(_TABLE.c.kid).where(
    _TABLE.c.alg == sa.bindparam("alg"),
    _TABLE.c.generation > sa.bindparam("generation", type_=sa.Integer),
    _TABLE.c.active_from <= sa.bindparam("now", type_=sa.Double),
    _TABLE.c.revoked_at.is_(None),
)
_REVOKE = (
    sa.update(_TABLE)
    .where(_TABLE.c.kid == sa.bindparam("revoked_kid"), _TABLE.c.revoked_at.is_(None))
    .values(revoked_at=sa.bindparam("now"), private_key="")
    .returning(_TABLE.c.alg, _TABLE.c.generation, _TABLE.c.active_from)
)


def load_key_ring(database: Database, secret_keys: SecretKeys, retention: float) -> KeyRing:
    with database.session(read_only=True) as session:
        alive = sa.select(SigningKey).where(SigningKey.revoked_at.is_(None))
        rows = session.scalars(alive.order_by(SigningKey.alg, SigningKey.generation)).all()
        return KeyRing(tuple(_view(row, secret_keys) for row in rows), retention)


def ensure(db: Connection, secret_keys: SecretKeys, now: float) -> None:
    """Make the first key of each algorithm, in force at once."""
    for alg in ALGORITHMS:
        if not db.row(_LATEST, alg=alg):
            _make(db, secret_keys, alg, generation=1, active_from=now, now=now)


def rotate(
    db: Connection,
    secret_keys: SecretKeys,
    alg: str,
    lead: float,
    now: float,
    by: By = NOBODY,
) -> str | None:
    """Make the next key, to sign from `now + lead`; its kid, or None if one is waiting already."""
    latest = db.row(_LATEST, alg=alg)
    if latest is None:
        return _make(db, secret_keys, alg, 1, now, now, by)
    generation, active_from, revoked_at = latest
    if revoked_at is None and active_from > now:
        return None
    return _make(db, secret_keys, alg, int(generation) + 1, now + lead, now, by)


def revoke(
    db: Connection,
    secret_keys: SecretKeys,
    kid: str,
    now: float,
    by: By = NOBODY,
) -> bool:
    """An emergency: what the key has signed is worthless. If it was the one that signs, a new one
    does at once, unknown to products as it is; an older one never comes back."""
    row = db.row(_REVOKE, revoked_kid=kid, now=now)
    if row is None:
        return False
    alg, generation, active_from = row
    newer = db.row(_NEWER_THAT_SIGNS, alg=alg, generation=generation, now=now)
    if active_from <= now and newer is None:
        _make_at_once(db, secret_keys, alg, now, by)
    detail = {"kid": kid, "alg": alg}
    audit.record(
        *(db, "signing_key.revoked", now, by.origin), actor=by.actor, client=by.client, **detail
    )
    catalog_version.touch(db, NO_CLIENT)
    return True


def _make_at_once(db: Connection, secret_keys: SecretKeys, alg: str, now: float, by: By) -> None:
    """One more than there are, for as long as somebody else makes the next one meanwhile: theirs
    waits before it signs."""
    made = None
    while made is None:
        latest = db.row(_LATEST, alg=alg)
        assert latest is not None
        made = _make(db, secret_keys, alg, int(latest[0]) + 1, now, now, by)


def _make(
    db: Connection,
    secret_keys: SecretKeys,
    alg: str,
    generation: int,
    active_from: float,
    now: float,
    by: By = NOBODY,
) -> str | None:
    private = generate(alg)
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public_jwk = public_jwk_of(private, alg)
    made = db.row(
        _INSERT,
        kid=public_jwk["kid"],
        alg=alg,
        generation=generation,
        private_key=secret_keys.encrypt(der, PURPOSE.format(kid=public_jwk["kid"])),
        public_jwk=orjson.dumps(public_jwk).decode(),
        created_at=now,
        active_from=active_from,
    )
    if made is None:
        return None
    detail = {"kid": made[0], "alg": alg, "active_from": active_from}
    audit.record(
        *(db, "signing_key.made", now, by.origin), actor=by.actor, client=by.client, **detail
    )
    catalog_version.touch(db, NO_CLIENT)
    return str(made[0])


def _view(row: SigningKey, secret_keys: SecretKeys) -> KeyView:
    return KeyView(
        kid=row.kid,
        alg=row.alg,
        generation=row.generation,
        private=_private(row, secret_keys) if row.private_key else None,
        public=public_key_of(row.public_jwk),
        public_jwk=row.public_jwk,
        active_from=row.active_from,
    )


def _private(row: SigningKey, secret_keys: SecretKeys) -> PrivateKey:
    """The value is authenticated, so checking the RSA numbers again (35 ms) would prove nothing."""
    private: Any = load_der_private_key(
        secret_keys.decrypt(row.private_key, PURPOSE.format(kid=row.kid)),
        password=None,
        unsafe_skip_rsa_key_validation=True,
    )
    return private  # type: ignore[no-any-return]
