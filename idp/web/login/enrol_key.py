"""Setting up a passkey or a security key on the way in (product.md M2)."""

from __future__ import annotations

from flask import Blueprint, abort
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.credentials.enrolled import Evidence
from idp.credentials.passkeys import PASSKEY, TooMany
from idp.credentials.webauthn import Unsound
from idp.login.attempt import Attempt
from idp.web import key_forms
from idp.web.context import now
from idp.web.login import enrol, step
from idp.web.login.enrol import Enrolment

blueprint = Blueprint("enrol_key", __name__)


@blueprint.post("/login/enrol/key/options")
def options() -> Response:
    attempt = step.load()
    enrolment = _enrolment(attempt)
    if enrolment is None:
        abort(409)
    return key_forms.ask_enrolment(enrolment.person.id, step.binding(attempt))


@blueprint.post("/login/enrol/key")
def submit() -> Response | tuple[str, int]:
    attempt = step.load()
    enrolment = _enrolment(attempt)
    if enrolment is None:
        return step.back_to_authorize(attempt)
    has_others = enrolment.has_others()
    try:
        added = key_forms.enrol(enrolment.person.id, step.binding(attempt), enrolment.hold)
    except (Unsound, TooMany) as refusal:
        return enrol.page(enrolment, {key_forms.FIELD: _(refusal.public_message)}), 400
    return enrol.go_on(enrolment, Evidence(added.method, now()), has_others)


def _enrolment(attempt: Attempt) -> Enrolment | None:
    """None where `/authorize` does not ask for one, or not of whom the page showed."""
    found = enrol.enrolment_of(attempt, PASSKEY)
    is_meant = found is not None and found.chosen == PASSKEY and step.who_answered(attempt)
    return found if is_meant else None
