"""Challenges for authenticators, made and kept here, and spent once (WebAuthn Level 3 section
13.4.3).

What one was made for is part of the name that it is kept by. In another browser or sign-in, for
another person or purpose, there is no such challenge; nor is there after the store was emptied.
"""

from __future__ import annotations

from secrets import token_bytes
from typing import NamedTuple

import orjson

from idp.ephemeral import Ephemeral
from idp.secret_values import encode, fingerprint

LIFETIME = 600.0
BYTES = 32

SIGN_IN = "sign in"
SECOND_FACTOR = "second factor"
ENROL = "enrol"


class Errand(NamedTuple):
    """What a challenge is for. `browser` is the secret that a cookie binds the browser by, `within`
    the id of the sign-in or session that asks, `user_id` whom it is about: for a sign-in without a
    password nobody yet."""

    purpose: str
    browser: str
    within: str = ""
    user_id: str = ""


def make(store: Ephemeral, errand: Errand, now: float) -> bytes:
    challenge = token_bytes(BYTES)
    store.put(_key(errand, encode(challenge)), "made", LIFETIME, now)
    return challenge


def spend(store: Ephemeral, errand: Errand, claimed: str, now: float) -> bool:
    """True for exactly one who brings it back. `claimed` is as the browser writes it: base64url."""
    return store.take(_key(errand, claimed), now) is not None


def _key(errand: Errand, challenge: str) -> str:
    return "challenge:" + fingerprint(orjson.dumps([*errand, challenge]).decode())
