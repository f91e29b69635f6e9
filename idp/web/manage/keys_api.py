"""Signing keys at the API: what everybody may know of them, and nothing else."""

from __future__ import annotations

from idp.directory.operating import Operation
from idp.errors import told
from idp.operators import keys
from idp.web.context import now, provider
from idp.web.manage.api import PLATFORM, Answer, Listing, Moment, Noun, listed

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


@api.get(KEYS, told("List signing keys"), needs=NEEDS)
def listing(operation: Operation) -> Listing[Key]:
    known = keys.all_keys(operation, provider().key_ring.current(now()))
    return listed(Key, ({**key._asdict(), "state": str(key.state.value)} for key in known))


@api.post(f"{KEYS}/rotate", told("Make the next signing keys"), needs=NEEDS, status=200)
def rotate(operation: Operation) -> Made:
    held = provider()
    return Made(kids=keys.rotate(operation, held.secret_keys, held.settings.signing_key_lead))
