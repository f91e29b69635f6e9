"""What a person chose on the way through a sign-in, written down where it ends."""

from __future__ import annotations

from idp import audit
from idp.database import Connection
from idp.directory import users
from idp.directory.operator_standing import AnyStanding
from idp.endpoints.messages import Request
from idp.grants import consent
from idp.login.steps import Done, Refused
from idp.oidc.authorization_request import AuthorizationRequest
from idp.sessions import browser
from idp.sessions.browser import Evidence
from idp.situation import Situation


def write_down(
    db: Connection,
    request: Request,
    situation: Situation,
    session_id: str,
    evidence: Evidence,
    now: float,
) -> tuple[AnyStanding, str | None]:
    """The membership, or the operator's standing, and the consent that a grant rests on."""
    decision = situation.decision
    assert isinstance(decision, Done) and decision.standing
    standing = decision.standing
    _remember_tenant(db, request, situation, evidence.user_id, now)
    consent_id = _given_consent(db, request, situation, evidence.user_id, now)
    if standing.tenant_id is not None:
        browser.enter_tenant(db, session_id, standing.tenant_id)
    return standing, consent_id


def record_refusal(
    db: Connection,
    request: Request,
    parsed: AuthorizationRequest,
    user_id: str | None,
    decision: Refused,
    now: float,
) -> None:
    audit.record(
        db,
        "sign_in.refused",
        now,
        request.origin,
        actor=user_id,
        client=parsed.client.client_id,
        reason=decision.message,
    )


def _remember_tenant(
    db: Connection, request: Request, situation: Situation, user_id: str, now: float
) -> None:
    chosen = situation.proven.chosen_tenant_id
    if chosen:
        users.remember_tenant(db, user_id, chosen)
        audit.record(db, "tenant.chosen", now, request.origin, actor=user_id, tenant=chosen)


def _given_consent(
    db: Connection, request: Request, situation: Situation, user_id: str, now: float
) -> str | None:
    """The consent that the code rests on: what was given on the way is written down."""
    proven, parsed, decision = situation.proven, situation.request, situation.decision
    assert parsed and isinstance(decision, Done) and decision.standing
    if not proven.consent_is_fresh:
        return decision.consent_id
    return consent.give(
        db,
        user_id,
        decision.standing,
        parsed.client.client_id,
        proven.consented,
        now,
        request.origin,
    )
