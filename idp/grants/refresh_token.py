"""grant_type=refresh_token: families, rotation, reuse detection (RFC 9700 section 4.14.2).

A token is `handle | generation | MAC`. The handle (256 random bits) finds the family by its SHA-256
and is the same in every generation; the MAC, by a key that is not in the database, makes each
generation unforgeable. So the database alone makes no token, an old one is recognised for ever
without being kept, and a retry within the grace gets exactly the successor that was lost.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp.database import Connection
from idp.directory.memberships import Membership
from idp.errors import OAuthRefusal
from idp.grants import grant, grant_state
from idp.grants.grant import Replayed
from idp.grants.grant_row import Grant
from idp.grants.grant_state import GrantState
from idp.grants.redemption import Redemption
from idp.grants.target import Target
from idp.oidc.confirmation import Confirmation
from idp.secret_values import SecretKeys, decode, encode, fingerprint

HANDLE_CHARACTERS = 43
GENERATION_BYTES = 4
TOKEN_CHARACTERS = HANDLE_CHARACTERS + 48  # generation and MAC are 36 bytes
MAX_GRACE_USES = 10

_TABLE: Any = Grant.__table__
_ALIVE = (_TABLE.c.id == sa.bindparam("grant_id"), _TABLE.c.ended_at.is_(None))
_IDLE: Any = sa.bindparam("new_idle_expires_at")
_KEEP = sa.update(_TABLE).where(*_ALIVE).values(idle_expires_at=_IDLE).returning(_TABLE.c.id)
_ROTATE = (
    sa.update(_TABLE)
    .where(*_ALIVE, _TABLE.c.generation == sa.bindparam("spent", type_=sa.Integer))
    .values(
        generation=_TABLE.c.generation + 1,
        rotated_at=sa.bindparam("now"),
        grace_uses=0,
        idle_expires_at=_IDLE,
        jkt=sa.func.coalesce(_TABLE.c.jkt, sa.bindparam("new_jkt", type_=sa.Text)),
        x5t=sa.func.coalesce(_TABLE.c.x5t, sa.bindparam("new_x5t", type_=sa.Text)),
    )
    .returning(_TABLE.c.id)
)
_USE_GRACE = (
    sa.update(_TABLE)
    .where(
        *_ALIVE,
        _TABLE.c.generation == sa.bindparam("successor", type_=sa.Integer),
        _TABLE.c.rotated_at > sa.bindparam("grace_since", type_=sa.Double),
        _TABLE.c.grace_uses < MAX_GRACE_USES,
    )
    .values(grace_uses=_TABLE.c.grace_uses + 1)
    .returning(_TABLE.c.id)
)


_END_FAMILY = (
    sa.update(_TABLE)
    .where(
        _TABLE.c.refresh_hash == sa.bindparam("key"),
        _TABLE.c.client_id == sa.bindparam("holder_id"),
        _TABLE.c.ended_at.is_(None),
    )
    .values(ended_at=sa.bindparam("now"))
    .returning(
        _TABLE.c.user_id,
        sa.select(Membership.tenant_id)
        .where(Membership.id == _TABLE.c.membership_id)
        .scalar_subquery(),
    )
)


class ClaimedToken(NamedTuple):
    """A token whose MAC is right: it is one that we once gave."""

    handle: str
    generation: int


def encode_token(secret_keys: SecretKeys, handle: str, generation: int) -> str:
    number = generation.to_bytes(GENERATION_BYTES, "big")
    return handle + encode(number + _mac(secret_keys, handle, number))


def read_token(secret_keys: SecretKeys, claimed: str) -> ClaimedToken | None:
    """None for anything that we never gave; introspection asks about access tokens too."""
    if len(claimed) != TOKEN_CHARACTERS:
        return None
    handle, rest = claimed[:HANDLE_CHARACTERS], decode(claimed[HANDLE_CHARACTERS:])
    if rest is None or not claimed.isascii():
        return None
    number = rest[:GENERATION_BYTES]
    if not hmac.compare_digest(rest[GENERATION_BYTES:], _mac(secret_keys, handle, number)):
        return None
    return ClaimedToken(handle, int.from_bytes(number, "big"))


def _mac(secret_keys: SecretKeys, handle: str, number: bytes) -> bytes:
    message = handle.encode() + number
    return hmac.new(secret_keys.refresh_tokens, message, hashlib.sha256).digest()


def refresh(
    by: Redemption, claimed_token: str, claimed_scope: tuple[str, ...]
) -> tuple[Target, str]:
    """The grant at the product that the access token is for, and the refresh token to use from now
    on. Everything it rests on is read again (security.md S19), and who brings a public client's has
    to hold the key of the first proof that came with it (RFC 9449 section 5). Raises
    invalid_grant."""
    claimed = read_token(by.secret_keys, claimed_token)
    if claimed is None:
        raise _invalid("not a refresh token of ours")
    client, now = by.client, by.now
    try:
        with by.database.connection(durable=False) as db:
            state = grant_state.find_by_refresh(db, fingerprint(claimed.handle), client, now)
            if state is None or state.client_id != client.client_id:
                raise _invalid("unknown, or another client's")
            grant.check_alive(state, client, by.product, by.providers, by.settings, now)
            if (state.idle_expires_at or 0.0) <= now:
                raise _invalid("unused for too long")
            if client.is_public and not _is_held(state, by.holder):
                raise _invalid("bound to another key or certificate")
            if not set(claimed_scope) <= set(state.scope.split()):
                raise OAuthRefusal("invalid_scope", "More scope than was granted.")
            target = by.aim(db, state)
            spend = _rotate if client.rotates_refresh_tokens else _keep
            generation = spend(by, db, state, claimed)
    except Replayed as replay:
        grant.end_replayed(by.database, "refresh_token.replayed", replay.state, now, by.origin)
        raise _invalid("used before: the family is ended") from replay
    return target, encode_token(by.secret_keys, claimed.handle, generation)


def _is_held(state: GrantState, holder: Confirmation) -> bool:
    return state.jkt in (None, holder.jkt) and state.x5t in (None, holder.x5t)


def _rotate(by: Redemption, db: Connection, state: GrantState, claimed: ClaimedToken) -> int:
    """One write takes the generation. The immediate predecessor may come again within the grace, a
    bounded number of times (a lost answer, a second tab); all else is a replay."""
    if claimed.generation == state.generation and db.row(
        _ROTATE,
        grant_id=state.id,
        spent=claimed.generation,
        now=by.now,
        new_idle_expires_at=by.now + by.settings.refresh_idle_lifetime,
        new_jkt=by.holder.jkt,
        new_x5t=by.holder.x5t,
    ):
        return claimed.generation + 1
    grace = by.settings.refresh_grace if by.client.is_public else 0
    if grace and db.row(
        _USE_GRACE,
        grant_id=state.id,
        successor=claimed.generation + 1,
        grace_since=by.now - grace,
    ):
        return claimed.generation + 1
    raise Replayed(state)


def _keep(by: Redemption, db: Connection, state: GrantState, claimed: ClaimedToken) -> int:
    """The same token again, good for another idle lifetime."""
    if claimed.generation != state.generation:
        raise Replayed(state)
    idle_expires_at = by.now + by.settings.refresh_idle_lifetime
    if db.row(_KEEP, grant_id=state.id, new_idle_expires_at=idle_expires_at) is None:
        raise _invalid("ended meanwhile")
    return claimed.generation


def end_family(
    db: Connection, refresh_hash: str, client_id: str, now: float
) -> tuple[str, str | None] | None:
    """Revocation by the client that holds it (RFC 7009 section 2.1). The ids of the person and the
    tenant that it was for, None for the platform; None if there was nothing to end."""
    row = db.row(_END_FAMILY, key=refresh_hash, holder_id=client_id, now=now)
    return (row[0], row[1]) if row else None


def _invalid(detail: str) -> OAuthRefusal:
    return OAuthRefusal("invalid_grant", "The refresh token is not valid.", detail)
