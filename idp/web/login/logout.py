"""Sign-out: RP-initiated (OpenID Connect RP-Initiated Logout 1.0), or by the person."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request, session
from flask_wtf.csrf import CSRFProtect, validate_csrf
from werkzeug.wrappers import Response
from wtforms.validators import ValidationError

from idp.errors import PageRefusal
from idp.oidc import logout_request, parameters
from idp.oidc.logout_request import LogoutRequest
from idp.oidc.parameters import Malformed
from idp.provider import read_id_token
from idp.sessions import clients, logout
from idp.sessions.browser import BrowserSession
from idp.sessions.clients import sid_of
from idp.web.context import (
    catalog,
    current_session,
    forget_session,
    now,
    origin,
    provider,
)
from idp.web.presentation import allow_form_targets

blueprint = Blueprint("logout", __name__)

ENDED_SESSION = "ended_session"
PARAMETERS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales")


def install(csrf: CSRFProtect) -> None:
    """A product may POST here without a form of ours; `submit` checks the decision itself."""
    csrf.exempt(blueprint)


@blueprint.get("/logout")
def show() -> Response | str:
    asked = _asked()
    signed_in = current_session()
    if signed_in is None:
        return redirect(asked.location() or "/logout/done", 303)
    if _is_sound(asked, signed_in):
        return _end(asked, signed_in)
    return _confirmation(asked, signed_in)


@blueprint.post("/logout")
def submit() -> Response:
    """With a decision: the confirmation. Without: a product's POST, asked again by GET so that the
    browser sends its cookies."""
    if "decision" not in request.form:
        sent = {name: request.form[name] for name in PARAMETERS if name in request.form}
        return redirect("/logout?" + urlencode(sent), 303)
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError as problem:
        raise PageRefusal(
            "forbidden", "This form has expired. Go back and try again.", "csrf", 403
        ) from problem
    asked = _asked()
    signed_in = current_session()
    if signed_in and request.form["decision"] == "sign_out":
        return _end(asked, signed_in)
    return redirect("/", 303)


@blueprint.get("/logout/done")
def done() -> str:
    """Who was told, as far as is known by now (product.md N6)."""
    ended = session.get(ENDED_SESSION, "")
    with provider().database.connection() as db:
        receipts = logout.receipts(db, ended) if ended else []
    products = catalog().products
    return render_template(
        "login/signed_out.html",
        receipts=[
            {
                "key": receipt.product_key,
                "name": products[receipt.product_key].name,
                "icon": products[receipt.product_key].icon,
                "status": receipt.status,
            }
            for receipt in receipts
            if receipt.product_key in products
        ],
        sign_in_url="/",
    )


def _asked() -> LogoutRequest:
    try:
        sent = parameters.parse(
            request.query_string.decode(), urlencode(dict(request.form.items()))
        )
    except (Malformed, UnicodeDecodeError) as problem:
        raise PageRefusal(
            "invalid_request", "The request can't be read.", f"logout: {problem}"
        ) from problem
    return logout_request.parse(
        sent, catalog(), lambda token: read_id_token(provider(), token, now())
    )


def _is_sound(asked: LogoutRequest, signed_in: BrowserSession) -> bool:
    """A hint of this very session: the product that holds it may end it without a question."""
    return (
        asked.client is not None
        and asked.hinted_subject == signed_in.user_id
        and asked.hinted_sid == sid_of(signed_in.id, asked.client.client_id)
    )


def _end(asked: LogoutRequest, signed_in: BrowserSession) -> Response:
    reason = f"signed out at {asked.client.client_id}" if asked.client else "signed out"
    with provider().database.transaction() as db:
        logout.end(db, signed_in.id, reason, now(), origin())
    session.clear()
    session[ENDED_SESSION] = signed_in.id
    return forget_session(redirect(asked.location() or "/logout/done", 303))


def _confirmation(asked: LogoutRequest, signed_in: BrowserSession) -> str:
    with provider().database.connection() as db:
        signed_into = clients.signed_into(db, signed_in.id)
    products = catalog().products
    allow_form_targets([asked.redirect_uri])
    return render_template(
        "login/sign_out.html",
        action="/logout",
        attempt=None,
        person=signed_in,
        products=[
            products[key]
            for key in dict.fromkeys(entry.product_key for entry in signed_into)
            if key in products
        ],
        fields=[(name, request.args[name]) for name in PARAMETERS if request.args.get(name)],
    )
