"""The link that lifts a pause of sign-in: opening it asks, and only the answer does it.

It is recovery of the pause and of nothing else: nobody is signed in by it.
"""

from __future__ import annotations

from flask import Blueprint, render_template, request

from idp.credentials import unlocking
from idp.web.context import now, origin, provider

blueprint = Blueprint("unlock", __name__)


@blueprint.get("/unlock")
def show() -> str:
    token = request.args.get("token", "")
    until = unlocking.look(provider().database, token, now())
    return render_template("login/unlock.html", token=token, until=until)


@blueprint.post("/unlock")
def submit() -> str:
    unlocking.unlock_by_link(provider().database, request.form.get("token", ""), now(), origin())
    return render_template("login/unlock.html", token=None, until=None)
