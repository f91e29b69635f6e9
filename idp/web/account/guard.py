"""Who may open a page of the account: decided at every request, a form's as well as a page's.

Looking takes a session as the person's companies want it. Changing how one signs in takes a recent
proof, by the person's own second factor if they have one: whoever found an open browser, or knows
the password alone, can neither add nor take away a way in (security.md S54). What is missing goes
to `/authorize`, which asks for it and comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from flask import flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp import situation
from idp.credentials.enrolled import Hold
from idp.database import Connection
from idp.login import attempt as attempts
from idp.login.steps import Asked, Done
from idp.sessions import browser, holding
from idp.sessions.browser import BrowserSession
from idp.web.context import browser_secret, current_session, now, provider

RECENT = 15 * 60  # seconds

View = Callable[..., Any]


class _Over(Exception):
    """What the view was let in for has ended meanwhile."""


def signed_in(view: View) -> View:
    """The view gets the session first."""
    return _guarded(view, {})


def proven_anew(view: View) -> View:
    """For whatever changes how somebody signs in, its pages as well as its forms."""
    return _guarded(view, {"max_age": str(RECENT), "own_level": "1"})


def _guarded(view: View, wanted: dict[str, str]) -> View:
    @wraps(view)
    def guarded(**names: Any) -> Any:
        session = _let_in(wanted)
        if session is None:
            return _ask_first(wanted)
        if request.method == "POST" and request.form.get("person") != session.user_id:
            flash(_("Somebody else has signed in here meanwhile. Nothing was changed."))
            return redirect(request.path, 303)
        try:
            return view(session, **names)
        except _Over:
            return _ask_first(wanted)

    return guarded


def hold_of(session: BrowserSession) -> Hold:
    """On what it was let in for, until what that allows is written; who holds nothing any more is
    asked first."""

    def hold(db: Connection) -> None:
        if not holding.hold(db, session.user_id, session.auth_time, session.id):
            raise _Over

    return hold


def _let_in(wanted: dict[str, str]) -> BrowserSession | None:
    """None while anything is missing."""
    session = current_session()
    with provider().database.connection() as db:
        judged = situation.at_page(provider(), db, session, _asked(wanted), now())
        if session is None or not isinstance(judged.decision, Done):
            return None
        browser.touch(db, session, now())
    return session


def _asked(wanted: dict[str, str]) -> Asked:
    max_age = int(wanted["max_age"]) if wanted else None
    return situation.asked_by_account(max_age, own_level=bool(wanted))


def _ask_first(wanted: dict[str, str]) -> Response:
    """Each form is sent to the address of its page, so that this leads back to the page; one from
    a letter has its token in it."""
    attempt = attempts.begin(
        provider().ephemeral,
        browser_secret(),
        provider().settings.attempt_lifetime,
        now(),
        attempts.PAGE,
        parameters=wanted,
        target=_own_address(),
    )
    return redirect(f"/authorize?attempt={attempt.id}", 303)


def _own_address() -> str:
    token = request.args.get("token")
    return f"{request.path}?{urlencode({'token': token})}" if token else request.path
