"""What is deleted, and when. Nothing is true or false because of it: every rule reads the expiry
itself."""

from __future__ import annotations

from typing import Any

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

_NOW: Any = sa.bindparam("now", type_=sa.Double)
_LONG_AGO: Any = sa.bindparam("long_ago", type_=sa.Double)
_EXPIRED = (
    sa.delete(EphemeralValue).where(EphemeralValue.expires_at <= _NOW),
    sa.delete(UsedName).where(UsedName.expires_at <= _NOW),
    sa.delete(AnsweredRequest).where(AnsweredRequest.expires_at <= _NOW),
    sa.delete(RevokedToken).where(RevokedToken.expires_at <= _NOW),
    sa.delete(Lock).where(Lock.until <= _NOW),
    sa.delete(PasswordLink).where(PasswordLink.expires_at <= _NOW),
    sa.delete(SignUpLink).where(SignUpLink.expires_at <= _NOW),
    sa.delete(JoinRequest).where(HAS_LAPSED),
)
_SPENT = (
    sa.delete(DecoupledRequest).where(DecoupledRequest.expires_at <= _NOW - DAY),
    sa.delete(SentCode).where(SentCode.expires_at <= _NOW - DAY),
    sa.delete(EmailChange).where(EmailChange.created_at <= _LONG_AGO),
    sa.delete(TemporaryPassword).where(TemporaryPassword.expires_at <= _NOW - DAY),
    sa.delete(PeopleImport).where(PeopleImport.created_at <= _LONG_AGO),
    sa.delete(AttemptLimit).where(
        AttemptLimit.paused_until <= _NOW, AttemptLimit.last_failed_at <= _NOW - DAY
    ),
    sa.delete(Grant).where(Grant.code_used_at.is_(None), Grant.code_expires_at <= _NOW - DAY),
    sa.delete(Grant).where(Grant.expires_at <= _LONG_AGO),
    sa.delete(OutboxMessage).where(
        OutboxMessage.status != PENDING, OutboxMessage.created_at <= _LONG_AGO
    ),
    sa.delete(SsoSession).where(
        SsoSession.expires_at <= _LONG_AGO,
        ~sa.exists().where(Grant.session_id == SsoSession.id),
    ),
)


def sweep(database: Database, now: float) -> int:
    """How many rows went. Codes that were spent and grants that ended stay `KEEP_SPENT` seconds, so
    that a late replay is still recognised."""
    deleted = 0
    with database.connection(durable=False) as db:
        for statement in (*_EXPIRED, *_SPENT):
            deleted += db.run(statement, now=now, long_ago=now - KEEP_SPENT)
    return deleted
