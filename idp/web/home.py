"""The front door: tiles and a form for a visitor, one's products for who is signed in."""

from __future__ import annotations

from flask import Blueprint, render_template

from idp.directory import join_requests
from idp.web import menu
from idp.web.context import current_session, provider
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
        is_waiting=shown["tenant"] is None and _is_waiting(signed_in.user_id),
    )


def _is_waiting(user_id: str) -> bool:
    with provider().database.connection() as db:
        return join_requests.waits(db, user_id)
