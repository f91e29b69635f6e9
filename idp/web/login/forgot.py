"""A forgotten password: ask for a letter, and confirm what it says (product.md P5).

The first page says the same whoever is asked for. Nobody is signed in here: whoever has another
password goes on by signing in with it.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.credentials import password_links, temporary_passwords
from idp.directory.users import canonical_email
from idp.login import resetting
from idp.login.new_password import Unfit
from idp.login.resetting import BY_LINK, Reset
from idp.web import password_words
from idp.web.context import browser_secret, catalog, now, origin, provider

blueprint = Blueprint("forgot", __name__)

Answer = Response | str | tuple[str, int]


@blueprint.get("/login/forgot")
def show() -> Answer:
    return _asking(request.args.get("email", ""))


@blueprint.post("/login/forgot")
def ask() -> Answer:
    email = request.form.get("email", "").strip()
    canonical = canonical_email(email)
    if canonical is None:
        return _asking(email, {"email": _("Enter your e-mail address.")}), 422
    resetting.ask(provider().database, provider().secret_keys, canonical, now(), origin())
    return render_template(
        "login/forgot_asked.html",
        minutes=password_links.LIFETIME_MINUTES,
        back=_back(),
    )


@blueprint.get("/login/reset")
def look() -> Answer:
    token = request.args.get("token", "")
    return _page(token, resetting.look(provider().database, token, now()))


@blueprint.post("/login/reset")
def confirm() -> Answer:
    held, token = provider(), request.form.get("token", "")
    found = resetting.look(held.database, token, now())
    if found.form == BY_LINK:
        return _set(token, found)
    resetting.send_temporary(held.database, held.hasher, held.secret_keys, token, now(), origin())
    return redirect("/login/reset/sent", 303)


@blueprint.get("/login/reset/sent")
def sent() -> Answer:
    return render_template("login/reset_sent.html", hours=temporary_passwords.LIFETIME_HOURS)


@blueprint.get("/login/reset/done")
def done() -> Answer:
    return render_template("login/reset_done.html")


def _set(token: str, found: Reset) -> Answer:
    held = provider()
    try:
        resetting.set_by_link(
            *(held.database, held.hasher, held.secret_keys, held.settings),
            [product.name for product in catalog().products.values()],
            *(token, request.form.get("password", ""), now(), origin()),
        )
    except Unfit as unfit:
        errors = {"password": password_words.sentence(unfit.objection)}
        return _page(token, found, errors), 422
    return redirect("/login/reset/done", 303)


def _asking(email: str, errors: dict[str, str] | None = None) -> str:
    browser_secret()
    return render_template(
        "login/forgot.html",
        email=email,
        attempt=request.values.get("attempt", ""),
        back=_back(),
        errors=errors or {},
    )


def _back() -> str:
    """To the sign-in that somebody came from; what is no attempt of theirs is told there."""
    claimed = request.values.get("attempt", "")
    return f"/login/password?{urlencode({'attempt': claimed})}" if claimed else "/"


def _page(token: str, found: Reset, errors: dict[str, str] | None = None) -> str:
    browser_secret()
    return render_template(
        "login/reset.html",
        token=token,
        by_link=found.form == BY_LINK,
        email=found.owner.email,
        password_hint=password_words.hint(found.owner.rules),
        hours=temporary_passwords.LIFETIME_HOURS,
        errors=errors or {},
    )
