"""What a person has enrolled, whatever it is; taking one away, or all.

Each method keeps its own table; this is where they are asked together. Recovery codes go with the
last of the others: they stand in for it, and are none themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from idp import audit
from idp.audit import Origin
from idp.credentials import passkeys, recovery_codes, second_factor_tries, totp
from idp.credentials.enrolled import Factor
from idp.database import Connection

Lister = Callable[[Connection, str], list[Factor]]
Remover = Callable[[Connection, str, str], bool]


class Source(NamedTuple):
    """`remove` takes a user's id and a factor's, and says whether it was theirs."""

    factors: Lister
    remove: Remover


SOURCES: Mapping[str, Source] = {
    passkeys.PASSKEY: Source(passkeys.factors(passkeys.PASSKEY), passkeys.remove),
    passkeys.SECURITY_KEY: Source(passkeys.factors(passkeys.SECURITY_KEY), passkeys.remove),
    totp.METHOD: Source(totp.factors, totp.remove),
    recovery_codes.METHOD: Source(recovery_codes.factors, recovery_codes.remove),
}


def enrolled(db: Connection, user_id: str) -> list[Factor]:
    """In the order of their enrolment; recovery codes last."""
    found = [factor for source in SOURCES.values() for factor in source.factors(db, user_id)]
    return sorted(found, key=lambda each: (each.method == recovery_codes.METHOD, each.enrolled_at))


def remove(db: Connection, user_id: str, factor_id: str, now: float, origin: Origin) -> bool:
    """By its owner. False if they have none with this id. In a transaction."""
    mine = {factor.id: factor for factor in enrolled(db, user_id)}
    factor = mine.pop(factor_id, None)
    if factor is None or not _source(factor).remove(db, user_id, factor_id):
        return False
    second_factor_tries.forget(db, factor_id)
    about = {"actor": user_id, "method": factor.method, "label": factor.label}
    audit.record(db, "factor.removed", now, origin, **about)
    if all(other.method == recovery_codes.METHOD for other in mine.values()):
        _remove_each(db, user_id, list(mine.values()))
    return True


def unlink_all(db: Connection, user_id: str) -> list[Factor]:
    """By an admin's reset (product.md M9), whose event tells of it; what there was."""
    found = enrolled(db, user_id)
    _remove_each(db, user_id, found)
    second_factor_tries.forget_all(db, user_id)
    return found


def _remove_each(db: Connection, user_id: str, found: list[Factor]) -> None:
    for factor in found:
        _source(factor).remove(db, user_id, factor.id)
        second_factor_tries.forget(db, factor.id)


def _source(factor: Factor) -> Source:
    return SOURCES[factor.method]
