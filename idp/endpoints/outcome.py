"""The outcome of an authorization request: a session, and the answer to the client.

Sessions start here alone, and codes are issued here alone.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlencode

from idp.database import Connection
from idp.directory import switcher
from idp.endpoints import choices, cookies, decision_here
from idp.endpoints.messages import NO_STORE, Headers, Page, Request, Response, redirect
from idp.grants import authorization_code
from idp.login import attempt as attempts
from idp.login import linking
from idp.login.attempt import Attempt
from idp.login.next_step import next_step
from idp.login.steps import Asked, Done, Refused
from idp.oidc import authorization_response, pushed_request
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.encrypted_responses import AUTHORIZATION, encrypted
from idp.oidc.reply_to import ReplyTo
from idp.oidc.session_state import session_state
from idp.provider import Provider
from idp.sessions import browser, logout, new_device
from idp.sessions.browser import Evidence
from idp.situation import Situation
from idp.tokens.signed_tokens import RESPONSE, mint

LOCAL_PAGE = re.compile(r"/|/account(/[a-z0-9_-]+)*(\?token=[A-Za-z0-9_-]{43})?")


def from_session(
    provider: Provider, db: Connection, situation: Situation, now: float
) -> dict[str, str]:
    """Single sign-on: three statements from the cookie to the code. The authorization response."""
    session, parsed = situation.session, situation.request
    assert session and parsed and isinstance(situation.decision, Done)
    standing, consent_id = situation.decision.standing, situation.decision.consent_id
    assert standing
    code = authorization_code.issue(
        db, parsed, situation.evidence, session.id, standing, consent_id, provider.settings, now
    )
    browser.touch(db, session, now)
    if standing.tenant_id not in (None, session.tenant_id):
        browser.enter_tenant(db, session.id, standing.tenant_id)
    return _success(provider, parsed, code, session.id)


def finish(
    provider: Provider, request: Request, situation: Situation, attempt: Attempt, now: float
) -> Response | Page:
    """Spend the attempt, start or renew the session, and send the browser where it was going."""
    attempts.spend(provider.ephemeral, attempt, provider.settings.attempt_lifetime, now)
    if situation.request and situation.request.pushed_as:
        spend_pushed(provider, situation.request, now)
    if _must_not_begin_a_session(situation, now):
        return turn_back(provider, request, situation, now)
    with provider.database.transaction() as db:
        session_id, evidence, headers = _signed_in(provider, db, request, situation, now)
        if attempt.linking and isinstance(situation.decision, Done):
            _link(provider, db, request, situation, attempt, now)
        if attempt.destination == attempts.DECOUPLED:
            page = decision_here.take(provider, db, request, situation, session_id, evidence, now)
            return redirect(page, headers)
        fields = _fields(provider, db, request, situation, session_id, evidence, now)
    if situation.request:
        return reply(provider, situation.request.reply_to, fields, headers)
    if isinstance(situation.decision, Refused):
        return redirect("/", headers)
    return redirect(_local_target(provider, attempt, now), headers)


def spend_pushed(provider: Provider, parsed: AuthorizationRequest, now: float) -> None:
    """Raises PageRefusal where another browser, or another tab, was faster."""
    lifetime = provider.settings.attempt_lifetime
    pushed_request.spend(provider.ephemeral, parsed.pushed_as, lifetime, now)


def _link(
    provider: Provider,
    db: Connection,
    request: Request,
    situation: Situation,
    attempt: Attempt,
    now: float,
) -> None:
    providers = provider.catalog.current(now).providers
    who = (situation.evidence.user_id, situation.proven.fresh)
    linking.link(db, attempt, *who, providers, now, request.origin)


def _must_not_begin_a_session(situation: Situation, now: float) -> bool:
    """The person turned back, or can't get further, before they have proven what their companies
    want of each sign-in (security.md S46, S47)."""
    if not isinstance(situation.decision, Refused):
        return False
    going_on = replace(situation.proven, turned_back=False)
    return not isinstance(next_step(Asked(), going_on, situation.entries, now), Done)


def turn_back(
    provider: Provider, request: Request, situation: Situation, now: float
) -> Response | Page:
    """To the client, with the reason; or home, where none asked."""
    parsed, decision, attempt = situation.request, situation.decision, situation.attempt
    assert isinstance(decision, Refused)
    if parsed is None:
        return redirect("/")
    with provider.database.transaction() as db:
        if attempt and attempt.destination == attempts.DECOUPLED:
            return redirect(decision_here.deny(db, request, situation, now))
        choices.record_refusal(db, request, parsed, situation.proven.user_id, decision, now)
    return refuse(provider, parsed.reply_to, decision.error, decision.message)


def _signed_in(
    provider: Provider, db: Connection, request: Request, situation: Situation, now: float
) -> tuple[str, Evidence, tuple[tuple[str, str], ...]]:
    """The session's id, what the grant rests on, and the cookies to set. Any proof gives the
    session a new secret, and a second factor alone nothing else: what the session had stays. A
    session of somebody else in this browser ends."""
    session, proven = situation.session, situation.proven
    if not proven.fresh:
        assert session
        return session.id, situation.evidence, ()
    whole = Evidence(situation.evidence.user_id, proven.proofs)
    absolute = provider.settings.session_absolute_lifetime
    started = None
    if session and session.user_id == proven.user_id:
        started = browser.renew(
            *(db, session.id, whole, absolute, now, request.origin), is_whole=proven.is_fresh
        )
    elif session:
        logout.end(db, session.id, "another person signed in", now, request.origin)
    if started is None and not proven.is_fresh:
        raise attempts.AttemptOver("the session that a second factor added to has ended")
    if started is None:
        device = cookies.device(provider, request)
        new_device.tell(db, provider.secret_keys, device, whole.user_id, now, request.origin)
        started = browser.start(db, whole, absolute, now, request.origin)
    headers = cookies.set_session(provider.settings, started.secret, started.session_id)
    headers += cookies.set_device(provider, request, whole.user_id, now)
    return started.session_id, situation.evidence, headers


def _fields(
    provider: Provider,
    db: Connection,
    request: Request,
    situation: Situation,
    session_id: str,
    evidence: Evidence,
    now: float,
) -> dict[str, str]:
    """The authorization response, with what the person chose on the way written down."""
    parsed, decision = situation.request, situation.decision
    if parsed is None:
        return {}
    issuer = provider.settings.issuer
    if isinstance(decision, Refused):
        choices.record_refusal(db, request, parsed, evidence.user_id, decision, now)
        return authorization_response.error(
            parsed.reply_to, issuer, decision.error, decision.message
        )
    standing, consent_id = choices.write_down(db, request, situation, session_id, evidence, now)
    code = authorization_code.issue(
        db, parsed, evidence, session_id, standing, consent_id, provider.settings, now
    )
    return _success(provider, parsed, code, session_id)


def _success(
    provider: Provider, parsed: AuthorizationRequest, code: str, session_id: str
) -> dict[str, str]:
    state = None
    if "openid" in parsed.scope:
        client_id, redirect_uri = parsed.client.client_id, parsed.reply_to.redirect_uri
        state = session_state(client_id, redirect_uri, browser.browser_state(session_id))
    return authorization_response.success(
        parsed.reply_to, provider.settings.issuer, code, session_state=state
    )


def _local_target(provider: Provider, attempt: Attempt, now: float) -> str:
    """A product's own sign-in, which comes back here at once; or a page of ours."""
    if attempt.destination == attempts.LAUNCH:
        catalog = provider.catalog.current(now)
        product = catalog.products.get(attempt.target)
        target = product and switcher.launch_url(catalog, product, provider.settings.issuer, None)
        return target or "/"
    if attempt.destination == attempts.CONSOLE_PAGE:
        return attempt.target
    if attempt.destination == attempts.INVITATION:
        return f"/invitation?{urlencode({'token': attempt.target})}"
    return attempt.target if LOCAL_PAGE.fullmatch(attempt.target) else "/"


def refuse(provider: Provider, reply_to: ReplyTo, code: str, message: str) -> Response | Page:
    fields = authorization_response.error(reply_to, provider.settings.issuer, code, message)
    return reply(provider, reply_to, fields)


def reply(
    provider: Provider, reply_to: ReplyTo, fields: dict[str, str], headers: Headers = ()
) -> Response | Page:
    """OAuth 2.0 Form Post Response Mode for `form_post`, a redirect for the others. Whoever holds a
    connection does not ask for it: to sign, another one may be needed."""
    if reply_to.is_signed:
        fields = {"response": _signed(provider, reply_to, fields)}
    if reply_to.place == "form_post":
        values = {"action": reply_to.redirect_uri, "fields": list(fields.items())}
        return Page("form_post.html", values, headers=(*NO_STORE, *headers))
    return redirect(authorization_response.location(reply_to, fields), headers)


def _signed(provider: Provider, reply_to: ReplyTo, fields: dict[str, str]) -> str:
    now = provider.clock()
    alg = reply_to.client.authorization_signed_response_alg
    signer = provider.key_ring.current(now).signer(alg, now)
    token = mint(signer, RESPONSE, authorization_response.jwt_claims(reply_to, fields, now))
    return encrypted(reply_to.client, provider.client_keys, AUTHORIZATION, token, now)
