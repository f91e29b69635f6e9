"""What clients ask of one by themselves (CIBA Core): looked at here, or turned away.

Nothing is allowed here: to look is to begin an ordinary sign-in, which ends by the question.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.errors import PageRefusal, told
from idp.grants import ciba, decoupled
from idp.grants.decoupled import Listed
from idp.login import attempt as attempts
from idp.oidc.backchannel_authentication import MESSAGE
from idp.secret_values import fingerprint
from idp.sessions.browser import BrowserSession
from idp.web.account import guard, shell
from idp.web.client_words import name_of
from idp.web.context import browser_secret, catalog, now, origin, provider

blueprint = Blueprint("account_requests", __name__)

ADDRESS = "/account/requests"


@blueprint.get(ADDRESS)
@guard.signed_in
def show(session: BrowserSession) -> str:
    with provider().database.connection() as db:
        pending = decoupled.about(db, session.user_id, now())
    known = catalog().clients
    asked = [_told(each) for each in pending if each.client_id in known]
    return shell.page(session, "account/requests.html", asked=asked)


@blueprint.post(ADDRESS)
@guard.signed_in
def answer(session: BrowserSession) -> Response:
    name, decision = request.form.get("request", ""), request.form.get("decision")
    if decision == "look":
        return _begin(session, name)
    if decision not in ("deny", "disown"):
        raise PageRefusal("invalid_request", told("Choose what to do about the request."))
    is_disowned = decision == "disown"
    with provider().database.transaction() as db:
        is_done = ciba.deny(db, name, session.user_id, now(), origin(), is_disowned=is_disowned)
    if not is_done:
        return _over()
    if is_disowned:
        flash(_("It is refused, and that application can ask nothing of you for a day."))
    else:
        flash(_("It is refused."))
    return redirect(ADDRESS, 303)


def _begin(session: BrowserSession, name: str) -> Response:
    browser = fingerprint(browser_secret())
    with provider().database.connection() as db:
        pending = decoupled.take_up_own(db, name, session.user_id, browser, now())
    if pending is None:
        return _over()
    attempt = attempts.begin(
        *(provider().ephemeral, browser_secret(), provider().settings.attempt_lifetime, now()),
        attempts.DECOUPLED,
        parameters={**pending.parameters, attempts.ABOUT: session.user_id},
        target=pending.handle_hash,
    )
    return redirect(f"/authorize?attempt={attempt.id}", 303)


def _over() -> Response:
    flash(_("That request has expired, or was answered already."))
    return redirect(ADDRESS, 303)


def _told(pending: Listed) -> dict[str, Any]:
    client = catalog().clients[pending.client_id]
    return {
        "name": pending.name,
        "client_name": name_of(client),
        "product": catalog().products.get(client.product_key),
        "message": pending.parameters.get(MESSAGE),
        "at": pending.created_at,
        "until": pending.expires_at,
    }


@blueprint.get("/request/<any(allowed,denied,over):outcome>")
def decided(outcome: str) -> str:
    """Nobody need be signed in to be told."""
    return render_template("account/request_decided.html", outcome=outcome)
