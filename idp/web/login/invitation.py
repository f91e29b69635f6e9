"""Accepting an invitation: signed in to the account that it is for, or with a new one.

Nobody gets in here: a new account is then signed into at `/authorize`, like any other.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.users import canonical_email
from idp.login import attempt as attempts
from idp.login import invitation
from idp.login.invitation import Open
from idp.web import password_words
from idp.web.context import browser_secret, current_session, now, origin, provider
from idp.web.login import first_password

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
        return first_password.sign_in(found.email, attempts.INVITATION, token)
    session = current_session()
    assert session
    slug = invitation.accept(provider().database, token, session.user_id, now(), origin())
    return redirect("/?" + urlencode({"tenant": slug}), 303)


def _open_account(token: str, found: Open) -> Answer:
    name = request.form.get("name", "").strip()
    held, errors = provider(), dict[str, str]()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        errors["name"] = _("Enter your name.")
    owner = invitation.owner_of(held.database, found, name)
    prepared = first_password.prepared(owner, errors)
    if prepared is None:
        return _page(token, found, False, name=name, errors=errors), 422
    of_owner = (held.secret_keys, owner, prepared)
    invitation.accept_as_new(held.database, token, *of_owner, now(), origin())
    return first_password.sign_in(found.email, attempts.PAGE, "/")


def _is_signed_in_as(found: Open) -> bool:
    session = current_session()
    return session is not None and canonical_email(session.email) == found.email_canonical


def _hint(found: Open) -> str:
    return password_words.hint(invitation.owner_of(provider().database, found, "").rules)


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
        password_hint=_hint(found),
        errors=errors or {},
    )
