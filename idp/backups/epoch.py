"""What a restore ends: whatever could have been ended, used up or taken back since the backup.

Nobody knows any more which of it was, so all of it is over: every sign-in, code, token, link and
code for recovery, and what has no row by `restorations`. What people and companies are and may do
is as it was, and is left to operators to look at (docs/operate.md).
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa

from idp import audit, outbox, restorations
from idp.credentials.password import MOST_WRONG, Password
from idp.credentials.password_links import PasswordLink
from idp.credentials.recovery_codes import RecoveryCode
from idp.credentials.sent_code import SentCode
from idp.credentials.sign_up_links import SignUpLink
from idp.credentials.temporary_passwords import TemporaryPassword
from idp.credentials.totp import STEP, TotpAuthenticator
from idp.credentials.unlocking import Lock
from idp.database import Connection
from idp.directory.catalog_version import CatalogVersion
from idp.directory.invitations import WAITS, Invitation
from idp.directory.operator_visits import OperatorVisit
from idp.directory.registrations import InitialAccessToken
from idp.directory.users import User
from idp.grants.consent import Consent
from idp.grants.decoupled import DecoupledRequest
from idp.grants.grant_row import Grant
from idp.login.email_move import EmailChange
from idp.outbox import PENDING, OutboxMessage
from idp.restorations import Times
from idp.secret_values import SecretKeys
from idp.sessions import logout
from idp.sessions.browser import SsoSession
from idp.tokens import signing_keys
from idp.tokens.signing_keys import SigningKey

VERSIONS = 2**30

_NOW: Any = sa.bindparam("now", type_=sa.Double)
_NEXT_STEP: Any = sa.bindparam("next_step", type_=sa.BigInteger)
_ENDED = (
    # sessions, grants, half-finished sign-ins and remembered devices
    sa.update(User).where(User.sessions_valid_after < _NOW).values(sessions_valid_after=_NOW),
    sa.update(SsoSession).where(SsoSession.ended_at.is_(None)).values(ended_at=_NOW),
    # authorization codes, and access and refresh tokens
    sa.update(Grant).where(Grant.ended_at.is_(None)).values(ended_at=_NOW),
    sa.delete(Consent),
    sa.delete(DecoupledRequest),
    sa.update(InitialAccessToken)
    .where(InitialAccessToken.ended_at.is_(None))
    .values(ended_at=_NOW),
    sa.delete(PasswordLink),
    sa.delete(SignUpLink),
    sa.delete(TemporaryPassword),
    # a pause goes on, and may be lifted by who may; what its link hashes to is no fingerprint
    sa.update(Lock).values(token_hash="-" + Lock.token_hash),
    sa.delete(SentCode),
    sa.update(EmailChange)
    .where(EmailChange.confirmed_at.is_(None), EmailChange.withdrawn_at.is_(None))
    .values(withdrawn_at=_NOW),
    sa.update(EmailChange).values(undo_hash=sa.null(), undo_until=sa.null()),
    sa.update(Invitation).where(*WAITS, Invitation.expires_at > _NOW).values(expires_at=_NOW),
    sa.update(RecoveryCode).where(RecoveryCode.used_at.is_(None)).values(used_at=_NOW),
    sa.update(TotpAuthenticator)
    .where(TotpAuthenticator.last_step < _NEXT_STEP)
    .values(last_step=_NEXT_STEP),
    sa.update(OperatorVisit).where(OperatorVisit.ended_at.is_(None)).values(ended_at=_NOW),
    # letters whose links are dead, or that were sent; sign-outs are heard twice without harm
    sa.delete(OutboxMessage).where(
        OutboxMessage.status == PENDING,
        OutboxMessage.kind != logout.MESSAGE,
        OutboxMessage.kind != outbox.LOGO,
    ),
)
_KEYS = (
    sa.select(SigningKey.kid).where(SigningKey.revoked_at.is_(None)).order_by(SigningKey.generation)
)
# Whoever still runs has seen no such version, and so loads everything anew.
_ANOTHER_VERSION = sa.update(CatalogVersion).values(version=sa.bindparam("another"))
_WEAR_OUT = sa.update(Password).values(failures=MOST_WRONG)
_WEAR_OUT_ONE = _WEAR_OUT.where(
    Password.user_id.in_(
        sa.select(User.id).where(User.email_canonical == sa.bindparam("address", type_=sa.Text))
    )
)


def begin(db: Connection, keys: SecretKeys, made_at: float, now: float) -> None:
    """In the transaction that restores."""
    moments = {"now": now, "next_step": int(now // STEP) + 1}
    for statement in _ENDED:
        db.run(statement, **moments)
    restorations.add(db, Times(made_at, float(int(now) + 1)))
    for (kid,) in db.rows(_KEYS):
        signing_keys.revoke(db, keys, kid, now)
    db.run(_ANOTHER_VERSION, another=secrets.randbelow(VERSIONS))
    audit.record(db, "database.restored", now, made_at=made_at)


def wear_out_all(db: Connection) -> int:
    """Every password opens nothing until it is replaced by way of a letter. How many."""
    return db.run(_WEAR_OUT)


def wear_out(db: Connection, canonical_address: str) -> bool:
    """The same of one person; False if nobody with a password has that address."""
    return db.run(_WEAR_OUT_ONE, address=canonical_address) > 0
