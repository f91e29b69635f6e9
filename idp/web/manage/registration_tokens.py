"""Operators make initial access tokens, by which clients register themselves.

A new token is shown in the answer to the form that made it, and nowhere else.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.acting import Mistake
from idp.directory.operating import Operation
from idp.directory.products import BUILT_IN
from idp.oidc.client_authentication import METHODS
from idp.oidc.client_metadata import GRANT_TYPES
from idp.operators import products, registration_tokens
from idp.registration.policy import RegistrationPolicy
from idp.web.manage import filled_in, guard, shell

blueprint = Blueprint("manage_registration_tokens", __name__)

Answer = str | Response | tuple[str, int]

LISTED = {"grant_types": GRANT_TYPES, "token_endpoint_auth_methods": METHODS}
SWITCHES = ("require_pkce", "require_software_statement")
UNSAID: dict[str, Any] = {
    "name": "",
    "product": "",
    "redirect_hosts": "",
    "uses": "1",
    "hours": "24",
    **{
        name: RegistrationPolicy.model_fields[name].default
        for name in ("scope", *SWITCHES, *LISTED)
    },
}


@blueprint.get("/operate/registration-tokens")
@guard.operates()
def show(operation: Operation) -> Answer:
    return _page(operation, UNSAID, {})


@blueprint.post("/operate/registration-tokens")
@guard.operates()
def make(operation: Operation) -> Answer:
    filled = _typed()
    numbers = {name: filled_in.whole_number(filled[name]) for name in ("uses", "hours")}
    hosts = [each.strip() for each in filled["redirect_hosts"].splitlines() if each.strip()]
    try:
        made = registration_tokens.make(operation, {**filled, **numbers, "redirect_hosts": hosts})
    except Mistake as mistake:
        return _page(operation, filled, shell.errors_of(mistake)), 422
    return _page(operation, UNSAID, {}, secret=made.secret)


@blueprint.post("/operate/registration-tokens/<name>/end")
@guard.operates()
def end(operation: Operation, name: str) -> Answer:
    registration_tokens.end(operation, registration_tokens.get_token(operation, name))
    flash(_("Nobody registers by it any more."))
    return redirect("/operate/registration-tokens", 303)


def _typed() -> dict[str, Any]:
    lines = ("name", "product", "scope", "uses", "hours")
    return {
        **{name: request.form.get(name, "").strip() for name in lines},
        **{name: request.form.getlist(name) for name in LISTED},
        "redirect_hosts": request.form.get("redirect_hosts", ""),
        **{name: bool(request.form.get(name)) for name in SWITCHES},
    }


def _page(
    operation: Operation, filled: dict[str, Any], errors: dict[str, str], secret: str = ""
) -> str:
    known = {each.key: each.name for each in products.all_products(operation)}
    return shell.operator_page(
        operation,
        "manage/registration_tokens.html",
        tokens=registration_tokens.all_tokens(operation),
        products={key: name for key, name in known.items() if key not in BUILT_IN},
        choices=LISTED,
        filled=filled,
        errors=errors,
        secret=secret,
        now=operation.now,
    )
