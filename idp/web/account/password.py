"""One's own password: ask for a link, then change it (product.md P6)."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.credentials import devices, password_links
from idp.credentials.password import SignInRefused
from idp.login import new_password, own_password
from idp.login.new_password import Unfit
from idp.sessions import browser
from idp.sessions.browser import BrowserSession
from idp.web import password_words
from idp.web.account import guard, shell
from idp.web.context import catalog, cookie, now, origin, provider, set_cookie

blueprint = Blueprint("account_password", __name__)

Answer = Response | str | tuple[str, int]


@blueprint.get("/account/password")
@guard.proven_anew
def show(session: BrowserSession) -> Answer:
    return _start(session)


@blueprint.post("/account/password")
@guard.proven_anew
def send(session: BrowserSession) -> Answer:
    held = provider()
    if not own_password.send_link(held.database, held.secret_keys, session, now()):
        error = _("A link was sent just now. Wait a minute before you ask for another.")
        return _start(session, error), 429
    flash(_("A letter is on its way to %(email)s.", email=session.email))
    return redirect("/account/password", 303)


@blueprint.get("/account/password/<token>")
@guard.proven_anew
def open_link(session: BrowserSession, token: str) -> Answer:
    own_password.check_link(provider().database, session, token, now())
    return _form(session)


@blueprint.post("/account/password/<token>")
@guard.proven_anew
def change(session: BrowserSession, token: str) -> Answer:
    held = provider()
    current, claimed = request.form.get("current", ""), request.form.get("password", "")
    try:
        started = own_password.change(
            *(held.database, held.hasher, held.secret_keys, held.settings),
            [product.name for product in catalog().products.values()],
            *(session, token, current, claimed),
            cookie(devices.cookie_name(held.settings.is_https)),
            *(now(), origin()),
        )
    except SignInRefused:
        return _form(session, {"current": _("This is not your password, or too many were wrong.")})
    except Unfit as unfit:
        return _form(session, {"password": password_words.sentence(unfit.objection)})
    flash(_("Your new password is saved. Everywhere else you have been signed out."))
    answer = redirect("/account/security", 303)
    if started:
        set_cookie(answer, browser.cookie_name(held.settings.is_https), started.secret)
    return answer


def _start(session: BrowserSession, error: str = "") -> str:
    return shell.page(
        session,
        "account/password.html",
        has_password=session.password_changed_at is not None,
        minutes=password_links.LIFETIME_MINUTES,
        error=error,
    )


def _form(session: BrowserSession, errors: dict[str, str] | None = None) -> Answer:
    with provider().database.connection() as db:
        owner = new_password.owner_of(db, session.user_id)
    page = shell.page(
        session,
        "account/password_change.html",
        has_password=session.password_changed_at is not None,
        password_hint=password_words.hint(owner.rules),
        errors=errors or {},
    )
    return (page, 422) if errors else page
