"""Enable MFA: taking back that one did without a second factor (product.md M4)."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response

from idp.directory import skipping
from idp.sessions import logout
from idp.sessions.browser import BrowserSession
from idp.web.account import guard, shell
from idp.web.context import now, origin, provider
from idp.web.leaving import leave

blueprint = Blueprint("account_enable", __name__)


@blueprint.get("/account/enable")
@guard.signed_in
def confirm(session: BrowserSession) -> str:
    return shell.page(session, "account/enable.html")


@blueprint.post("/account/enable")
@guard.signed_in
def enable(session: BrowserSession) -> Response:
    """Signed out, so that the next sign-in sets it up."""
    with provider().database.transaction() as db:
        skipping.forget(db, session.user_id)
        logout.end(db, session.id, "to set up a second factor", now(), origin())
    return leave(session.id)
