"""grant_type=authorization_code (RFC 6749 section 4.1, OpenID Connect Core section 3.1.3)."""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa

from idp.database import Connection
from idp.directory.clients import Client
from idp.directory.operator_standing import AnyStanding
from idp.errors import OAuthRefusal
from idp.grants import grant, grant_state, refresh_token
from idp.grants.grant import Replayed
from idp.grants.grant_row import Grant
from idp.grants.grant_state import DETAILS, GrantState
from idp.grants.redemption import Redemption
from idp.grants.target import Target
from idp.oidc import pkce
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.scopes import OFFLINE_ACCESS
from idp.policies import assurance
from idp.secret_values import fingerprint, new_id, new_secret
from idp.sessions import clients
from idp.sessions.browser import Evidence, SsoSession
from idp.settings import Settings

_TABLE: Any = Grant.__table__
_ISSUED = (
    "id",
    "client_id",
    "user_id",
    "membership_id",
    "operator_term",
    "session_id",
    "consent_id",
    "scope",
    "is_offline",
    "auth_time",
    "provider_key",
    "vouched_by",
    "second_factor_by",
    "second_factor_words",
    "shown_at",
    "second_factor_at",
    "acr",
    "amr",
    "proofs",
    "nonce",
    "claims",
    "created_at",
    "code_hash",
    "redirect_uri",
    "code_challenge",
    "jkt",
    "code_expires_at",
    "expires_at",
)
_ISSUE = sa.insert(_TABLE).values(
    {**{name: sa.bindparam(name) for name in _ISSUED}, "generation": 0, "grace_uses": 0}
)
_SPEND = (
    sa.update(_TABLE)
    .where(
        _TABLE.c.id == sa.bindparam("grant_id"),
        _TABLE.c.code_used_at.is_(None),
        _TABLE.c.code_expires_at > sa.bindparam("now", type_=sa.Double),
        _TABLE.c.ended_at.is_(None),
        sa.exists().where(SsoSession.id == _TABLE.c.session_id, SsoSession.ended_at.is_(None)),
    )
    .values(
        code_used_at=sa.bindparam("now", type_=sa.Double),
        refresh_hash=sa.bindparam("new_refresh_hash"),
        generation=1,
        idle_expires_at=sa.bindparam("new_idle_expires_at"),
        jkt=sa.bindparam("new_jkt"),
        x5t=sa.bindparam("new_x5t"),
    )
    .returning(_TABLE.c.id)
)


def issue(
    db: Connection,
    request: AuthorizationRequest,
    evidence: Evidence,
    session_id: str,
    standing: AnyStanding,
    consent_id: str | None,
    settings: Settings,
    now: float,
) -> str:
    """A code of 256 bits, good once within `code_lifetime` seconds. `consent_id` is what it rests
    on, None where nobody had to be asked."""
    code = new_secret()
    open_grant(
        *(db, request, evidence, session_id, standing, consent_id, settings, now),
        grant_id=new_id(),
        code=code,
        code_expires_at=now + settings.code_lifetime,
    )
    return code


def open_grant(
    db: Connection,
    request: AuthorizationRequest,
    evidence: Evidence,
    session_id: str,
    standing: AnyStanding,
    consent_id: str | None,
    settings: Settings,
    now: float,
    *,
    grant_id: str,
    code: str,
    code_expires_at: float,
) -> None:
    """The grant, of which nothing has been given yet."""
    elsewhere = assurance.second_elsewhere(evidence.proofs)
    db.run(
        _ISSUE,
        id=grant_id,
        client_id=request.client.client_id,
        user_id=evidence.user_id,
        membership_id=standing.membership_id,
        operator_term=standing.operator_term,
        session_id=session_id,
        consent_id=consent_id,
        scope=" ".join(request.scope),
        is_offline=OFFLINE_ACCESS in request.scope,
        auth_time=evidence.auth_time,
        provider_key=assurance.rests_on(evidence.proofs),
        vouched_by=evidence.vouched_by or None,
        second_factor_by=elsewhere and elsewhere.by,
        second_factor_words=elsewhere and elsewhere.words,
        shown_at=assurance.shown_at(evidence.proofs),
        second_factor_at=assurance.second_factor_at(evidence.proofs),
        acr=assurance.reported(evidence.proofs, (*request.essential_acr, *request.acr_values)),
        amr=" ".join(evidence.amr),
        proofs=assurance.to_text(evidence.proofs),
        nonce=request.nonce,
        claims=_asked_of(request),
        created_at=now,
        code_hash=fingerprint(code),
        redirect_uri=request.claimed_redirect_uri,
        code_challenge=request.code_challenge,
        jkt=request.dpop_jkt,
        code_expires_at=code_expires_at,
        expires_at=_end_of(request, evidence, settings, code_expires_at, now),
    )


def _asked_of(request: AuthorizationRequest) -> str:
    """Single claims, and what another's client was allowed to do, and any elsewhere: a registration
    that is widened later widens no grant."""
    asked: dict[str, Any] = dict(request.claims)
    if not request.client.first_party and request.client.permissions:
        asked["permissions"] = list(request.client.permissions)
    if request.resources:
        usable = request.client.resources
        asked["resources"] = {each.key: usable.get(each.key, []) for each in request.resources}
    if request.details:
        asked[DETAILS] = request.details
    return orjson.dumps(asked).decode() if asked else ""


def _end_of(
    request: AuthorizationRequest,
    evidence: Evidence,
    settings: Settings,
    code_expires_at: float,
    now: float,
) -> float:
    """The last moment that anything of the grant can be good: offline, the refresh token's own
    limit; else the session's; without a refresh token, that of one access token."""
    if OFFLINE_ACCESS in request.scope:
        return now + settings.refresh_absolute_lifetime
    if "refresh_token" in request.client.grant_types:
        return evidence.auth_time + settings.session_absolute_lifetime
    return code_expires_at + settings.access_token_lifetime


def redeem(
    by: Redemption,
    claimed_code: str,
    claimed_redirect_uri: str | None,
    claimed_verifier: str | None,
) -> tuple[Target, str | None]:
    """Spend the code: the grant at the product that its first access token is for, as its aim finds
    it before anything is spent, and a first refresh token if the client uses them, which a public
    client can refresh by the same key alone (RFC 9449 section 5).

    Losing the race for it is a replay, which ends the grant and all that it gave (RFC 6749 section
    4.1.2); only a client that proved itself and knows the verifier can cause that.
    """
    try:
        with by.database.connection(durable=False) as db:
            state = grant_state.find_by_code(db, fingerprint(claimed_code), by.client, by.now)
            if state is None:
                raise _invalid("unknown code")
            _check_bindings(state, by.client, claimed_redirect_uri, claimed_verifier)
            return first_tokens(by, db, state)
    except Replayed as replay:
        grant.end_replayed(by.database, "code.replayed", replay.state, by.now, by.origin)
        raise _invalid("the code was used before") from replay


def first_tokens(by: Redemption, db: Connection, state: GrantState) -> tuple[Target, str | None]:
    """Spend the grant's code. Raises Replayed or invalid_grant, and whatever the aim does before
    anything is spent."""
    client, now = by.client, by.now
    if state.jkt not in (None, by.holder.jkt):
        raise _invalid("the code is bound to another key")
    if state.code_used_at is not None:
        raise Replayed(state)
    if state.code_expires_at <= now:
        raise _invalid("the code has expired")
    grant.check_alive(state, client, by.product, by.providers, by.settings, now)
    target = by.aim(db, state)
    _sign_in_at(db, state, client, now)
    handle = new_secret() if "refresh_token" in client.grant_types else None
    _spend(by, db, state, handle)
    return target, refresh_token.encode_token(by.secret_keys, handle, 1) if handle else None


def _sign_in_at(db: Connection, state: GrantState, client: Client, now: float) -> None:
    """Before the code is spent: a product that holds tokens is told of the sign-out, whichever of
    the two comes first."""
    if state.has_client_session:
        return
    if not clients.add(db, state.session_id, client.client_id, now):
        raise _invalid("the session has ended")


def _spend(by: Redemption, db: Connection, state: GrantState, handle: str | None) -> None:
    """One conditional write: of all who try at once, one gets a row, and only while the person is
    signed in. The client session stands already, so a sign-out from now on tells the product."""
    spent = db.row(
        _SPEND,
        grant_id=state.id,
        now=by.now,
        new_refresh_hash=fingerprint(handle) if handle else None,
        new_idle_expires_at=by.now + by.settings.refresh_idle_lifetime,
        new_jkt=by.holder.jkt,
        new_x5t=by.holder.x5t,
    )
    if spent is None:
        raise _reason_for_losing(db, by.client, state, by.now)


def _reason_for_losing(db: Connection, client: Client, state: GrantState, now: float) -> Exception:
    """A code that somebody else has spent was replayed; one that nobody has spent has ended."""
    lost = grant_state.find(db, state.id, "", client, now)
    return (
        Replayed(state) if lost and lost.code_used_at is not None else _invalid("ended meanwhile")
    )


def _check_bindings(
    state: GrantState,
    client: Client,
    claimed_redirect_uri: str | None,
    claimed_verifier: str | None,
) -> None:
    """Each alone is enough to refuse (security.md S07), and none of them spends the code."""
    if state.client_id != client.client_id:
        raise _invalid("the code is another client's")
    if state.redirect_uri != claimed_redirect_uri:
        raise _invalid("another redirect_uri")
    if not pkce.verifies(claimed_verifier, state.code_challenge):
        raise _invalid("the code_verifier does not match")


def _invalid(detail: str) -> OAuthRefusal:
    return OAuthRefusal("invalid_grant", "The authorization code is not valid.", detail)
