"""The outcome of a request that no browser brought: what a person decides here of a device, or of a
client that has named them.

Nothing is sent by the browser. The client hears of it when it asks again at the token endpoint.
"""

from __future__ import annotations

from idp import audit
from idp.database import Connection
from idp.endpoints import choices
from idp.endpoints.messages import Request
from idp.grants import authorization_code, ciba, decoupled
from idp.login.attempt import Attempt
from idp.login.steps import Refused
from idp.provider import Provider
from idp.secret_values import new_id, new_secret
from idp.sessions.browser import Evidence
from idp.situation import Situation

ALLOWED, DENIED, OVER = "allowed", "denied", "over"


def take(
    provider: Provider,
    db: Connection,
    request: Request,
    situation: Situation,
    session_id: str,
    evidence: Evidence,
    now: float,
) -> str:
    """In a transaction, with nothing left to ask. The page that says how it ended. A yes makes a
    grant whose code nobody knows."""
    parsed, attempt = situation.request, situation.attempt
    assert parsed and attempt
    if isinstance(situation.decision, Refused):
        return deny(db, request, situation, now)
    grant_id = new_id()
    until = decoupled.allow(db, attempt.target, attempt.browser, grant_id, now)
    if until is None:
        return attempt.ending(OVER)
    standing, consent_id = choices.write_down(db, request, situation, session_id, evidence, now)
    authorization_code.open_grant(
        *(db, parsed, evidence, session_id, standing, consent_id, provider.settings, now),
        grant_id=grant_id,
        code=new_secret(),
        code_expires_at=until,
    )
    audit.record(
        *(db, _allowed(attempt), now, request.origin),
        actor=evidence.user_id,
        tenant=standing.tenant_id,
        client=parsed.client.client_id,
        grant=grant_id,
    )
    if attempt.is_about_person:
        ciba.welcome(db, parsed.client.client_id, evidence.user_id, now)
    return attempt.ending(ALLOWED)


def _allowed(attempt: Attempt) -> str:
    return "backchannel_request.allowed" if attempt.is_about_person else "device.allowed"


def deny(db: Connection, request: Request, situation: Situation, now: float) -> str:
    """Because the person will not have it, or can't open the product."""
    parsed, attempt, decision = situation.request, situation.attempt, situation.decision
    assert parsed and attempt and isinstance(decision, Refused)
    user_id = situation.proven.user_id
    choices.record_refusal(db, request, parsed, user_id, decision, now)
    if not decoupled.deny(db, attempt.target, attempt.browser, now):
        return attempt.ending(OVER)
    if attempt.is_about_person:
        ciba.record_denial(db, parsed.client.client_id, user_id, now, request.origin)
    return attempt.ending(DENIED)
