"""The end of what sign-ins rest on, at the products: they are told, as far as it can be told apart.

Nothing that rests on a membership counts from the moment that it is not in force, since `why_dead`
reads it with every use. What is left is to let go of the grants, so that none of them wakes up with
the membership, and to sign people out of the products that they had open by it. A product's session
(`sid`) is one for all companies: it is signed out where nothing newer was granted in it than what
has ended, and left alone where the product has gone on since in a company of which that is not so.
"""

from __future__ import annotations

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
from idp.sessions import browser
from idp.sessions.browser import SsoSession
from idp.sessions.clients import ClientSession
from idp.sessions.logout import MESSAGE
from idp.statements import Statement

_CONSENTS: Any = Consent.__table__
_newer = sa.orm.aliased(Grant)
_TENANT = sa.bindparam("tenant_id", type_=sa.Text)
_USER = sa.bindparam("user_id", type_=sa.Text)
_MEMBERSHIP = sa.bindparam("membership_id", type_=sa.Text)
_SESSION = sa.bindparam("session_id", type_=sa.Text)
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
_OF_MEMBERSHIP = _OPEN.where(
    Grant.user_id == _USER,
    Grant.membership_id == _MEMBERSHIP,
    _unless_moved_on(_newer.membership_id != _MEMBERSHIP),
)
_OF_SESSION = _OF_MEMBERSHIP.where(Grant.session_id == _SESSION)
_OF_PERSON = _OPEN.where(Grant.user_id == _USER, _rests_on_tenant(Grant), _IS_ELSEWHERE)
_THOSE = sa.union_all(
    sa.select(Membership.user_id, Membership.id).where(Membership.tenant_id == _TENANT),
    sa.select(AccessRequest.user_id, AccessRequest.membership_id).where(
        AccessRequest.tenant_id == _TENANT, AccessRequest.membership_id.is_not(None)
    ),
).subquery()
_OF_TENANT = _OPEN.join(
    _THOSE, sa.and_(_THOSE.c.user_id == Grant.user_id, _THOSE.c.id == Grant.membership_id)
).where(_IS_ELSEWHERE)
_COUNT_OF_TENANT = sa.select(sa.func.count()).select_from(_OF_TENANT.subquery())
_END = (
    sa.update(Grant)
    .where(Grant.user_id == _USER, Grant.membership_id == _MEMBERSHIP, Grant.ended_at.is_(None))
    .values(ended_at=sa.bindparam("now"))
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


def tell_products(db: Connection, tenant_id: str, now: float) -> int:
    """A back-channel logout for each browser and product that is signed in by what rests on a
    tenant: its own memberships, and those by which its people were let into other ones. How many.
    In a transaction that sees every tenant."""
    return _tell(db, now, _OF_TENANT, tenant_id=tenant_id)


def count_open(db: Connection, tenant_id: str) -> int:
    """How many those are."""
    row = db.row(_COUNT_OF_TENANT, tenant_id=tenant_id)
    return int(row[0]) if row else 0


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


def end_of_membership(db: Connection, user_id: str, membership_id: str, now: float) -> None:
    """Who asks again tells nobody twice: there is nothing left to end."""
    whose = {"user_id": user_id, "membership_id": membership_id}
    _tell(db, now, _OF_MEMBERSHIP, **whose)
    db.run(_END, **whose, now=now)


def end_of_operator(db: Connection, user_id: str, now: float) -> None:
    """What somebody holds at the platform's clients, before they are an operator no more."""
    _tell(db, now, _OF_OPERATOR, user_id=user_id)
    db.run(_END_OF_OPERATOR, user_id=user_id, now=now)
    db.run(_FORGET_CONSENTS, user_id=user_id)


def _tell(db: Connection, now: float, signed_in: Statement, **whose: str) -> int:
    told = db.rows(signed_in, **whose)
    for session_id, client_id, user_id, sid in told:
        payload = {"sub": user_id, "sid": sid}
        outbox.enqueue(db, MESSAGE, payload, now, session_id=session_id, client_id=client_id)
    return len(told)
