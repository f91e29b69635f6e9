"""Sign-out: RP-initiated (OpenID Connect RP-Initiated Logout 1.0), or by the person."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, make_response, redirect, render_template, request
from flask_wtf.csrf import CSRFProtect, validate_csrf
from werkzeug.wrappers import Response
from wtforms.validators import ValidationError

from idp.errors import PageRefusal
from idp.oidc.logout_request import PARAMETERS, LogoutRequest
from idp.sessions import clients, logout
from idp.sessions.browser import BrowserSession
from idp.sessions.clients import sid_of
from idp.web.context import catalog, current_session, now, origin, provider
from idp.web.leaving import SIGNED_OUT, leave
from idp.web.login import logout_asked
from idp.web.login.signed_out import in_frames
from idp.web.presentation import allow_form_targets

blueprint = Blueprint("logout", __name__)


def install(csrf: CSRFProtect) -> None:
    """A product may POST here without a form of ours; `submit` checks the decision itself."""
    csrf.exempt(blueprint)


@blueprint.get("/logout")
def show() -> Response:
    asked = logout_asked.read()
    signed_in = current_session()
    if signed_in is None:
        return _nobody_is_signed_in(asked)
    if _is_sound(asked, signed_in):
        return _end(asked, signed_in)
    return _confirmation(asked, signed_in)


@blueprint.post("/logout")
def submit() -> Response:
    """With a decision: the confirmation. Without: a product's POST, asked again by GET so that the
    browser sends its cookies."""
    if "decision" not in request.form:
        sent = [pair for pair in request.values.items(multi=True) if pair[0] in PARAMETERS]
        return redirect("/logout?" + urlencode(sent), 303)
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError as problem:
        raise PageRefusal(
            "forbidden", "This form has expired. Go back and try again.", "csrf", 403
        ) from problem
    asked = logout_asked.read()
    signed_in = current_session()
    if signed_in and request.form["decision"] == "sign_out":
        return _end(asked, signed_in)
    return redirect("/", 303)


def _nobody_is_signed_in(asked: LogoutRequest) -> Response:
    """It is no error to ask for what is so already (section 2); what else is wrong is one."""
    if asked.fault:
        raise PageRefusal("invalid_request", asked.fault, "logout")
    return redirect(asked.location() or _page(asked), 303)


def _is_sound(asked: LogoutRequest, signed_in: BrowserSession) -> bool:
    """A hint of this very session: the product that holds it may end it without a question."""
    return asked.client is not None and asked.hinted_sid == sid_of(
        signed_in.id, asked.client.client_id
    )


def _end(asked: LogoutRequest, signed_in: BrowserSession) -> Response:
    """And on to where the product wants the browser, by way of our page where that has to tell
    somebody first."""
    reason = f"signed out at {asked.client.client_id}" if asked.client else "signed out"
    with provider().database.transaction() as db:
        logout.end(db, signed_in.id, reason, now(), origin())
        must_tell = bool(in_frames(db, signed_in.id))
    onward = None if must_tell else asked.location()
    return leave(signed_in.id, onward or _page(asked))


def _page(asked: LogoutRequest) -> str:
    onward = asked.onward()
    return f"{SIGNED_OUT}?{urlencode(onward)}" if onward else SIGNED_OUT


def _confirmation(asked: LogoutRequest, signed_in: BrowserSession) -> Response:
    """Also of a request that has a fault, which is told: the person may want to sign out still."""
    with provider().database.connection() as db:
        signed_into = clients.signed_into(db, signed_in.id)
    products = catalog().products
    allow_form_targets([asked.redirect_uri])
    sent = asked.onward() if asked.fault else request.args
    page = render_template(
        "login/sign_out.html",
        action="/logout",
        attempt=None,
        person=signed_in,
        fault=asked.fault,
        products=[
            products[key]
            for key in dict.fromkeys(entry.product_key for entry in signed_into)
            if key in products
        ],
        fields=[(name, sent[name]) for name in PARAMETERS if sent.get(name)],
    )
    return make_response(page, 400 if asked.fault else 200)
