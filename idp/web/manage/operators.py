"""Who the operators are."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.acting import Mistake
from idp.directory.operating import Operation
from idp.operators import staff
from idp.web.manage import guard, shell

blueprint = Blueprint("manage_operators", __name__)

Answer = str | Response | tuple[str, int]


@blueprint.get("/operate/operators")
@guard.operates()
def show(operation: Operation) -> Answer:
    return _page(operation, "", {})


@blueprint.post("/operate/operators")
@guard.operates()
def add(operation: Operation) -> Answer:
    email = request.form.get("email", "")
    try:
        added = staff.add(operation, email)
    except Mistake as mistake:
        return _page(operation, email, shell.errors_of(mistake)), 422
    flash(_("%(email)s is an operator now.", email=added.email))
    return redirect("/operate/operators", 303)


@blueprint.get("/operate/operators/<user_id>/remove")
@guard.operates(recent=True)
def confirm(operation: Operation, user_id: str) -> Answer:
    colleague = staff.get_operator(operation, user_id)
    return shell.operator_page(operation, "manage/operator_remove.html", colleague=colleague)


@blueprint.post("/operate/operators/<user_id>/remove")
@guard.operates()
def remove(operation: Operation, user_id: str) -> Answer:
    try:
        removed = staff.remove(operation, user_id)
    except Mistake as mistake:
        return _page(operation, "", shell.errors_of(mistake)), 422
    flash(_("%(email)s is an operator no more.", email=removed.email))
    return redirect("/operate/operators", 303)


def _page(operation: Operation, email: str, errors: dict[str, str]) -> str:
    return shell.operator_page(
        operation,
        "manage/operators.html",
        operators=staff.operators(operation),
        email=email,
        errors=errors,
    )
