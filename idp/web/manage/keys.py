"""Operators look after the keys that sign tokens."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from idp.directory.acting import Mistake
from idp.directory.operating import Operation
from idp.operators import keys
from idp.tokens.key_states import State
from idp.tokens.signing_keys import KeyRing
from idp.web.context import now, provider
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_keys", __name__)

Answer = str | Response | tuple[str, int]


@blueprint.get("/operate/keys")
@guard.operates()
def show(operation: Operation) -> Answer:
    return shell.operator_page(
        operation,
        "manage/keys.html",
        keys=keys.all_keys(operation, _ring()),
        states=State,
        lead=provider().settings.signing_key_lead,
        max_age_days=provider().settings.signing_key_max_age // 86400,
    )


@blueprint.post("/operate/keys")
@guard.operates()
def rotate(operation: Operation) -> Answer:
    held = provider()
    made = keys.rotate(operation, held.secret_keys, held.settings.signing_key_lead)
    if made:
        flash(ngettext("%(num)s key has been made.", "%(num)s keys have been made.", len(made)))
    else:
        flash(_("A new key of each algorithm is waiting already."))
    return redirect("/operate/keys", 303)


@blueprint.get("/operate/keys/<kid>/revoke")
@guard.operates(recent=True)
def confirm(operation: Operation, kid: str) -> Answer:
    return _page(operation, kid, {})


@blueprint.post("/operate/keys/<kid>/revoke")
@guard.operates()
def revoke(operation: Operation, kid: str) -> Answer:
    key = keys.get_key(operation, _ring(), kid)
    typed = request.form.get("confirm", "")
    try:
        keys.revoke(operation, provider().secret_keys, key, typed)
    except Mistake as mistake:
        return _page(operation, kid, shell.errors_of(mistake)), 422
    flash(_("The key is revoked."))
    return redirect("/operate/keys", 303)


def _ring() -> KeyRing:
    return provider().key_ring.current(now())


def _page(operation: Operation, kid: str, errors: dict[str, str]) -> str:
    key = keys.get_key(operation, _ring(), kid)
    return shell.operator_page(
        operation,
        "manage/key_revoke.html",
        key=key,
        reach=keys.reach(operation, key.alg),
        is_signing=key.state is State.SIGNING,
        max_age=provider().settings.jwks_max_age,
        errors=errors,
    )
