"""Who one is: names, language and time zone; and what one can open."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import profile
from idp.directory.profile import Profile, ProfileMistake
from idp.directory.switcher import Opening, launch_url
from idp.sessions.browser import BrowserSession
from idp.settings import LANGUAGES
from idp.web import menu
from idp.web.account import guard, shell
from idp.web.context import catalog, now, origin, provider
from idp.web.languages import OWN_NAMES, language_name

blueprint = Blueprint("account", __name__)


@blueprint.get("/account")
@guard.signed_in
def show(session: BrowserSession) -> str:
    return _page(session)


@blueprint.post("/account")
@guard.signed_in
def change(session: BrowserSession) -> Response | tuple[str, int]:
    claimed = Profile(*(request.form.get(name, "").strip() for name in Profile._fields))
    try:
        with provider().database.transaction() as db:
            changed = profile.change(db, session.user_id, claimed, LANGUAGES, now(), origin())
    except ProfileMistake as mistake:
        errors = {field: _(sentence) for field, sentence in mistake.errors.items()}
        return _page(session, shown=claimed, errors=errors), 422
    if changed:
        flash(_("Your profile is saved."))
    return redirect("/account", 303)


def _page(session: BrowserSession, **values: Any) -> str:
    opened = menu.openings(session)
    return shell.page(
        session,
        "account/profile.html",
        languages=OWN_NAMES,
        language_name=language_name,
        zones=profile.time_zones(),
        tenants=[_tenant(opening) for opening in opened],
        **values,
    )


def _tenant(opening: Opening) -> dict[str, Any]:
    known, issuer = catalog(), provider().settings.issuer
    return {
        "slug": opening.tenant,
        "name": opening.tenant_name,
        "kind": opening.kind,
        "roles": (opening.role_names or "").splitlines(),
        "products": [
            {
                "key": product.key,
                "name": product.name,
                "icon": product.icon,
                "url": launch_url(known, product, issuer, opening.tenant),
            }
            for product in known.products.values()
            if opening.opens(product) and known.launch_uri(product)
        ],
    }
