"""What happened to one's sign-in: when, from where, and by which method."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask_babel import lazy_gettext as _

from idp.audit import Entry
from idp.directory import own_history
from idp.directory.own_history import EVERYTHING, SIGN_INS
from idp.sessions.browser import BrowserSession
from idp.web.account import guard, shell
from idp.web.audit_words import WORDS
from idp.web.browsers import browser_name
from idp.web.context import provider

blueprint = Blueprint("account_history", __name__)

METHODS: dict[str, Any] = {  # of policies/assurance.py
    "password": _("password"),
    "passkey": _("passkey"),
    "security_key": _("security key"),
    "totp": _("authenticator app"),
    "sms": _("code by SMS"),
    "email": _("code by e-mail"),
    "recovery": _("recovery code"),
    "federated": _("account at another provider"),
    "upstream_second": _("second factor at another provider"),
}


@blueprint.get("/account/history")
@guard.signed_in
def show(session: BrowserSession) -> str:
    is_whole = request.args.get("show") == "everything"
    cursor, keys = request.args.get("after", ""), provider().secret_keys
    with provider().database.connection() as db:
        tag = EVERYTHING if is_whole else SIGN_INS
        found = own_history.of(db, keys, session.user_id, tag, cursor)
    return shell.page(
        session,
        "account/history.html",
        events=[_event(entry, session.user_id) for entry in found.events],
        next=found.next,
        is_whole=is_whole,
    )


def _event(entry: Entry, user_id: str) -> dict[str, Any]:
    """Where somebody else was who did it is not theirs to know. A refused sign-in is whoever's it
    was: the address is what there is to know of them."""
    is_own = entry.actor_id in (None, user_id)
    browser = entry.detail.get("user_agent")
    return {
        "words": WORDS.get(entry.tag, entry.tag),
        "is_bad": entry.tag in ("sign_in.failed", "sign_in.locked"),
        "at": entry.at,
        "address": entry.address if is_own else "",
        "is_own": is_own,
        "browser": browser_name(browser) if browser else "",
        "methods": [METHODS[each] for each in entry.detail.get("methods", ()) if each in METHODS],
    }
