"""Signing keys as operators see them; `idp keys` does the same."""

from __future__ import annotations

from typing import NamedTuple

from idp.directory.acting import Mistake, NotFound
from idp.directory.operating import Operation
from idp.errors import told
from idp.secret_values import SecretKeys
from idp.tokens import signing_keys
from idp.tokens.key_pairs import ALGORITHMS
from idp.tokens.key_states import KnownKey, known_keys
from idp.tokens.signing_keys import By, KeyRing


class Reach(NamedTuple):
    """How many clients take ID tokens, and how many access tokens, by an algorithm."""

    id_tokens: int
    access_tokens: int


def all_keys(operation: Operation, ring: KeyRing) -> list[KnownKey]:
    """The newest first. Raises Forbidden."""
    operation.check("keys.manage")
    return sorted(known_keys(operation.rows, ring, operation.now), key=lambda key: -key.created_at)


def get_key(operation: Operation, ring: KeyRing, kid: str) -> KnownKey:
    """Raises Forbidden, or NotFound for one that is revoked already."""
    for key in all_keys(operation, ring):
        if key.kid == kid and key.revoked_at is None:
            return key
    raise NotFound("no such key that could be revoked")


def reach(operation: Operation, alg: str) -> Reach:
    clients = operation.catalog.clients.values()
    return Reach(
        sum(client.id_token_signed_response_alg == alg for client in clients),
        sum(client.access_token_signed_response_alg == alg for client in clients),
    )


def rotate(operation: Operation, keys: SecretKeys, lead: float) -> list[str]:
    """Make the next key of each algorithm that has none waiting; their kids. Raises Forbidden, or
    RecentSignInNeeded."""
    operation.check("keys.manage")
    operation.check_recent()
    made = [_rotated(operation, keys, alg, lead) for alg in ALGORITHMS]
    return [kid for kid in made if kid is not None]


def _rotated(operation: Operation, keys: SecretKeys, alg: str, lead: float) -> str | None:
    return signing_keys.rotate(operation.db, keys, alg, lead, operation.now, _by(operation))


def _by(operation: Operation) -> By:
    return By(operation.actor.user_id, operation.actor.client_id, operation.origin)


def revoke(operation: Operation, keys: SecretKeys, key: KnownKey, typed: str) -> None:
    """`typed` is the key's algorithm, as proof that this one is meant. Raises Forbidden,
    RecentSignInNeeded, Mistake, or NotFound if somebody was faster."""
    operation.check("keys.manage")
    operation.check_recent()
    if typed.strip() != key.alg:
        raise Mistake(confirm=told("Type the algorithm of the key exactly as it stands above."))
    if not signing_keys.revoke(operation.db, keys, key.kid, operation.now, _by(operation)):
        raise NotFound("the key was revoked meanwhile")
