"""What a person has enrolled, whatever it is; taking one away, or all.

Each method keeps its own table; this is where they are asked together. Recovery codes stand in for
the others: they go with the last of them, and count since no earlier than one of them does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from idp import audit
from idp.audit import Origin
from idp.credentials import (
    code_destinations,
    passkeys,
    recovery_codes,
    second_factor_tries,
    totp,
)
from idp.credentials.enrolled import Factor
from idp.database import Connection


class Source(NamedTuple):
    """`factors` takes a user's id; `remove` that and a factor's, and says whether it was theirs and
    of this kind."""

    factors: Callable[[Connection, str], list[Factor]]
    remove: Callable[[Connection, str, str], bool]


SOURCES = (
    Source(passkeys.factors(passkeys.PASSKEY), passkeys.remove),
    Source(passkeys.factors(passkeys.SECURITY_KEY), passkeys.remove),
    Source(totp.factors, totp.remove),
    Source(code_destinations.factors, code_destinations.remove),
)
RECOVERY = Source(recovery_codes.factors, recovery_codes.remove)


def enrolled(db: Connection, user_id: str) -> list[Factor]:
    """In the order of their enrolment; recovery codes last."""
    found = [factor for source in SOURCES for factor in source.factors(db, user_id)]
    found.sort(key=lambda each: each.enrolled_at)
    newest = found[-1].enrolled_at if found else 0.0
    return found + [
        codes._replace(enrolled_at=min(codes.enrolled_at, newest))
        for codes in RECOVERY.factors(db, user_id)
    ]


def remove(db: Connection, user_id: str, factor_id: str, now: float, origin: Origin) -> bool:
    """By its owner. False if they have none with this id. In a transaction."""
    mine = {factor.id: factor for factor in enrolled(db, user_id)}
    factor = mine.pop(factor_id, None)
    if factor is None or not _remove(db, user_id, factor):
        return False
    about = {"actor": user_id, "method": factor.method, "label": factor.label}
    audit.record(db, "factor.removed", now, origin, **about)
    if all(other.method == recovery_codes.METHOD for other in mine.values()):
        for codes in mine.values():
            _remove(db, user_id, codes)
    return True


def remove_since(db: Connection, user_id: str, since: float) -> list[Factor]:
    """What was enrolled from then on, by whoever had the account then; the caller's event tells of
    it. Recovery codes go by when they were made, whatever else there was."""
    sources = (*SOURCES, RECOVERY)
    theirs = [factor for source in sources for factor in source.factors(db, user_id)]
    found = [factor for factor in theirs if factor.enrolled_at >= since]
    for factor in found:
        _remove(db, user_id, factor)
    return found


def unlink_all(db: Connection, user_id: str) -> list[Factor]:
    """By an admin's reset (product.md M9), whose event tells of it; what there was."""
    found = enrolled(db, user_id)
    for factor in found:
        _remove(db, user_id, factor)
    second_factor_tries.forget_all(db, user_id)
    return found


def last_proof(removed: Iterable[Factor], now: float) -> float:
    """Until when what they have proven must not count; later than now by a clock that is ahead."""
    return max((now, *(each.last_used_at or each.enrolled_at for each in removed)))


def _remove(db: Connection, user_id: str, factor: Factor) -> bool:
    second_factor_tries.forget(db, factor.id)
    return any(source.remove(db, user_id, factor.id) for source in (*SOURCES, RECOVERY))
