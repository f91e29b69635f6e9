"""The frame that a product asks whether the sign-in has changed (OpenID Connect Session Management
1.0 section 3.2)."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template
from werkzeug.wrappers import Response

from idp.sessions.browser import state_cookie_name
from idp.web.context import provider
from idp.web.presentation import STATIC_MAX_AGE, let_anybody_frame

blueprint = Blueprint("check_session", __name__)


@blueprint.get("/check_session")
def show() -> Response:
    """The same for everybody: what differs is in the browser, and the script reads it there."""
    let_anybody_frame()
    cookie = state_cookie_name(provider().settings.is_https)
    response = make_response(render_template("login/check_session.html", cookie=cookie))
    response.cache_control.public, response.cache_control.max_age = True, STATIC_MAX_AGE
    return response
