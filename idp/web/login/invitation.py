"""Accepting an invitation: signed in to the account that it is for, or with a new one.

Nobody gets in here: a new account is then signed into at `/authorize`, like any other.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.credentials import password
from idp.credentials.password import MAX_PASSWORD_BYTES, MIN_PASSWORD_LETTERS
from idp.directory.users import canonical_email
from idp.login import attempt as attempts
from idp.login import invitation
from idp.login.invitation import Open
from idp.web.context import browser_secret, current_session, now, origin, provider
from idp.web.login import step

blueprint = Blueprint("invitation", __name__)

MAX_NAME = 120

Answer = Response | str | tuple[str, int]


@blueprint.get("/invitation")
def show() -> str:
    token = request.args.get("token", "")
    found, has_account = invitation.look(provider().database, token, now())
    return _page(token, found, has_account)


@blueprint.post("/invitation")
def accept() -> Answer:
    """By what the address's owner needs: to be signed in, or to have an account at all."""
    token = request.form.get("token", "")
    found, has_account = invitation.look(provider().database, token, now())
    if not has_account:
        return _open_account(token, found)
    if not _is_signed_in_as(found):
        return _sign_in(found, attempts.INVITATION, token)
    session = current_session()
    assert session
    slug = invitation.accept(provider().database, token, session.user_id, now(), origin())
    return redirect("/?" + urlencode({"tenant": slug}), 303)


def _open_account(token: str, found: Open) -> Answer:
    name, secret = request.form.get("name", "").strip(), request.form.get("password", "")
    errors = _errors(name, secret)
    if errors:
        return _page(token, found, False, name=name, errors=errors), 422
    hashed = provider().hasher.hash(secret)
    invitation.accept_as_new(provider().database, token, name, hashed, now(), origin())
    return _sign_in(found, attempts.PAGE, "/")


def _errors(name: str, secret: str) -> dict[str, str]:
    errors = {}
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        errors["name"] = _("Enter your name.")
    if password.is_too_short(secret):
        errors["password"] = _(
            "Choose a password of at least %(letters)s letters or digits.",
            letters=MIN_PASSWORD_LETTERS,
        )
    elif password.is_too_long(secret):
        errors["password"] = _(
            "Choose a shorter password: at most %(bytes)s bytes.", bytes=MAX_PASSWORD_BYTES
        )
    return errors


def _sign_in(found: Open, destination: str, target: str) -> Response:
    """With the address filled in; whoever else is signed in here is asked for it all the same."""
    attempt = attempts.begin(
        provider().ephemeral,
        browser_secret(),
        provider().settings.attempt_lifetime,
        now(),
        destination,
        parameters={"login_hint": found.email},
        target=target,
    )
    return step.proceed(replace(attempt, other_account=current_session() is not None))


def _is_signed_in_as(found: Open) -> bool:
    session = current_session()
    return session is not None and canonical_email(session.email) == found.email_canonical


def _page(
    token: str,
    found: Open,
    has_account: bool,
    *,
    name: str = "",
    errors: dict[str, str] | None = None,
) -> str:
    browser_secret()
    return render_template(
        "login/invitation.html",
        token=token,
        invitation=found,
        has_account=has_account,
        is_signed_in=_is_signed_in_as(found),
        somebody_else=current_session() if not _is_signed_in_as(found) else None,
        name=name,
        letters=MIN_PASSWORD_LETTERS,
        errors=errors or {},
    )
