"""Another e-mail address: asked for, confirmed by a mailed link, and given back by another one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.login import email_change, email_undo
from idp.login.email_change import EmailMistake
from idp.sessions.browser import BrowserSession
from idp.web.account import guard, shell
from idp.web.context import browser_secret, identity_providers, now, origin, provider

blueprint = Blueprint("account_email", __name__)


@blueprint.get("/account/email")
@guard.proven_anew
def show(session: BrowserSession) -> str:
    return _page(session)


@blueprint.post("/account/email")
@guard.proven_anew
def ask(session: BrowserSession) -> Response | tuple[str, int]:
    held, claimed = provider(), request.form.get("email", "")
    if request.form.get("action") == "withdraw":
        email_change.withdraw(held.database, session.user_id, now())
        flash(_("Your address stays as it is. The link that we sent is worthless."))
        return redirect("/account/email", 303)
    try:
        email_change.ask(
            *(held.database, held.secret_keys, identity_providers(), session.user_id),
            *(claimed, now(), origin()),
        )
    except EmailMistake as mistake:
        return _page(session, email=claimed, errors={"email": _(mistake.sentence)}), 422
    flash(_("We have sent a link to that address. Open it within the hour, in this browser."))
    return redirect("/account/email", 303)


@blueprint.get("/account/email/confirm")
@guard.signed_in
def look(session: BrowserSession) -> str:
    """What opening the link shows; a scanner of mails that follows it changes nothing."""
    token = request.args.get("token", "")
    with provider().database.connection() as db:
        new_email = email_change.look(db, session.user_id, token, now())
    return shell.page(session, "account/email_confirm.html", token=token, new_email=new_email)


@blueprint.post("/account/email/confirm")
@guard.signed_in
def confirm(session: BrowserSession) -> Response:
    held, token = provider(), request.form.get("token", "")
    email_change.confirm(
        *(held.database, held.secret_keys, identity_providers(), session.user_id),
        *(token, now(), origin()),
    )
    flash(_("Your e-mail address is changed. Sign in with the new one from now on."))
    return redirect("/account/security", 303)


@blueprint.get("/account/email/undo")
def look_back() -> str:
    """For whoever reads the old mailbox, signed in or not."""
    browser_secret()
    token = request.args.get("token", "")
    with provider().database.connection() as db:
        old_email = email_undo.look_back(db, token, now())
    return render_template("account/email_undo.html", token=token, old_email=old_email)


@blueprint.post("/account/email/undo")
def undo() -> str:
    token = request.form.get("token", "")
    email_undo.undo(provider().database, token, now(), origin())
    return render_template("account/email_undone.html")


def _page(session: BrowserSession, **values: Any) -> str:
    with provider().database.connection() as db:
        waiting = email_change.waiting(db, session.user_id, now())
    return shell.page(session, "account/email.html", waiting=waiting, **values)
