"""What is deleted, and when. Nothing is true or false because of it: every rule reads the expiry
itself."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import sqlalchemy as sa

from idp.answered_once import AnsweredRequest
from idp.credentials.password_links import PasswordLink
from idp.credentials.sent_code import SentCode
from idp.credentials.sign_up_links import SignUpLink
from idp.credentials.temporary_passwords import TemporaryPassword
from idp.credentials.unlocking import Lock
from idp.database import Database
from idp.directory.imports import PeopleImport
from idp.directory.join_requests import HAS_LAPSED, JoinRequest
from idp.ephemeral import EphemeralValue
from idp.grants.decoupled import DecoupledRequest
from idp.grants.grant_row import Grant, RevokedToken
from idp.limits import AttemptLimit
from idp.login.email_move import EmailChange
from idp.outbox import PENDING, OutboxMessage
from idp.sessions.browser import SsoSession
from idp.used_once import UsedName

DAY = 86400.0
KEEP_SPENT = 30 * DAY
BATCH = 2000

_NOW: Any = sa.bindparam("now", type_=sa.Double)
_A_DAY_AGO: Any = sa.bindparam("a_day_ago", type_=sa.Double)
_LONG_AGO: Any = sa.bindparam("long_ago", type_=sa.Double)


def _some(model: Any, *conditions: Any) -> sa.Delete:
    """BATCH rows at most."""
    keys = sa.inspect(model).primary_key
    which = sa.select(*keys).where(*conditions).limit(BATCH)
    return sa.delete(model).where(sa.tuple_(*keys).in_(which))


_EXPIRED = (
    _some(EphemeralValue, EphemeralValue.expires_at <= _NOW),
    _some(UsedName, UsedName.expires_at <= _NOW),
    _some(AnsweredRequest, AnsweredRequest.expires_at <= _NOW),
    _some(RevokedToken, RevokedToken.expires_at <= _NOW),
    _some(Lock, Lock.until <= _NOW),
    _some(PasswordLink, PasswordLink.expires_at <= _NOW),
    _some(SignUpLink, SignUpLink.expires_at <= _NOW),
    _some(JoinRequest, HAS_LAPSED),
)
_SPENT = (
    _some(DecoupledRequest, DecoupledRequest.expires_at <= _A_DAY_AGO),
    _some(SentCode, SentCode.expires_at <= _A_DAY_AGO),
    _some(EmailChange, EmailChange.created_at <= _LONG_AGO),
    _some(TemporaryPassword, TemporaryPassword.expires_at <= _A_DAY_AGO),
    _some(PeopleImport, PeopleImport.created_at <= _LONG_AGO),
    _some(
        AttemptLimit, AttemptLimit.paused_until <= _NOW, AttemptLimit.last_failed_at <= _A_DAY_AGO
    ),
    _some(Grant, Grant.expires_at <= _LONG_AGO),
    _some(
        OutboxMessage,
        OutboxMessage.status != sa.literal_column(f"'{PENDING}'"),
        OutboxMessage.created_at <= _LONG_AGO,
    ),
    _some(
        SsoSession,
        SsoSession.expires_at <= _LONG_AGO,
        ~sa.exists().where(Grant.session_id == SsoSession.id),
    ),
)

_COUNTED = [
    (
        str(each.table),
        sa.select(sa.func.count()).select_from(each.table).where(cast(Any, each.whereclause)),
    )
    for each in (*_EXPIRED, *_SPENT)
]
TABLES = {table for table, _ in _COUNTED}


def sweep(database: Database, now: float, day: float = DAY) -> int:
    """How many rows went. Codes, spent or not, and grants that ended stay `KEEP_SPENT`, so that a
    late replay is still recognised. So many go at once that nobody waits long. A soak's `day` is
    shorter."""
    deleted = 0
    with database.connection(durable=False) as db:
        for statement in (*_EXPIRED, *_SPENT):
            gone = BATCH
            while gone == BATCH:
                gone = db.run(statement, **_times(now, day))
                deleted += gone
    return deleted


def overdue(database: Database, now: float, day: float = DAY) -> dict[str, int]:
    """How many rows of each table a sweep would find, if any; no more than BATCH are counted."""
    found = Counter[str]()
    with database.connection() as db:
        for table, statement in _COUNTED:
            found[table] += int(db.rows(statement, **_times(now, day))[0][0])
    return dict(+found)


def _times(now: float, day: float) -> dict[str, float]:
    return {"now": now, "a_day_ago": now - day, "long_ago": now - KEEP_SPENT / DAY * day}
