"""The end of what sign-ins rest on, at the products: they are told, as far as it can be told apart.

Nothing that rests on a membership counts from the moment that it is not in force, since `why_dead`
reads it with every use. What is left is to let go of the grants, so that none of them wakes up with
the membership, and to sign people out of the products that they had open by it. A product's session
(`sid`) is one for all companies: it is signed out where nothing newer was granted in it than what
has ended, and left alone where the product has gone on since in a company of which that is not so.
"""

from __future__ import annotations

from math import inf
from typing import Any

import sqlalchemy as sa

from idp import outbox
from idp.database import Connection
from idp.directory.access_requests import GRANTED, AccessRequest
from idp.directory.clients import Client
from idp.directory.memberships import Membership
from idp.directory.users import User
from idp.grants.consent import Consent
from idp.grants.grant_row import Grant
from idp.outbox import Message
from idp.sessions import browser
from idp.sessions.browser import SsoSession
from idp.sessions.clients import ClientSession
from idp.sessions.logout import MESSAGE
from idp.statements import Statement

UNTIL = "until"  # in a payload: what was granted later is not meant
_CONSENTS: Any = Consent.__table__
_newer = sa.orm.aliased(Grant)
_TENANT = sa.bindparam("tenant_id", type_=sa.Text)
_USER = sa.bindparam("user_id", type_=sa.Text)
_MEMBERSHIP = sa.bindparam("membership_id", type_=sa.Text)
_SESSION = sa.bindparam("session_id", type_=sa.Text)
_UNTIL = sa.bindparam("until", type_=sa.Double)
_OPEN = (
    sa.select(Grant.session_id, Grant.client_id, Grant.user_id, ClientSession.sid)
    .distinct()
    .select_from(Grant)
    .join(SsoSession, SsoSession.id == Grant.session_id)
    .join(
        ClientSession,
        sa.and_(
            ClientSession.session_id == Grant.session_id, ClientSession.client_id == Grant.client_id
        ),
    )
    .join(Client, Client.client_id == Grant.client_id)
    .where(
        Grant.ended_at.is_(None),
        SsoSession.ended_at.is_(None),
        Client.backchannel_logout_uri.is_not(None),
    )
)


def _unless_moved_on(to_another: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return ~sa.exists().where(
        _newer.session_id == Grant.session_id,
        _newer.client_id == Grant.client_id,
        _newer.created_at > Grant.created_at,
        _newer.code_used_at.is_not(None),
        to_another,
    )


def _rests_on_tenant(grant: Any) -> sa.ColumnElement[bool]:
    """Its membership is of the tenant, or came across tenants at the tenant's request: a tenant's
    own transaction sees such a request, and not the membership."""
    return sa.or_(
        sa.exists().where(Membership.id == grant.membership_id, Membership.tenant_id == _TENANT),
        sa.exists().where(
            AccessRequest.membership_id == grant.membership_id, AccessRequest.tenant_id == _TENANT
        ),
    )


_IS_ELSEWHERE = _unless_moved_on(~_rests_on_tenant(_newer))
_OF_SESSION = _OPEN.where(
    Grant.user_id == _USER,
    Grant.membership_id == _MEMBERSHIP,
    Grant.session_id == _SESSION,
    _unless_moved_on(_newer.membership_id != _MEMBERSHIP),
)
_OF_PERSON = _OPEN.where(Grant.user_id == _USER, _rests_on_tenant(Grant), _IS_ELSEWHERE)
_END = (
    sa.update(Grant)
    .where(Grant.user_id == _USER, Grant.membership_id == _MEMBERSHIP, Grant.ended_at.is_(None))
    .values(ended_at=sa.bindparam("now"))
)
_END_EARLIER = _END.where(Grant.created_at <= _UNTIL).returning(
    Grant.session_id, Grant.client_id, Grant.created_at
)
_SHOWS = (
    sa.select(ClientSession.sid)
    .join(SsoSession, SsoSession.id == ClientSession.session_id)
    .join(Client, Client.client_id == ClientSession.client_id)
    .where(
        ClientSession.session_id == _SESSION,
        ClientSession.client_id == sa.bindparam("client_id"),
        SsoSession.ended_at.is_(None),
        Client.backchannel_logout_uri.is_not(None),
        ~sa.exists().where(
            _newer.session_id == ClientSession.session_id,
            _newer.client_id == ClientSession.client_id,
            _newer.created_at > sa.bindparam("granted_at", type_=sa.Double),
            _newer.code_used_at.is_not(None),
            sa.or_(_newer.membership_id != _MEMBERSHIP, _newer.created_at > _UNTIL),
        ),
    )
)
_IS_SIGNED_IN_AGAIN = sa.select(Grant.id).where(
    Grant.session_id == _SESSION,
    Grant.client_id == sa.bindparam("client_id"),
    Grant.created_at > _UNTIL,
    Grant.code_used_at.is_not(None),
    Grant.ended_at.is_(None),
)

_END_OF_PERSON = (
    sa.update(Grant)
    .where(Grant.user_id == _USER, _rests_on_tenant(Grant), Grant.ended_at.is_(None))
    .values(ended_at=sa.bindparam("now"))
)
_LET_IN_BY = (
    sa.select(AccessRequest.receiving_tenant_id)
    .distinct()
    .where(
        AccessRequest.tenant_id == _TENANT,
        AccessRequest.user_id == _USER,
        AccessRequest.status.in_(sa.literal_column(f"'{each}'") for each in GRANTED),
    )
)
_OF_OPERATOR = _OPEN.where(Grant.user_id == _USER, Grant.operator_term.is_not(None))
_END_OF_OPERATOR = (
    sa.update(Grant)
    .where(Grant.user_id == _USER, Grant.operator_term.is_not(None), Grant.ended_at.is_(None))
    .values(ended_at=sa.bindparam("now"))
)
_FORGET_CONSENTS = sa.delete(_CONSENTS).where(
    _CONSENTS.c.operator_term
    == sa.select(User.operator_term).where(User.id == _USER).scalar_subquery()
)

_END_IN_SESSION = _END.where(Grant.session_id == _SESSION)


def end_of_person(db: Connection, tenant_id: str, user_id: str, now: float) -> None:
    """For good, of what rests on a tenant what one person holds, in it and in others. No browser
    of theirs comes back to any of them without another proof."""
    whose = {"tenant_id": tenant_id, "user_id": user_id}
    _tell(db, now, _OF_PERSON, **whose)
    db.run(_END_OF_PERSON, **whose, now=now)
    for left_id in (tenant_id, *(row[0] for row in db.rows(_LET_IN_BY, **whose))):
        browser.leave_tenant(db, user_id, left_id)


def end_in_session(
    db: Connection, tenant_id: str, user_id: str, membership_id: str, session_id: str, now: float
) -> None:
    """What one browser holds by a membership of the tenant, where the rest of its session is
    another's; nor does it come back without another proof."""
    whose = {"user_id": user_id, "membership_id": membership_id, "session_id": session_id}
    _tell(db, now, _OF_SESSION, **whose)
    db.run(_END_IN_SESSION, **whose, now=now)
    browser.leave_tenant(db, user_id, tenant_id, session_id)


def end_of_membership(
    db: Connection, user_id: str, membership_id: str, now: float, until: float = inf
) -> int:
    """What was granted by it `until` then; how many messages that takes. Whoever ends it in the
    same moment tells nobody twice: a grant is ended once."""
    whose = {"user_id": user_id, "membership_id": membership_id, "until": until}
    latest: dict[tuple[str, str], float] = {}
    for session_id, client_id, granted_at in db.rows(_END_EARLIER, **whose, now=now):
        browser_and_client = session_id, client_id
        latest[browser_and_client] = max(granted_at, latest.get(browser_and_client, granted_at))
    told = 0
    for (session_id, client_id), granted_at in latest.items():
        where = {"session_id": session_id, "client_id": client_id}
        shows = {"membership_id": membership_id, "until": until, "granted_at": granted_at}
        if (row := db.row(_SHOWS, **where, **shows)) is not None:
            _order(db, user_id, row[0], min(until, now), now, **where)
            told += 1
    return told


def end_of_operator(db: Connection, user_id: str, now: float) -> None:
    """What somebody holds at the platform's clients, before they are an operator no more."""
    _tell(db, now, _OF_OPERATOR, user_id=user_id)
    db.run(_END_OF_OPERATOR, user_id=user_id, now=now)
    db.run(_FORGET_CONSENTS, user_id=user_id)


def is_signed_in_again(db: Connection, message: Message) -> bool:
    """Whether the browser has gone on in the product since what the message is about had ended: to
    the product it is one session (`sid`), which is to be left alone."""
    until = message.payload.get(UNTIL)
    at = {"session_id": message.session_id, "client_id": message.client_id}
    return until is not None and db.row(_IS_SIGNED_IN_AGAIN, **at, until=until) is not None


def _tell(db: Connection, now: float, signed_in: Statement, **whose: str) -> None:
    for session_id, client_id, user_id, sid in db.rows(signed_in, **whose):
        _order(db, user_id, sid, now, now, session_id=session_id, client_id=client_id)


def _order(db: Connection, user_id: str, sid: str, until: float, now: float, **at: str) -> None:
    outbox.enqueue(db, MESSAGE, {"sub": user_id, "sid": sid, UNTIL: until}, now, **at)
