"""The second factor by a passkey or a security key (product.md M2, M7)."""

from __future__ import annotations

from flask import Blueprint, abort, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.credentials.webauthn import Unsound
from idp.login.attempt import Attempt
from idp.web import key_forms
from idp.web.context import now
from idp.web.login import second_factor, step
from idp.web.login.second_factor import KEYS, Challenge

blueprint = Blueprint("second_factor_key", __name__)


@blueprint.post("/login/second_factor/key/options")
def options() -> Response:
    attempt = step.load()
    challenge = _challenge(attempt)
    if challenge is None:
        abort(409)
    within = step.binding(attempt)
    return key_forms.ask_second_factor(challenge.person.id, within, challenge.keys)


@blueprint.post("/login/second_factor/key")
def submit() -> Response | tuple[str, int]:
    attempt = step.load()
    challenge = _challenge(attempt)
    if challenge is None:
        return step.back_to_authorize(attempt)
    try:
        proven = key_forms.prove_second_factor(challenge.person.id, step.binding(attempt))
    except Unsound as refusal:
        return second_factor.page(challenge, {key_forms.FIELD: _(refusal.public_message)}), 400
    return step.proceed(attempt.prove(proven.person.id, proven.method, now(), proven.enrolled_at))


def _challenge(attempt: Attempt) -> Challenge | None:
    """None where `/authorize` does not ask for a key, or not of whom the page showed."""
    found = second_factor.challenge_of(attempt, request.form.get("method", ""))
    is_meant = found is not None and found.chosen in KEYS and step.who_answered(attempt)
    return found if is_meant else None
