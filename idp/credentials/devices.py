"""Recognised devices: browsers in which somebody has signed in to the end within ninety days.

Such a browser has its own tries for that person's password, so that a stranger who uses up all
others keeps nobody out (product.md P4; security.md S42). Its cookie names nobody: for each person
it holds a random id and a signature over the two, which only whoever claims to be that person can
have compared. What ends a person's sessions makes their devices strangers again.
"""

from __future__ import annotations

from idp.directory.users import Person
from idp.secret_values import SecretKeys, is_same, new_id

LIFETIME = 90 * 86400
MOST = 5  # people who share a browser
PURPOSE = "device"


def cookie_name(is_https: bool) -> str:
    return "__Host-latchkey-device" if is_https else "latchkey-device"


def recognise(keys: SecretKeys, cookie: str, person: Person, now: float) -> str | None:
    """The device's id, or None for a stranger's."""
    for entry in cookie.split("~")[:MOST]:
        device, _, rest = entry.partition(":")
        signed_in_at = rest.partition(":")[0]
        if is_same(entry, _entry(keys, person.id, device, signed_in_at)):
            at = float(signed_in_at)
            if person.sessions_valid_after <= at and now < at + LIFETIME:
                return device
    return None


def remember(keys: SecretKeys, cookie: str, user_id: str, now: float) -> str:
    """The cookie's next value, after a sign-in."""
    others, device = [], new_id()
    for entry in filter(None, cookie.split("~")[:MOST]):
        known, _, rest = entry.partition(":")
        if is_same(entry, _entry(keys, user_id, known, rest.partition(":")[0])):
            device = known
        else:
            others.append(entry)
    return "~".join([_entry(keys, user_id, device, repr(now)), *others[: MOST - 1]])


def _entry(keys: SecretKeys, user_id: str, device: str, signed_in_at: str) -> str:
    signature = keys.sign(f"{user_id}\n{device}\n{signed_in_at}", PURPOSE)
    return f"{device}:{signed_in_at}:{signature}"
