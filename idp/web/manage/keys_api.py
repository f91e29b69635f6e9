"""Signing keys at the API: what everybody may know of them, and nothing else."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from idp.directory.operating import Operation
from idp.errors import told
from idp.operators import keys
from idp.tokens.key_states import KnownKey
from idp.tokens.signing_keys import KeyRing
from idp.web.context import now, provider
from idp.web.manage.api import PLATFORM, Answer, Listing, Moment, Noun, listed
from idp.web.manage.json_reading import Sent

api = Noun("keys", told("Signing keys"))

KEYS = f"{PLATFORM}/keys"
NEEDS = "keys.manage"


class Key(Answer):
    kid: str
    alg: str
    state: str
    created_at: Moment
    active_from: Moment
    revoked_at: Moment | None


class KeyTold(Key):
    """With how many clients take ID tokens, and access tokens, by its algorithm. `id` is the
    `kid`."""

    id: str
    clients_of_id_tokens: int
    clients_of_access_tokens: int


class Made(Answer):
    """The `kid` of each key that was made; none where one waits already."""

    kids: list[str]


class Revoked(Sent):
    example: ClassVar[dict[str, Any]] = {"confirm": "ES256"}

    confirm: str = Field(max_length=20, description=told("The algorithm of the key once more."))


@api.get(KEYS, told("List signing keys"), needs=NEEDS)
def listing(operation: Operation) -> Listing[Key]:
    known = keys.all_keys(operation, _ring())
    return listed(Key, map(_plain, known))


@api.post(f"{KEYS}/rotate", told("Make the next signing keys"), needs=NEEDS, status=200)
def rotate(operation: Operation) -> Made:
    held = provider()
    return Made(kids=keys.rotate(operation, held.secret_keys, held.settings.signing_key_lead))


@api.get(f"{KEYS}/<kid>", told("See a signing key, and whom it concerns"), needs=NEEDS)
def show(operation: Operation, kid: str) -> KeyTold:
    """One that is not revoked."""
    key = keys.get_key(operation, _ring(), kid)
    reach = keys.reach(operation, key.alg)
    return KeyTold.model_validate(
        {
            **_plain(key),
            "id": kid,
            "clients_of_id_tokens": reach.id_tokens,
            "clients_of_access_tokens": reach.access_tokens,
        }
    )


@api.post(f"{KEYS}/<kid>/revoke", told("Revoke a signing key"), needs=NEEDS, status=204)
def revoke(operation: Operation, kid: str, body: Revoked) -> None:
    """Whatever it signed is refused from now on."""
    key = keys.get_key(operation, _ring(), kid)
    keys.revoke(operation, provider().secret_keys, key, body.confirm)


def _ring() -> KeyRing:
    return provider().key_ring.current(now())


def _plain(key: KnownKey) -> dict[str, Any]:
    return {**key._asdict(), "state": str(key.state.value)}
