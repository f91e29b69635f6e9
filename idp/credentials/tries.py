"""How many wrong tries there may be, before one is looked at (security.md section 4.4).

In front stand the network that they come from and the company that they are for: so many in ten
minutes, of which those that were right are given back. Then the account: five for all strangers
together, and five for each device that its owner has signed in with. All are conditional writes
before anything is evaluated, and of what a caller says no key is made but of the address.

Passkeys are counted by network alone, beside the passwords: they can't be guessed, so that whoever
sends wrong ones keeps nobody's password from working, nor the other way round (security.md S42).
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp import audit, limits
from idp.audit import Origin
from idp.credentials import devices
from idp.credentials.networks import network_of
from idp.database import Connection
from idp.directory import memberships
from idp.directory.memberships import Membership
from idp.directory.users import Person, canonical_email
from idp.ephemeral import Ephemeral
from idp.errors import PageRefusal, told
from idp.secret_values import SecretKeys
from idp.settings import Settings

WINDOW = 600.0
QUESTIONS = 20  # that browsers ask, for each try: every page asks about passkeys
NOBODYS = "nobody"

_COMPANIES = (
    sa.select(Membership.tenant_id)
    .where(
        Membership.user_id == sa.bindparam("user_id"),
        Membership.status == sa.literal_column(f"'{memberships.ACTIVE}'"),
    )
    .order_by(Membership.tenant_id)
)


class TooManyTries(PageRefusal):
    """Of one network, whoever is tried: it says nothing about anybody."""

    def __init__(self, network: str) -> None:
        super().__init__(
            "too_many_tries",
            told("There were too many tries from your network. Wait ten minutes."),
            f"network {network}",
            429,
        )


class Taken(NamedTuple):
    """A try. `reason` says why it may not be evaluated; `rations` go back after a success."""

    key: str
    reason: str
    is_last: bool
    rations: tuple[str, ...]


def limit_key(secret_keys: SecretKeys, claimed_email: str) -> str:
    """One counter for all spellings of an address, existing or not (security.md S41)."""
    return "password:" + secret_keys.blind(canonical_email(claimed_email) or claimed_email.strip())


def take(
    db: Connection,
    secret_keys: SecretKeys,
    settings: Settings,
    claimed_email: str,
    person: Person | None,
    claimed_device: str,
    is_temporary: bool,
    now: float,
    origin: Origin,
) -> Taken:
    """One try for an address. A temporary password has tries of its own, so that whoever is locked
    out gets in by it. Raises TooManyTries."""
    key = limit_key(secret_keys, claimed_email)
    device = devices.recognise(secret_keys, claimed_device, person, now) if person else None
    if is_temporary:
        key, device = f"temporary {key}", None
    rations: tuple[str, ...] = ()
    if device:
        key += f":{device}"
    else:
        rations = (_of_network(db, settings, "tries", now, origin),)
        of_companies = _of_companies(db, settings, person, now, origin)
        if of_companies is None:
            return Taken(key, "company held up", False, rations)
        rations += of_companies
    most = settings.lockout_threshold
    number = limits.reserve(db, key, now, most, settings.lockout_duration)
    return Taken(key, "" if number else "paused", number == most, rations)


def give_back(db: Connection, taken: Taken, now: float) -> None:
    """It was right: nothing of it counts."""
    for ration in taken.rations:
        limits.give_back_ration(db, ration, now)
    limits.clear(db, taken.key)


def take_passkey(db: Connection, settings: Settings, now: float, origin: Origin) -> str:
    """One try by a passkey or security key, whosever it is; what to give back if it was right.
    Raises TooManyTries."""
    return _of_network(db, settings, "passkey tries", now, origin)


def count_question(store: Ephemeral, settings: Settings, now: float, origin: Origin) -> None:
    """What a browser asks before it offers a passkey, and its ways to another provider and back.
    Raises TooManyTries."""
    network = network_of(origin.address)
    asked = store.count(f"passkey questions:{network}", WINDOW, now)
    if asked > QUESTIONS * settings.tries_per_network:
        raise TooManyTries(network)


def companies_of(db: Connection, user_id: str) -> list[str]:
    """The tenants that somebody is in, by id."""
    return [tenant for (tenant,) in db.rows(_COMPANIES, user_id=user_id)]


def _of_network(
    db: Connection, settings: Settings, counter: str, now: float, origin: Origin
) -> str:
    network = network_of(origin.address)
    key = f"{counter}:{network}"
    number = limits.ration(db, key, now, settings.tries_per_network, WINDOW)
    if number is None:
        raise TooManyTries(network)
    if number == settings.tries_per_network:
        audit.record(db, "sign_in.held_up", now, origin, network=network)
    return key


def _of_companies(
    db: Connection, settings: Settings, person: Person | None, now: float, origin: Origin
) -> tuple[str, ...] | None:
    """None if one of them has had too many. Nobody's tries are counted alike, for the same work."""
    tenants = companies_of(db, person.id if person else "") or [NOBODYS]
    keys = tuple(f"tries:{tenant}" for tenant in tenants)
    for tenant, key in zip(tenants, keys, strict=True):
        number = limits.ration(db, key, now, settings.tries_per_tenant, WINDOW)
        if number is None:
            return None
        if number == settings.tries_per_tenant and tenant != NOBODYS:
            audit.record(db, "sign_in.held_up", now, origin, tenant=tenant)
    return keys
