"""How one signs in: address, password, second factors."""

from __future__ import annotations

from flask import Blueprint

from idp.sessions.browser import BrowserSession
from idp.web.account import guard, shell

blueprint = Blueprint("account_security", __name__)


@blueprint.get("/account/security")
@guard.signed_in
def show(session: BrowserSession) -> str:
    return shell.page(
        session, "account/security.html", password_changed=session.password_changed_at
    )
