"""What is read of a grant: everything that decides whether it still counts, in one statement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from idp.database import Connection
from idp.directory.access_requests import AccessRequest
from idp.directory.clients import Client
from idp.directory.memberships import STANDING_COLUMNS, Membership, Standing
from idp.directory.operator_standing import TERM, AnyStanding, OperatorStanding
from idp.directory.products import PLATFORM
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.grants.consent import Consent
from idp.grants.grant_row import Grant, RevokedToken
from idp.oidc.scopes import OFFLINE_ACCESS
from idp.sessions.browser import SsoSession
from idp.sessions.clients import ClientSession

DETAILS = "authorization_details"


class GrantState(NamedTuple):
    """A grant with everything that decides whether it still counts, and what it tells. `scope` and
    `is_offline` are what its client may still have of them; `consented` is the id of the consent
    that it rests on, None once that is gone. `was_signed_out` says that the company was suspended
    since, or the one at whose request it let the person in."""

    id: str
    client_id: str
    user_id: str
    session_id: str
    consented: str | None
    scope: str
    is_offline: bool
    auth_time: float
    provider_key: str | None
    vouched_by: str | None
    second_factor_by: str | None
    second_factor_words: str | None
    shown_at: float
    second_factor_at: float | None
    acr: str
    amr: str
    proofs: str
    nonce: str | None
    claims: str
    redirect_uri: str | None
    code_challenge: str | None
    jkt: str | None
    x5t: str | None
    code_expires_at: float
    code_used_at: float | None
    generation: int
    rotated_at: float | None
    idle_expires_at: float | None
    expires_at: float
    ended_at: float | None
    session_ended_at: float | None
    session_expires_at: float
    left_tenants: str
    has_client_session: int
    sessions_valid_after: float
    email: str
    email_verified_at: float | None
    name: str
    given_name: str
    family_name: str
    locale: str
    zoneinfo: str
    updated_at: float
    is_token_revoked: int
    was_signed_out: int
    standing: AnyStanding

    @property
    def has_details(self) -> bool:
        return f'"{DETAILS}":' in self.claims

    @property
    def asked(self) -> dict[str, Any]:
        """What was asked for beyond the scope: single claims for the `id_token` and the `userinfo`;
        the `permissions` that another's client may use; the `resources` that tokens may be for, by
        the keys of products in their order, with the nodes that the client may use there; and what
        the person allowed one by one (DETAILS, RFC 9396)."""
        return dict(orjson.loads(self.claims)) if self.claims else {}


_HAS_CLIENT_SESSION = (
    sa.select(sa.func.count())
    .where(ClientSession.session_id == Grant.session_id, ClientSession.client_id == Grant.client_id)
    .correlate(Grant)
    .scalar_subquery()
)
_IS_TOKEN_REVOKED = (
    sa.select(sa.func.count()).where(RevokedToken.jti == sa.bindparam("jti")).scalar_subquery()
)
_OF_GRANT = (
    Grant.id,
    Grant.client_id,
    Grant.user_id,
    Grant.session_id,
    Consent.id,
    Grant.scope,
    Grant.is_offline,
    Grant.auth_time,
    Grant.provider_key,
    Grant.vouched_by,
    Grant.second_factor_by,
    Grant.second_factor_words,
    Grant.shown_at,
    Grant.second_factor_at,
    Grant.acr,
    Grant.amr,
    Grant.proofs,
    Grant.nonce,
    Grant.claims,
    Grant.redirect_uri,
    Grant.code_challenge,
    Grant.jkt,
    Grant.x5t,
    Grant.code_expires_at,
    Grant.code_used_at,
    Grant.generation,
    Grant.rotated_at,
    Grant.idle_expires_at,
    Grant.expires_at,
    Grant.ended_at,
    SsoSession.ended_at,
    SsoSession.expires_at,
    SsoSession.left_tenants,
    _HAS_CLIENT_SESSION,
    User.sessions_valid_after,
    User.email,
    User.email_verified_at,
    User.name,
    User.given_name,
    User.family_name,
    User.locale,
    User.zoneinfo,
    User.updated_at,
    _IS_TOKEN_REVOKED,
)


class _Statements(NamedTuple):
    """The state of a grant by its id, its code or its refresh token: one statement each."""

    by_id: sa.Select[Any]
    by_code: sa.Select[Any]
    by_refresh: sa.Select[Any]


def _statements(standing: Iterable[Any], *, joins: Iterable[tuple[Any, Any]] = ()) -> _Statements:
    state = sa.select(*_OF_GRANT, *standing).select_from(Grant)
    for table, condition in ((User, User.id == Grant.user_id), *joins):
        state = state.join(table, condition)
    state = state.join(SsoSession, SsoSession.id == Grant.session_id)
    state = state.outerjoin(Consent, Consent.id == Grant.consent_id)
    key: Any = sa.bindparam("key")
    keys = (Grant.id, Grant.code_hash, Grant.refresh_hash)
    return _Statements(*(state.where(column == key) for column in keys))


_asking = aliased(Tenant)
_ASKING_VALID_AFTER = (
    sa.select(_asking.sign_ins_valid_after)
    .join(AccessRequest, AccessRequest.tenant_id == _asking.id)
    .where(AccessRequest.id == Membership.access_request_id)
    .correlate(Membership)
    .scalar_subquery()
)
_YES: Any = sa.literal_column("1")
_NO: Any = sa.literal_column("0")
_WAS_SIGNED_OUT = sa.case(
    (Grant.created_at <= Tenant.sign_ins_valid_after, _YES),
    (Membership.access_request_id.is_(None), _NO),
    (Grant.created_at <= _ASKING_VALID_AFTER, _YES),
    else_=_NO,
)
_OWN_COLUMNS = len(GrantState._fields) - 1
_OF_MEMBERS = _statements(
    (_WAS_SIGNED_OUT, *STANDING_COLUMNS),
    joins=(
        (Membership, Membership.id == Grant.membership_id),
        (Tenant, Tenant.id == Membership.tenant_id),
    ),
)
_OF_OPERATORS = _statements((_NO, sa.case((Grant.operator_term == TERM, TERM)), User.status))


def find_by_code(db: Connection, code_hash: str, client: Client, now: float) -> GrantState | None:
    """As `client` may have it, who brings the code; it may be another's."""
    return _read(db, _statements_for(client).by_code, code_hash, client, now)


def find_by_refresh(
    db: Connection, refresh_hash: str, client: Client, now: float
) -> GrantState | None:
    return _read(db, _statements_for(client).by_refresh, refresh_hash, client, now)


def find(
    db: Connection, grant_id: str, jti: str, client: Client, now: float, product_key: str = ""
) -> GrantState | None:
    """For an access token: its grant, and whether the token itself was revoked. How the person
    stands at the product of that key, or else at the client's own."""
    return _read(db, _statements_for(client).by_id, grant_id, client, now, jti, product_key)


def _statements_for(client: Client) -> _Statements:
    """A client of the platform's finds what operators have, and no other does."""
    return _OF_OPERATORS if client.product_key == PLATFORM else _OF_MEMBERS


def _read(
    db: Connection,
    statement: sa.Select[Any],
    key: str,
    client: Client,
    now: float,
    jti: str = "",
    product_key: str = "",
) -> GrantState | None:
    """Without the scope that was taken from the client since (security.md S19)."""
    row = db.row(statement, key=key, product=product_key or client.product_key, jti=jti, now=now)
    if row is None:
        return None
    kind = OperatorStanding if client.product_key == PLATFORM else Standing
    state = GrantState._make((*row[:_OWN_COLUMNS], kind(*row[_OWN_COLUMNS:])))
    allowed, given = client.scope.split(), state.scope.split()
    scope = [word for word in given if word in allowed]
    is_offline = state.is_offline and OFFLINE_ACCESS in scope
    if scope == given and is_offline == state.is_offline:
        return state
    return state._replace(scope=" ".join(scope), is_offline=is_offline)
