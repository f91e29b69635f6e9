"""Signing out here, and being told that somebody signed out elsewhere."""

import logging

from flask import Blueprint, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from relying_parties.base.gate import check_form_token, drop_session_cookie, find_session
from relying_parties.base.issuer_keys import TokenRefused
from relying_parties.base.logout_token import Ended, verify_logout_token
from relying_parties.base.product import current_product
from relying_parties.base.provider import ProviderAway
from relying_parties.base.sign_in import pause_silent_sign_in

log = logging.getLogger(__name__)
blueprint = Blueprint("sign_out", __name__)


@blueprint.post("/logout")
def logout() -> Response:
    """End the session here, then at the provider (RP-Initiated Logout 1.0).

    Whoever presses it in a tab whose session is over means the provider's session all the more.
    """
    product = current_product()
    session = product.sessions.find(request.cookies.get(product.session_cookie, ""))
    if session:
        check_form_token(session)
        product.sessions.end(session.id)
    response = _leave_provider(session.tokens.id_token if session else None)
    drop_session_cookie(response)
    pause_silent_sign_in(response)
    return response


def _leave_provider(id_token: str | None) -> Response:
    try:
        response = current_product().provider.sign_out(id_token=id_token)
    except ProviderAway:
        response = None
    return response or redirect("/", 303)


@blueprint.get("/signed-out")
def signed_out() -> ResponseReturnValue:
    """Only the state that our own sign-out sent proves that this browser has been signed out."""
    if find_session() or not current_product().provider.is_back_from_sign_out():
        return redirect("/", 303)
    return render_template("signed_out.html")


@blueprint.post("/backchannel-logout")
def backchannel_logout() -> ResponseReturnValue:
    """OpenID Connect Back-Channel Logout 1.0, sections 2.5 to 2.8."""
    product = current_product()
    try:
        ended = _read_logout_token(request.form.get("logout_token", ""))
    except ProviderAway as trouble:
        log.warning("logout token not checked: %s", trouble)
        return jsonify(error="temporarily_unavailable", error_description=str(trouble)), 503
    except TokenRefused as refusal:
        log.warning("logout token refused: %s", refusal)
        return jsonify(error="invalid_request", error_description=str(refusal)), 400
    product.sessions.end_matching(sub=ended.sub, sid=ended.sid)
    return "", 200


def _read_logout_token(token: str) -> Ended:
    product = current_product()
    return verify_logout_token(
        token,
        keys=product.keys,
        spent=product.spent_logout_tokens,
        expected_issuer=product.configuration.issuer,
        expected_audience=product.configuration.client_id,
        now=product.clock(),
    )
