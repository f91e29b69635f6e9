"""What is connected to one's account: products that one is signed into, and what one allowed."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.database import Connection
from idp.grants import consent, withdrawing
from idp.sessions import of_person
from idp.sessions.browser import BrowserSession
from idp.web.account import guard, shell
from idp.web.client_words import name_of
from idp.web.context import catalog, now, origin, provider
from idp.web.scope_words import place, words_of

blueprint = Blueprint("account_products", __name__)


@blueprint.get("/account/products")
@guard.signed_in
def show(session: BrowserSession) -> str:
    with provider().database.connection() as db:
        products = _products(db, session)
        consents = [_consent(given) for given in consent.given_by(db, session.user_id)]
    return shell.page(session, "account/products.html", products=products, consents=consents)


@blueprint.post("/account/products")
@guard.signed_in
def withdraw(session: BrowserSession) -> Response:
    claimed = request.form.get("consent", "")
    with provider().database.transaction() as db:
        withdrawing.withdraw(db, session.user_id, claimed, now(), origin())
    flash(_("It is withdrawn: that application's access has ended."))
    return redirect("/account/products", 303)


def _products(db: Connection, session: BrowserSession) -> list[dict[str, Any]]:
    """Each with when it was signed into last, and in how many of one's browsers it is open."""
    known, idle = catalog().products, provider().settings.session_idle_lifetime
    shown: dict[str, dict[str, Any]] = {}
    for each in of_person.signed_into(db, session.user_id, idle, now()):
        product = known.get(each.product_key)
        if product is None or product.is_platform:
            continue
        entry = shown.setdefault(
            product.key,
            {"key": product.key, "name": product.name, "icon": product.icon}
            | {"at": each.at, "sessions": set()},
        )
        entry["sessions"].add(each.session_id)
    return [{**each, "sessions": len(each["sessions"])} for each in shown.values()]


def _consent(given: consent.ListedConsent) -> dict[str, Any]:
    known = catalog()
    client = known.clients.get(given.client_id)
    product = known.product_of(client) if client else None
    scopes = sorted(given.scope.split(), key=place)
    return {
        "id": given.id,
        "client_name": name_of(client) if client else given.client_name,
        "tenant_name": given.tenant_name,
        "scopes": [words_of(word, product, known).title for word in scopes],
        "given": given.given_at,
    }
