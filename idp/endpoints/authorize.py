"""The authorization endpoint: every sign-in begins here, returns here, and ends here.

It parses the request, looks at what is proven, asks `next_step`, and does what that says.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from idp.database import Connection
from idp.endpoints import cookies, outcome
from idp.endpoints.arrivals import arrived, is_handed_over
from idp.endpoints.messages import Page, Request, Response, redirect
from idp.errors import PageRefusal
from idp.login import attempt as attempts
from idp.login.attempt import Attempt
from idp.login.steps import Done, Refused, ToAllow
from idp.oidc import parameters
from idp.oidc.authorization_request import PARAMETERS, AuthorizationRequest
from idp.oidc.encrypted_responses import AUTHORIZATION, check_readable
from idp.oidc.parameters import Malformed, Parameters
from idp.oidc.reply_to import RefusedRequest
from idp.provider import Provider
from idp.sessions import browser
from idp.sessions.browser import BrowserSession
from idp.situation import Situation, assess, read_request, resumed


def authorize(provider: Provider, request: Request) -> Response | Page:
    """OpenID Connect Core section 3.1.2; `?attempt=` resumes a sign-in of this browser."""
    try:
        sent = parameters.parse(request.query, request.body.decode())
    except (Malformed, UnicodeDecodeError) as problem:
        raise PageRefusal(
            "invalid_request", "The request can't be read.", f"authorize: {problem}"
        ) from problem
    if "attempt" in sent.values:
        return _resume(provider, request, sent.values["attempt"])
    if is_handed_over(sent) and request.method == "POST":
        return _asked_again_by_get(sent)
    now = provider.clock()
    try:
        arrival = arrived(provider, sent, now)
        parsed = read_request(provider, arrival, now)
        if parsed.reply_to.is_signed:
            check_readable(parsed.client, provider.client_keys, AUTHORIZATION, now)
        if request.method == "POST":
            return _asked_again_by_get(sent)
        return _begin(provider, request, parsed, arrival.parameters)
    except RefusedRequest as refusal:
        return outcome.refuse(provider, refusal.reply_to, refusal.code, refusal.public_message)


def _asked_again_by_get(sent: Parameters) -> Response:
    """A POST from another site carries no SameSite=Lax cookie; the GET that follows does. Encoded
    anew, since a body may hold what a header may not."""
    return redirect(f"/authorize?{urlencode(sent.values)}")


def _begin(
    provider: Provider, request: Request, parsed: AuthorizationRequest, sent: Parameters
) -> Response | Page:
    """A new request. A signed-in person who lacks nothing is answered without an attempt."""
    now, fields = provider.clock(), {}
    with provider.database.connection(durable=False) as db:
        session = _find_session(provider, db, request, now)
        situation = assess(provider, db, parsed, None, session, now)
        is_done = isinstance(situation.decision, Done)
        if is_done and not parsed.pushed_as:
            fields = outcome.from_session(provider, db, situation, now)
    if is_done and parsed.pushed_as:
        outcome.spend_pushed(provider, parsed, now)
        with provider.database.connection(durable=False) as db:
            fields = outcome.from_session(provider, db, situation, now)
    if fields:
        assert session
        mended = cookies.mend_state(provider.settings, request, session.id)
        return outcome.reply(provider, parsed.reply_to, fields, mended)
    if isinstance(situation.decision, Refused):
        return outcome.turn_back(provider, request, situation, now)
    step = situation.step
    assert step
    if "none" in parsed.prompt:
        return outcome.refuse(provider, parsed.reply_to, step.error, step.words)
    asked = {name: sent.values[name] for name in PARAMETERS if name in sent.values}
    if parsed.pushed_as:
        asked[attempts.PUSHED_AS] = parsed.pushed_as
    if not attempts.fits(asked):
        sentence = "The parameters together are larger than a sign-in keeps."
        return outcome.refuse(provider, parsed.reply_to, "invalid_request", sentence)
    browser_secret, new_cookie = cookies.browser_secret(provider.settings, request)
    attempt = attempts.begin(
        provider.ephemeral,
        browser_secret,
        provider.settings.attempt_lifetime,
        now,
        attempts.AUTHORIZE,
        parameters=asked,
    )
    return _show(provider, situation, attempt, new_cookie, now)


def _resume(provider: Provider, request: Request, attempt_id: str) -> Response | Page:
    """Back from a step: decide again, with what the step has proven."""
    now = provider.clock()
    browser_secret, _ = cookies.browser_secret(provider.settings, request)
    attempt = attempts.load(provider.ephemeral, attempt_id, browser_secret, now)
    try:
        with provider.database.connection(durable=False) as db:
            session = _find_session(provider, db, request, now)
            situation = resumed(provider, db, attempt, session, now)
    except RefusedRequest as refusal:
        return outcome.refuse(provider, refusal.reply_to, refusal.code, refusal.public_message)
    if situation.step:
        return _show(provider, situation, attempt, (), now)
    return outcome.finish(provider, request, situation, attempt, now)


def _find_session(
    provider: Provider, db: Connection, request: Request, now: float
) -> BrowserSession | None:
    secret = request.cookie(browser.cookie_name(provider.settings.is_https))
    if not secret:
        return None
    return browser.find(db, secret, provider.settings.session_idle_lifetime, now)


def _show(
    provider: Provider,
    situation: Situation,
    attempt: Attempt,
    headers: Sequence[tuple[str, str]],
    now: float,
) -> Response:
    """Off to the step's page. What consent is asked for is settled here, and kept for the page."""
    decision, step = situation.decision, situation.step
    assert step
    if isinstance(decision, ToAllow):
        assert situation.request and situation.proven.user_id
        attempt = attempt.ask_to_allow(
            situation.proven.user_id,
            decision.standing.tenant_id,
            decision.standing.tenant_name,
            situation.request.consent_scope,
            situation.request.details_text,
        )
        attempts.save(provider.ephemeral, attempt, provider.settings.attempt_lifetime, now)
    query = urlencode({"attempt": attempt.id})
    return redirect(f"/login/{step.page}?{query}", tuple(headers))
