"""The front door: tiles and a form for a visitor, one's products for who is signed in."""

from __future__ import annotations

from flask import Blueprint, render_template

from idp.web import menu
from idp.web.context import current_session
from idp.web.login.not_open import is_waiting
from idp.web.login.password import sign_in_page

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def home() -> str:
    signed_in = current_session()
    if signed_in is None:
        return sign_in_page(None)
    shown = menu.of(signed_in, menu.openings(signed_in))
    return render_template(
        "home.html",
        menu=shown,
        person=signed_in,
        tenant=shown["tenant"],
        products=shown["products"],
        is_waiting=is_waiting(signed_in.user_id),
    )
