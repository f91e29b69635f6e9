"""Sign-in without a password: by a passkey that the browser has (product.md S2, M11).

Nothing here depends on who has an account: the browser finds out which passkey it has, and the
passkey says whose it is (security.md S44).
"""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.credentials import assertions, challenges, tries
from idp.credentials.assertions import UnknownPasskey
from idp.credentials.challenges import Errand
from idp.credentials.webauthn import Unsound
from idp.web import key_forms
from idp.web.context import now, origin, provider
from idp.web.login import password, step

blueprint = Blueprint("passkey", __name__)


@blueprint.post("/login/passkey/options")
def options() -> Response:
    """What to ask the browser for."""
    held = provider()
    tries.count_question(held.ephemeral, held.settings, now(), origin())
    return jsonify(assertions.ask_sign_in(held.settings, held.ephemeral, _errand(), now()))


@blueprint.post("/login/passkey")
def submit() -> Response | tuple[str, int]:
    attempt, held = password.attempt_of_form(), provider()
    answer = key_forms.answer()
    try:
        proven = assertions.prove(
            held.database, held.ephemeral, held.settings, _errand(), answer, now(), origin()
        )
    except Unsound as refusal:
        unknown = refusal.credential_id if isinstance(refusal, UnknownPasskey) else ""
        errors = {key_forms.FIELD: str(_(refusal.public_message))}
        return password.sign_in_page(attempt, errors=errors, unknown_passkey=unknown), 400
    attempt = attempt or password.begin()
    return step.proceed(attempt.prove(proven.person.id, proven.method, now(), proven.enrolled_at))


def _errand() -> Errand:
    """For the sign-in that the page belongs to; a visitor's page belongs to none yet."""
    return key_forms.errand(challenges.SIGN_IN, request.form.get("attempt", ""))
