"""Signing keys at the API: what everybody may know of them, and nothing else."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from idp.directory.operating import Operation
from idp.errors import told
from idp.operators import keys
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


class Made(Answer):
    """The `kid` of each key that was made; none where one waits already."""

    kids: list[str]


class Revoked(Sent):
    example: ClassVar[dict[str, Any]] = {"confirm": "ES256"}

    confirm: str = Field(max_length=20, description=told("The algorithm of the key once more."))


@api.get(KEYS, told("List signing keys"), needs=NEEDS)
def listing(operation: Operation) -> Listing[Key]:
    known = keys.all_keys(operation, _ring())
    return listed(Key, ({**key._asdict(), "state": str(key.state.value)} for key in known))


@api.post(f"{KEYS}/rotate", told("Make the next signing keys"), needs=NEEDS, status=200)
def rotate(operation: Operation) -> Made:
    held = provider()
    return Made(kids=keys.rotate(operation, held.secret_keys, held.settings.signing_key_lead))


@api.post(f"{KEYS}/<kid>/revoke", told("Revoke a signing key"), needs=NEEDS, status=204)
def revoke(operation: Operation, kid: str, body: Revoked) -> None:
    """Whatever it signed is refused from now on."""
    key = keys.get_key(operation, _ring(), kid)
    keys.revoke(operation, provider().secret_keys, key, body.confirm)


def _ring() -> KeyRing:
    return provider().key_ring.current(now())
