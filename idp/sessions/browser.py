"""The single sign-on session: an opaque secret in a cookie, its SHA-256 in the database.

The secret is new at every sign-in and every rise, so an id that somebody planted is worth nothing
(security.md S63). Only `endpoints/outcome.py` starts one, when `next_step` says done.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import Origin
from idp.credentials.password import Password
from idp.database import Base, Connection
from idp.directory import users
from idp.directory.users import User
from idp.policies import assurance
from idp.policies.assurance import FEDERATED, Proofs
from idp.secret_values import fingerprint, new_id, new_secret

TOUCH_AFTER = 60.0
STATE_CHARACTERS = 32


class SsoSession(Base):
    """`proofs` is the JSON of what the person has proven in it (`assurance.Proofs`), `auth_time`
    when they last proved a first factor. `expires_at` is the platform's absolute limit.
    `left_tenants`, separated by spaces, are those that have signed it out of themselves, until it
    is proven anew.
    """

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id"), index=True)
    tenant_id: Mapped[str | None]
    left_tenants: Mapped[str] = mapped_column(server_default="")
    auth_time: Mapped[float]
    proofs: Mapped[str]
    address: Mapped[str]
    user_agent: Mapped[str]
    created_at: Mapped[float]
    last_seen_at: Mapped[float]
    expires_at: Mapped[float] = mapped_column(index=True)
    ended_at: Mapped[float | None]


class BrowserSession(NamedTuple):
    """A live session and its person."""

    id: str
    user_id: str
    tenant_id: str | None
    left_tenants: str
    auth_time: float
    proofs: str
    last_seen_at: float
    email: str
    name: str
    last_tenant_id: str | None
    is_operator: bool | int
    password_changed_at: float | None
    password_must_change: str | None
    password_reset_by_mail_at: float | None


_TABLE: Any = SsoSession.__table__
_LIVE = (
    sa.select(
        _TABLE.c.id,
        _TABLE.c.user_id,
        _TABLE.c.tenant_id,
        _TABLE.c.left_tenants,
        _TABLE.c.auth_time,
        _TABLE.c.proofs,
        _TABLE.c.last_seen_at,
        User.email,
        User.name,
        User.last_tenant_id,
        User.is_operator,
        Password.changed_at,
        Password.must_change,
        Password.reset_by_mail_at,
    )
    .select_from(SsoSession)
    .join(User, User.id == SsoSession.user_id)
    .outerjoin(Password, Password.user_id == SsoSession.user_id)
    .where(
        SsoSession.ended_at.is_(None),
        SsoSession.expires_at > sa.bindparam("now", type_=sa.Double),
        SsoSession.last_seen_at > sa.bindparam("idle_since", type_=sa.Double),
        User.status == sa.literal_column(f"'{users.ACTIVE}'"),
        SsoSession.auth_time >= User.sessions_valid_after,
    )
)
_FIND = _LIVE.where(SsoSession.secret_hash == sa.bindparam("secret_hash"))
_FIND_BY_ID = _LIVE.where(SsoSession.id == sa.bindparam("session_id"))
_START = sa.insert(_TABLE).values(
    {
        name: sa.bindparam(name)
        for name in (
            "id",
            "secret_hash",
            "user_id",
            "tenant_id",
            "auth_time",
            "proofs",
            "address",
            "user_agent",
            "created_at",
            "last_seen_at",
            "expires_at",
        )
    }
)
_RENEW = (
    sa.update(_TABLE)
    .where(_TABLE.c.id == sa.bindparam("session_id"), _TABLE.c.ended_at.is_(None))
    .values(
        {
            name: sa.bindparam(name)
            for name in ("secret_hash", "auth_time", "proofs", "last_seen_at", "expires_at")
        }
    )
    .returning(_TABLE.c.id)
)
_RENEW_WHOLE = _RENEW.values(left_tenants="")
_TOUCH = (
    sa.update(_TABLE)
    .where(_TABLE.c.id == sa.bindparam("session_id"))
    .values(last_seen_at=sa.bindparam("now"))
)
_LEFT = sa.bindparam("left_id", type_=sa.Text)
_LEAVE_TENANT = (
    sa.update(_TABLE)
    .where(
        _TABLE.c.user_id == sa.bindparam("owner_id"),
        _TABLE.c.ended_at.is_(None),
        ~_TABLE.c.left_tenants.contains(_LEFT),
    )
    .values(left_tenants=_TABLE.c.left_tenants + " " + _LEFT)
)
_LEAVE_TENANT_IN_ONE = _LEAVE_TENANT.where(_TABLE.c.id == sa.bindparam("session_id"))
_SET_TENANT = (
    sa.update(_TABLE)
    .where(_TABLE.c.id == sa.bindparam("session_id"))
    .values(tenant_id=sa.bindparam("tenant_id"))
)


class Evidence(NamedTuple):
    """What a finished sign-in has proven. `vouched_by` is the key of the other provider that has
    said who it is, also where a later proof is what counts."""

    user_id: str
    proofs: Proofs
    vouched_by: str = ""

    @property
    def auth_time(self) -> float:
        return assurance.auth_time(self.proofs)

    @property
    def amr(self) -> list[str]:
        return assurance.amr(self.proofs)


class Started(NamedTuple):
    """`secret` goes into the cookie and nowhere else."""

    session_id: str
    secret: str


def cookie_name(is_https: bool) -> str:
    """`__Host-` wherever browsers accept it (RFC 6265bis section 4.1.3.2)."""
    return "__Host-latchkey-session" if is_https else "latchkey-session"


def state_cookie_name(is_https: bool) -> str:
    """Of the cookie that tells the session's state to our own frame (`browser_state`)."""
    return "__Host-latchkey-state" if is_https else "latchkey-state"


def browser_state(session_id: str) -> str:
    """Another one for each session, which opens nothing and names nobody: scripts of ours may read
    it (OpenID Connect Session Management section 3.2)."""
    return fingerprint(f"browser state {session_id}")[:STATE_CHARACTERS]


def find(db: Connection, secret: str, idle_lifetime: float, now: float) -> BrowserSession | None:
    """The live session behind a cookie, if the person may still use it."""
    row = db.row(_FIND, secret_hash=fingerprint(secret), now=now, idle_since=now - idle_lifetime)
    return BrowserSession._make(row) if row else None


def find_by_id(
    db: Connection, session_id: str, idle_lifetime: float, now: float
) -> BrowserSession | None:
    """The same, behind a grant."""
    row = db.row(_FIND_BY_ID, session_id=session_id, now=now, idle_since=now - idle_lifetime)
    return BrowserSession._make(row) if row else None


def start(
    db: Connection, evidence: Evidence, absolute_lifetime: float, now: float, origin: Origin
) -> Started:
    """A new session for a person who has proven everything that was asked."""
    started = Started(new_id(), new_secret())
    db.run(
        _START,
        id=started.session_id,
        secret_hash=fingerprint(started.secret),
        user_id=evidence.user_id,
        tenant_id=None,
        auth_time=evidence.auth_time,
        proofs=assurance.to_text(evidence.proofs),
        address=origin.address,
        user_agent=origin.user_agent[:300],
        created_at=now,
        last_seen_at=now,
        expires_at=evidence.auth_time + absolute_lifetime,
    )
    _record_sign_in(db, evidence, started.session_id, now, origin)
    return started


def renew(
    db: Connection,
    session_id: str,
    evidence: Evidence,
    absolute_lifetime: float,
    now: float,
    origin: Origin,
    *,
    is_whole: bool,
) -> Started | None:
    """The same session after a fresh proof by the same person; None if it has ended meanwhile. One
    that `is_whole` is a sign-in of its own, and not a second factor alone: it lets the session back
    into the tenants that had signed it out."""
    secret = new_secret()
    row = db.row(
        _RENEW_WHOLE if is_whole else _RENEW,
        session_id=session_id,
        secret_hash=fingerprint(secret),
        auth_time=evidence.auth_time,
        proofs=assurance.to_text(evidence.proofs),
        last_seen_at=now,
        expires_at=evidence.auth_time + absolute_lifetime,
    )
    if row is None:
        return None
    _record_sign_in(db, evidence, session_id, now, origin)
    return Started(session_id, secret)


def _record_sign_in(
    db: Connection, evidence: Evidence, session_id: str, now: float, origin: Origin
) -> None:
    elsewhere = evidence.proofs.get(FEDERATED)
    audit.record(
        db,
        "sign_in.succeeded",
        now,
        origin,
        actor=evidence.user_id,
        session=session_id,
        amr=evidence.amr,
        methods=sorted(evidence.proofs),
        user_agent=origin.user_agent[:300],
        **({"provider": elsewhere.by} if elsewhere else {}),
    )


def touch(db: Connection, session: BrowserSession, now: float) -> None:
    """Keep it from idling out; written once a minute at most."""
    if now - session.last_seen_at > TOUCH_AFTER:
        db.run(_TOUCH, session_id=session.id, now=now)


def enter_tenant(db: Connection, session_id: str, tenant_id: str) -> None:
    """The tenant that products open in from now on, unless one is named."""
    db.run(_SET_TENANT, session_id=session_id, tenant_id=tenant_id)


def leave_tenant(
    db: Connection, user_id: str, tenant_id: str, session_id: str | None = None
) -> None:
    """Their sessions, or the one, open nothing there until the person has proven who they are once
    more."""
    whose = {"owner_id": user_id, "left_id": tenant_id}
    if session_id is None:
        db.run(_LEAVE_TENANT, **whose)
    else:
        db.run(_LEAVE_TENANT_IN_ONE, **whose, session_id=session_id)
