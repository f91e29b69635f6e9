"""What every page of the account has around it: navigation, menu, the person's time zone."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import g, render_template, request
from flask_babel import lazy_gettext as _

from idp.directory import profile
from idp.grants import ciba
from idp.sessions.browser import BrowserSession
from idp.web import menu
from idp.web.context import catalog, provider


class Entry(NamedTuple):
    path: str
    label: Any
    icon: str


PAGES = (
    Entry("/account", _("Profile"), "user"),
    Entry("/account/security", _("Sign-in and security"), "shield-lock"),
    Entry("/account/sessions", _("Devices and sessions"), "devices"),
    Entry("/account/history", _("Sign-in history"), "history"),
    Entry("/account/products", _("Connected products"), "apps"),
)

REQUESTS = Entry("/account/requests", _("Requests"), "message-question")


def page(session: BrowserSession, template: str, **values: Any) -> str:
    with provider().database.connection() as db:
        own = profile.get(db, session.user_id)
    g.zone = own.zoneinfo
    return render_template(
        template,
        menu=menu.of(session, menu.openings(session)),
        navigation=[
            {**each._asdict(), "url": each.path, "current": each.path == _place()}
            for each in _pages()
        ],
        person={"id": session.user_id, "name": session.name, "email": session.email},
        **{"own": own, **values},
    )


def _pages() -> tuple[Entry, ...]:
    """Requests where there is a client that can make any."""
    can_ask = any(ciba.GRANT_TYPE in each.grant_types for each in catalog().clients.values())
    return (*PAGES, REQUESTS) if can_ask else PAGES


def _place() -> str:
    """The page itself, or the one that it lies below: how one signs in is in many."""
    known = {each.path for each in (*PAGES, REQUESTS)}
    return request.path if request.path in known else PAGES[1].path
