"""One more way to prove who one is: an app, codes to a phone or by e-mail, a key; recovery codes.

The rules are those of the sign-in's own steps (`web/login/enrol.py`); what is bound to an attempt
there is bound to the session here.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import get_locale
from flask_babel import gettext as _
from markupsafe import Markup
from werkzeug.wrappers import Response

from idp.credentials import phone_numbers, recovery_codes, sent_code, totp
from idp.credentials.code_destinations import EMAIL, SMS
from idp.credentials.passkeys import TooMany
from idp.credentials.phone_numbers import PhoneMistake
from idp.credentials.second_factor_tries import SecondFactorRefused
from idp.credentials.sent_code import ENROL, Place
from idp.credentials.webauthn import Unsound
from idp.directory import skipping
from idp.sessions.browser import BrowserSession
from idp.web import key_forms
from idp.web.account import guard, shell
from idp.web.context import now, origin, provider

blueprint = Blueprint("account_adding", __name__)

MAX_CODE = 64
CHANNELS = {"text": SMS, "mail": EMAIL}

Answer = Response | str | tuple[str, int]


@blueprint.get("/account/security/app")
@guard.proven_anew
def show_app(session: BrowserSession) -> str:
    return _app(session)


@blueprint.post("/account/security/app")
@guard.proven_anew
def add_app(session: BrowserSession) -> Answer:
    held, code = provider(), request.form.get("code", "")[:MAX_CODE]
    stores = (held.database, held.ephemeral, held.secret_keys, guard.hold_of(session))
    try:
        totp.enrol(*stores, session.user_id, _within(session), code, now(), origin())
    except SecondFactorRefused as refusal:
        return _app(session, errors={"code": _(refusal.public_message)}), 422
    return _added(session)


def _app(session: BrowserSession, **values: Any) -> str:
    held, lifetime = provider(), provider().settings.attempt_lifetime
    whose = (session.user_id, session.email, _within(session))
    offer = totp.offer(held.ephemeral, *whose, lifetime, now())
    picture = Markup(offer.picture())  # noqa: S704 - drawn by us
    shown = {"picture": picture, "secret": offer.groups, "address": offer.address}
    return shell.page(session, "account/factor_app.html", **shown, **values)


@blueprint.get("/account/security/<any(text, mail):way>")
@guard.proven_anew
def show_code(session: BrowserSession, way: str) -> str:
    return _code(session, way)


@blueprint.post("/account/security/<any(text, mail):way>")
@guard.proven_anew
def add_code(session: BrowserSession, way: str) -> Answer:
    """A code first, to see that it arrives; then that very code."""
    if request.form.get("action") == "send":
        return _send(session, way)
    held, code = provider(), request.form.get("code", "")[:MAX_CODE]
    keys = (held.database, held.secret_keys, held.settings, guard.hold_of(session))
    try:
        sent_code.enrol(*keys, _place(session, way), code, now(), origin())
    except SecondFactorRefused as refusal:
        errors = {"code": _(refusal.public_message)}
        return _code(session, way, was_sent=True, errors=errors), 422
    return _added(session)


def _send(session: BrowserSession, way: str) -> Answer:
    """The same answer, whether there was room for one more letter or not."""
    held, typed = provider(), request.form.get("number", "")
    try:
        number = phone_numbers.read(held.settings, typed) if way == "text" else ""
    except PhoneMistake as mistake:
        return _code(session, way, number=typed, errors={"number": _(str(mistake))}), 422
    sent_code.send(
        *(held.database, held.secret_keys, held.settings, _place(session, way), now(), origin()),
        number=number,
        tenant_id=session.tenant_id or "",
        locale=str(get_locale() or ""),
    )
    return _code(session, way, was_sent=True, number=number)


def _code(session: BrowserSession, way: str, **values: Any) -> str:
    return shell.page(session, "account/factor_code.html", way=way, **values)


def _place(session: BrowserSession, way: str) -> Place:
    return Place(session.user_id, CHANNELS[way], ENROL, _within(session))


@blueprint.get("/account/security/key")
@guard.proven_anew
def show_key(session: BrowserSession) -> str:
    return _key(session)


@blueprint.post("/account/security/key/options")
@guard.proven_anew
def ask_key(session: BrowserSession) -> Response:
    return key_forms.ask_enrolment(session.user_id, _within(session))


@blueprint.post("/account/security/key")
@guard.proven_anew
def add_key(session: BrowserSession) -> Answer:
    try:
        key_forms.enrol(session.user_id, _within(session), guard.hold_of(session))
    except (Unsound, TooMany) as refusal:
        errors = {key_forms.FIELD: _(refusal.public_message)}
        return _key(session, errors=errors), 422
    return _added(session)


def _key(session: BrowserSession, **values: Any) -> str:
    party = provider().settings.relying_party_id
    return shell.page(session, "account/factor_key.html", party=party, **values)


@blueprint.get("/account/security/recovery_codes")
@guard.proven_anew
def show_codes(session: BrowserSession) -> str:
    with provider().database.connection() as db:
        left = recovery_codes.left(db, session.user_id)
    return shell.page(session, "account/recovery_codes.html", left=left)


@blueprint.post("/account/security/recovery_codes")
@guard.proven_anew
def make_codes(session: BrowserSession) -> str:
    return _new_codes(session)


def _added(session: BrowserSession) -> Response | str:
    """Who has no recovery codes yet is given some, before it is too late."""
    with provider().database.transaction() as db:
        skipping.forget(db, session.user_id)
        has_codes = bool(recovery_codes.left(db, session.user_id))
    flash(_("It is set up. From now on it can prove that it is you."))
    return redirect("/account/security", 303) if has_codes else _new_codes(session)


def _new_codes(session: BrowserSession) -> str:
    """Shown in this answer, and never again."""
    held = provider()
    stores = (held.database, held.secret_keys, guard.hold_of(session))
    made = recovery_codes.renew(*stores, session.user_id, now(), origin())
    return shell.page(session, "account/recovery_codes.html", codes=made)


def _within(session: BrowserSession) -> str:
    return f"account of {session.id}"
