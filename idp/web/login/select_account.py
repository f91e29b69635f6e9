"""`prompt=select_account`: go on as the one who is signed in, or as somebody else."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from idp.web.login import step

blueprint = Blueprint("select_account", __name__)


@blueprint.get("/login/select_account")
def show() -> Response | str:
    attempt = step.load()
    person = step.who(attempt)
    if person is None:
        return step.back_to_authorize(attempt)
    return render_template(
        "login/select_account.html",
        action="/login/select_account",
        attempt=attempt.id,
        person=person,
        product=step.product_of(attempt),
    )


@blueprint.post("/login/select_account")
def submit() -> Response:
    attempt = step.load()
    person = step.who_answered(attempt)
    if request.form.get("choice") == "other":
        return step.proceed(replace(attempt, other_account=True))
    if person is None:
        return step.back_to_authorize(attempt)
    return step.proceed(attempt.choose(person.id, account_confirmed=True))
