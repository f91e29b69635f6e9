"""What has become of each signing key, which follows from its dates and its successors'."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp.tokens.signing_keys import KeyRing, SigningKey


class State(StrEnum):
    """In words, as `idp keys list` prints it."""

    WAITING = "published, not signing yet"
    SIGNING = "signing"
    KEPT = "published, no longer signing"
    RETIRED = "retired"
    REVOKED = "revoked"


class KnownKey(NamedTuple):
    kid: str
    alg: str
    created_at: float
    active_from: float
    revoked_at: float | None
    state: State


def known_keys(session: Session, ring: KeyRing, now: float) -> list[KnownKey]:
    """Every key there ever was, by algorithm, the oldest first."""
    every = sa.select(SigningKey).order_by(SigningKey.alg, SigningKey.generation)
    return [
        KnownKey(
            *(key.kid, key.alg, key.created_at, key.active_from, key.revoked_at),
            _state(key, ring, now),
        )
        for key in session.scalars(every)
    ]


def _state(key: SigningKey, ring: KeyRing, now: float) -> State:
    """The ring may be a second old: a key that it does not hold yet has just been made."""
    if key.revoked_at is not None:
        return State.REVOKED
    view = ring.find(key.kid)
    if view is None or view.active_from > now:
        return State.WAITING
    if ring.signer(view.alg, now) is view:
        return State.SIGNING
    return State.KEPT if ring.is_published(view, now) else State.RETIRED
