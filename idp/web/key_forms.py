"""What the forms for passkeys and security keys have in common, wherever they stand.

A button of `templates/login/passkey_parts.html` asks `…/options` what to ask the browser for, and
posts its answer as the field `passkey`.
"""

from __future__ import annotations

from flask import jsonify, request
from werkzeug.wrappers import Response

from idp.credentials import assertions, challenges, passkeys
from idp.credentials.assertions import Proven
from idp.credentials.challenges import Errand
from idp.credentials.enrolled import Hold
from idp.credentials.passkeys import Added
from idp.web.context import browser_secret, now, origin, provider

FIELD = "passkey"
LABEL = "label"


def answer() -> str:
    return request.form.get(FIELD, "")


def errand(purpose: str, within: str, user_id: str = "") -> Errand:
    """In this browser; `within` is what names the sign-in or the session."""
    return Errand(purpose, browser_secret(), within, user_id)


def ask_enrolment(user_id: str, within: str) -> Response:
    """The options for one more key of that person."""
    held = provider()
    asked = errand(challenges.ENROL, within, user_id)
    with held.database.connection() as db:
        options = passkeys.ask_enrolment(held.settings, held.ephemeral, db, asked, now())
    return jsonify(options)


def enrol(user_id: str, within: str, hold: Hold) -> Added:
    """The key that was made. Raises Unsound or TooMany, whose `public_message` is for people, and
    what `hold` does."""
    held = provider()
    asked = errand(challenges.ENROL, within, user_id)
    stores = (held.database, held.ephemeral, held.settings, hold)
    label = request.form.get(LABEL, "")
    return passkeys.enrol(*stores, asked, answer(), label, now(), origin())


def ask_second_factor(user_id: str, within: str, keys: frozenset[str]) -> Response:
    """The options for one of those keys of that person's."""
    held = provider()
    asked = errand(challenges.SECOND_FACTOR, within, user_id)
    with held.database.connection() as db:
        stores = (held.settings, held.ephemeral, db)
        options = assertions.ask_second_factor(*stores, asked, keys, now())
    return jsonify(options)


def prove_second_factor(user_id: str, within: str) -> Proven:
    """Raises Unsound."""
    held = provider()
    asked = errand(challenges.SECOND_FACTOR, within, user_id)
    stores = (held.database, held.ephemeral, held.settings)
    return assertions.prove(*stores, asked, answer(), now(), origin())
