"""Where one is signed in, and the end of it: of one session, or of all others."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from idp.database import Connection
from idp.errors import PageRefusal, told
from idp.sessions import of_person
from idp.sessions.browser import BrowserSession
from idp.web.account import guard, shell
from idp.web.browsers import browser_name, is_handheld
from idp.web.context import catalog, now, origin, provider
from idp.web.leaving import leave

blueprint = Blueprint("account_sessions", __name__)


@blueprint.get("/account/sessions")
@guard.signed_in
def show(session: BrowserSession) -> str:
    with provider().database.connection() as db:
        sessions = _sessions(db, session)
        ended = _ended(db, session)
    return shell.page(session, "account/sessions.html", sessions=sessions, ended=ended)


@blueprint.post("/account/sessions")
@guard.signed_in
def end(session: BrowserSession) -> Response:
    """One by its id, or all others; one of somebody else does not exist."""
    if "others" in request.form:
        return _end_others(session)
    wanted = request.form.get("session", "")
    with provider().database.transaction() as db:
        is_over = of_person.end_one(db, session.user_id, wanted, now(), origin())
    if not is_over:
        raise PageRefusal("not_found", told("That session has ended already."), "session", 404)
    if wanted == session.id:
        return leave(session.id)
    flash(_("That session is ended, and its products are told."))
    return redirect("/account/sessions", 303)


def _end_others(session: BrowserSession) -> Response:
    reason = "all others ended on the account page"
    with provider().database.transaction() as db:
        count = of_person.end_others(db, session.user_id, session.id, reason, now(), origin())
    flash(
        ngettext("%(num)d other session is ended.", "%(num)d other sessions are ended.", count)
        if count
        else _("You are signed in nowhere else.")
    )
    return redirect("/account/sessions", 303)


def _sessions(db: Connection, session: BrowserSession) -> list[dict[str, Any]]:
    products, idle = catalog().products, provider().settings.session_idle_lifetime
    into = of_person.signed_into(db, session.user_id, idle, now())
    return [
        {
            "id": row.id,
            "current": row.id == session.id,
            "browser": browser_name(row.user_agent),
            "is_handheld": is_handheld(row.user_agent),
            "address": row.address,
            "started": row.auth_time,
            "last_seen": row.last_seen_at,
            "products": [
                products[key]
                for key in dict.fromkeys(e.product_key for e in into if e.session_id == row.id)
                if key in products
            ],
        }
        for row in of_person.live(db, session.user_id, idle, now())
    ]


def _ended(db: Connection, session: BrowserSession) -> list[dict[str, Any]]:
    """Sign-outs with what each product was told, the newest first."""
    return [
        {
            "browser": browser_name(each.user_agent),
            "ended": each.ended_at,
            "receipts": [receipt._asdict() for receipt in each.receipts],
        }
        for each in of_person.sign_outs(db, session.user_id, now())
    ]
