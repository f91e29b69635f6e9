"""What many people have enrolled: the same as `factors.enrolled` says of each, in one question."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp.credentials import passkeys, recovery_codes, totp
from idp.credentials.code_destinations import SentCodeFactor
from idp.credentials.passkeys import Passkey
from idp.credentials.recovery_codes import RecoverySet
from idp.credentials.totp import TotpAuthenticator


class Enrolment(NamedTuple):
    method: str
    enrolled_at: float


_KEY = sa.case(
    (Passkey.is_user_verified, sa.literal(passkeys.PASSKEY)), else_=passkeys.SECURITY_KEY
)
_WHICH: tuple[tuple[Any, Any, Any], ...] = (
    (Passkey.user_id, _KEY, Passkey.enrolled_at),
    (TotpAuthenticator.user_id, sa.literal(totp.METHOD), TotpAuthenticator.enrolled_at),
    (SentCodeFactor.user_id, SentCodeFactor.channel, SentCodeFactor.enrolled_at),
    (RecoverySet.user_id, sa.literal(recovery_codes.METHOD), RecoverySet.made_at),
)


def of_people(rows: Session, user_ids: Collection[str]) -> dict[str, list[Enrolment]]:
    """By user id; of who has nothing, nothing."""
    selects = (
        sa.select(user_id.label("user_id"), method.label("method"), at.label("at")).where(
            user_id.in_(user_ids)
        )
        for user_id, method, at in _WHICH
    )
    found: dict[str, list[Enrolment]] = {}
    for user_id, method, at in rows.execute(sa.union_all(*selects)):
        found.setdefault(user_id, []).append(Enrolment(method, at))
    return {user_id: _counted(theirs) for user_id, theirs in found.items()}


def _counted(theirs: Iterable[Enrolment]) -> list[Enrolment]:
    """Recovery codes stand in for the others, since no earlier than one of them (`factors`)."""
    others = [each for each in theirs if each.method != recovery_codes.METHOD]
    newest = max((each.enrolled_at for each in others), default=0.0)
    codes = [each for each in theirs if each.method == recovery_codes.METHOD]
    return others + [each._replace(enrolled_at=min(each.enrolled_at, newest)) for each in codes]
