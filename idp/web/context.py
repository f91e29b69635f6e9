"""What a page has at hand: the provider, the time, who is asking, who is signed in."""

from __future__ import annotations

from typing import Any, cast

import sqlalchemy as sa
from flask import Flask, current_app, g, request
from flask_sqlalchemy import SQLAlchemy
from werkzeug.wrappers import Response

from idp.audit import REQUEST_ID, Origin
from idp.database import Base
from idp.directory.catalog import Catalog
from idp.directory.clients import Client
from idp.directory.upstream_providers import IdentityProviders
from idp.login import attempt
from idp.provider import Provider
from idp.provider import find_client as find_client_at
from idp.secret_values import new_secret
from idp.sessions import browser
from idp.sessions.browser import BrowserSession

EXTENSION = "latchkey"


class _SharedEngine(SQLAlchemy):
    """Flask-SQLAlchemy's sessions, on the provider's own engine; they only read."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> sa.Engine:
        return cast(Provider, app.extensions[EXTENSION]).database.reading_engine()


orm = _SharedEngine(model_class=Base)


def provider() -> Provider:
    return cast(Provider, current_app.extensions[EXTENSION])


def now() -> float:
    """One time for the whole request."""
    if "now" not in g:
        g.now = provider().clock()
    return cast(float, g.now)


def identity_providers() -> IdentityProviders:
    return provider().catalog.current(now()).providers


def catalog() -> Catalog:
    return provider().catalog.current(now())


def find_client(client_id: str) -> Client | None:
    """Also one that has registered just now."""
    return find_client_at(provider(), client_id, now())


def origin() -> Origin:
    return Origin(
        request.environ.get("REMOTE_ADDR", ""), request_id(), request.headers.get("User-Agent", "")
    )


def request_id() -> str:
    return str(request.environ.get(REQUEST_ID, ""))


def current_session() -> BrowserSession | None:
    """The browser's live session; looked up once."""
    if "session" not in g:
        g.session = _find_session()
    return cast(BrowserSession | None, g.session)


def judge_afresh() -> None:
    """Who asks, and when, is found out anew: what was found before the request had arrived whole
    may no longer hold (security.md S65)."""
    for known in ("session", "now"):
        g.pop(known, None)


def _find_session() -> BrowserSession | None:
    settings = provider().settings
    secret = cookie(browser.cookie_name(settings.is_https))
    if not secret:
        return None
    with provider().database.connection() as db:
        return browser.find(db, secret, settings.session_idle_lifetime, now())


def cookie(name: str) -> str:
    """A cookie that was sent once; one that was sent twice was tampered with (security.md S63)."""
    values = request.cookies.getlist(name)
    return values[0] if len(values) == 1 else ""


def browser_secret() -> str:
    """What binds attempts to this browser; made on the first page."""
    if "browser_secret" not in g:
        name = attempt.cookie_name(provider().settings.is_https)
        g.browser_secret = cookie(name) or new_secret()
    return cast(str, g.browser_secret)


def keep_browser_secret(response: Response) -> Response:
    """Set the cookie if this request made the secret."""
    name = attempt.cookie_name(provider().settings.is_https)
    if "browser_secret" in g and cookie(name) != g.browser_secret:
        set_cookie(response, name, g.browser_secret)
    return response


def set_cookie(response: Response, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        secure=provider().settings.is_https,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def forget_session(response: Response) -> Response:
    """Take the session's cookies away, and the one that half-finished sign-ins are bound to; the
    session itself has ended in the database."""
    is_https = provider().settings.is_https
    for name in (browser.cookie_name(is_https), attempt.cookie_name(is_https)):
        response.delete_cookie(name, secure=is_https, httponly=True, samesite="Lax", path="/")
    state, rule = browser.state_cookie_name(is_https), "None" if is_https else "Lax"
    response.delete_cookie(state, secure=is_https, samesite=rule, path="/")
    g.pop("browser_secret", None)
    return response
