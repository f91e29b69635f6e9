"""Where a person enters the code that a device shows (RFC 8628 section 3.3), and how it ended.

Nobody is let in here. A code begins an ordinary sign-in for the device's client, which ends by the
question whether to allow it; a code that came with the address is asked about like any other.
"""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.grants import device_code
from idp.login import attempt as attempts
from idp.secret_values import fingerprint
from idp.web.context import browser_secret, current_session, now, origin, provider
from idp.web.login import step

blueprint = Blueprint("device", __name__)


@blueprint.get("/device")
def show() -> str:
    """Whether the code is a good one is not looked at."""
    return _page(request.args.get("user_code", ""))


@blueprint.post("/device")
def enter() -> Response | tuple[str, int]:
    typed = request.form.get("user_code", "")
    user_code = device_code.read_user_code(typed)
    if not user_code:
        return _page(
            typed, {"user_code": _("Enter the eight letters that your device shows.")}
        ), 422
    session = current_session()
    with provider().database.transaction() as db:
        pending = device_code.enter(
            *(db, provider().secret_keys, user_code, fingerprint(browser_secret())),
            *(session and session.user_id, now(), origin()),
        )
    if pending is None:
        sentence = _("This code is wrong or too old. Ask your device for another one.")
        return _page(typed, {"user_code": sentence}), 422
    attempt = attempts.begin(
        *(provider().ephemeral, browser_secret(), provider().settings.attempt_lifetime, now()),
        attempts.DECOUPLED,
        parameters={**pending.parameters, "user_code": user_code},
        target=pending.handle_hash,
    )
    return step.back_to_authorize(attempt)


def _page(user_code: str, errors: dict[str, str] | None = None) -> str:
    return render_template(
        "login/device.html",
        action="/device",
        user_code=user_code[:20],
        is_filled_in=request.method == "GET" and bool(device_code.read_user_code(user_code)),
        errors=errors,
    )


@blueprint.get("/device/<any(allowed,denied,over):outcome>")
def decided(outcome: str) -> str:
    return render_template("login/device_decided.html", outcome=outcome)
