"""grant_type=urn:ietf:params:oauth:grant-type:device_code (RFC 8628): a device shows a code, and a
person enters it in a browser. What comes of it then is told by `decoupled.py`."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from idp import audit, limits
from idp.audit import Origin
from idp.credentials.networks import network_of
from idp.credentials.tries import WINDOW, TooManyTries
from idp.database import Connection
from idp.directory.clients import Client
from idp.errors import OAuthRefusal, PageRefusal, told
from idp.grants import decoupled
from idp.grants.decoupled import Pending
from idp.oidc.client_metadata import DEVICE_CODE
from idp.secret_values import SecretKeys, new_secret

GRANT_TYPE = DEVICE_CODE
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 section 6.1: no vowel, so no word
LENGTH = 8  # 34 bits
ASKED_BY_NETWORK = 100  # in ten minutes, by clients that prove nothing
ENTERED_BY_NETWORK = 20  # wrong ones, in ten minutes
ENTERED_BY_PERSON = 20
ENTERED_BY_STRANGERS = 5_000  # all together


class Codes(NamedTuple):
    """`device_code`, of 256 bits, is the device's alone; `user_code` is shown to whoever sits in
    front of it."""

    device_code: str
    user_code: str


def begin(
    db: Connection,
    keys: SecretKeys,
    client: Client,
    parameters: dict[str, str],
    lifetime: float,
    now: float,
    origin: Origin,
) -> Codes:
    """In a transaction. Of each network so many are kept for clients that anybody can claim to
    be."""
    network = network_of(origin.address)
    if client.is_public and not limits.take(
        db, f"device codes:{network}", now, ASKED_BY_NETWORK, WINDOW
    ):
        sentence = "Your network has asked for too many codes. Wait ten minutes."
        raise OAuthRefusal("slow_down", sentence, f"network {network}", 429)
    while True:
        codes = Codes(new_secret(), _new_user_code())
        name_hash = _name_hash(keys, codes.user_code)
        if decoupled.begin(
            *(db, codes.device_code, name_hash, GRANT_TYPE, client),
            *(parameters, lifetime, now, origin),
        ):
            return codes


def _new_user_code() -> str:
    letters = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return f"{letters[:4]}-{letters[4:]}"


def read_user_code(claimed: str) -> str:
    """However it was typed (RFC 8628 section 6.1); empty for what can be none."""
    letters = "".join(letter for letter in claimed.upper() if letter in LETTERS)
    return f"{letters[:4]}-{letters[4:]}" if len(letters) == LENGTH else ""


def _name_hash(keys: SecretKeys, user_code: str) -> str:
    """The database alone is not enough to guess it."""
    return keys.blind(f"user code {user_code}")


def enter(
    db: Connection,
    keys: SecretKeys,
    user_code: str,
    browser: str,
    user_id: str | None,
    now: float,
    origin: Origin,
) -> Pending | None:
    """In a transaction. The request that a person has named in this browser. A try is taken before
    it is looked at, and given back if it was right. Raises PageRefusal for too many."""
    network = network_of(origin.address)
    rations = _rations(network, user_id)
    lacking = limits.take_each(db, now, rations)
    if lacking is not None:
        raise TooManyTries(network) if lacking == 0 else _too_many(user_id)
    found = decoupled.take_up(db, _name_hash(keys, user_code), browser, now)
    if found is None:
        audit.record(db, "device_code.unknown", now, origin, actor=user_id)
        return None
    for key, _most, _window in rations:
        limits.give_back_ration(db, key, now)
    return found


def _rations(network: str, user_id: str | None) -> list[limits.Ration]:
    """Whoever is signed in has tries of their own: strangers, however many, keep nobody's device
    out who signs in first."""
    own = (f"user codes of:{user_id}", ENTERED_BY_PERSON, WINDOW)
    strangers = ("user codes of strangers", ENTERED_BY_STRANGERS, WINDOW)
    return [
        (f"user codes from:{network}", ENTERED_BY_NETWORK, WINDOW),
        own if user_id else strangers,
    ]


def _too_many(user_id: str | None) -> PageRefusal:
    sentence = told("There were too many wrong codes. Wait ten minutes.")
    if user_id is None:
        sentence = told("There were too many wrong codes. Sign in first, then enter yours again.")
    return PageRefusal("too_many_tries", sentence, "user codes", 429)
