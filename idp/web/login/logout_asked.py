"""What a product asks of the end of a session, as the browser has brought it."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import request

from idp.errors import PageRefusal
from idp.oidc import logout_request, parameters
from idp.oidc.logout_request import PARAMETERS, LogoutRequest
from idp.oidc.parameters import Malformed
from idp.provider import read_id_token
from idp.web.context import find_client, now, provider


def read() -> LogoutRequest:
    """Of the address and the form together. Raises PageRefusal for what can't be read."""
    form = urlencode([*request.form.items(multi=True)])
    try:
        sent = parameters.parse(request.query_string.decode(), form)
    except (Malformed, UnicodeDecodeError) as problem:
        raise _unreadable(str(problem)) from problem
    if sent.repeated.intersection(PARAMETERS):
        raise _unreadable("a parameter was sent more than once")
    return logout_request.parse(
        sent, find_client, lambda token: read_id_token(provider(), token, now())
    )


def _unreadable(why: str) -> PageRefusal:
    return PageRefusal("invalid_request", "The request can't be read.", f"logout: {why}")
