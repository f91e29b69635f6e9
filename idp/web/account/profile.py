"""The account page: how you sign in, where you are signed in, what you can open."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from idp.database import Connection
from idp.directory.switcher import Opening, launch_url
from idp.errors import PageRefusal
from idp.grants import consent, withdrawing
from idp.login import attempt as attempts
from idp.sessions import clients, logout
from idp.sessions.browser import BrowserSession, SsoSession
from idp.web import menu
from idp.web.browsers import browser_name
from idp.web.context import (
    browser_secret,
    catalog,
    current_session,
    forget_session,
    now,
    origin,
    orm,
    provider,
)
from idp.web.scope_words import place, words_of

blueprint = Blueprint("account", __name__)


@blueprint.get("/account")
def show() -> Response | str:
    signed_in = current_session()
    if signed_in is None:
        return _sign_in_first()
    opened = menu.openings(signed_in)
    with provider().database.connection() as db:
        sessions = _sessions(db, signed_in)
        consents = [_consent(given) for given in consent.given_by(db, signed_in.user_id)]
    return render_template(
        "account/profile.html",
        menu=menu.of(signed_in, opened),
        person=signed_in,
        password_changed=signed_in.password_changed_at,
        sessions=sessions,
        tenants=[_tenant(opening) for opening in opened],
        consents=consents,
        end_session_url="/account/sessions",
        withdraw_url="/account/consents",
    )


@blueprint.post("/account/sessions")
def end_session() -> Response:
    """End one of one's own sessions, by its id; anybody else's does not exist."""
    signed_in = _required()
    wanted = request.form.get("session", "")
    own = {row.id for row in _own_sessions(signed_in)}
    if wanted not in own:
        raise PageRefusal("not_found", "That session has ended already.", "session", 404)
    with provider().database.transaction() as db:
        logout.end(db, wanted, "ended on the account page", now(), origin())
    if wanted == signed_in.id:
        return forget_session(redirect("/logout/done", 303))
    return redirect("/account", 303)


@blueprint.post("/account/consents")
def withdraw() -> Response:
    signed_in = _required()
    with provider().database.transaction() as db:
        withdrawing.withdraw(
            db, signed_in.user_id, request.form.get("consent", ""), now(), origin()
        )
    return redirect("/account", 303)


def _sign_in_first() -> Response:
    attempt = attempts.begin(
        provider().ephemeral,
        browser_secret(),
        provider().settings.attempt_lifetime,
        now(),
        attempts.PAGE,
        target="/account",
    )
    return redirect(f"/authorize?attempt={attempt.id}", 303)


def _required() -> BrowserSession:
    signed_in = current_session()
    if signed_in is None:
        raise PageRefusal("login_required", "Sign in to go on.", "no session", 403)
    return signed_in


def _own_sessions(signed_in: BrowserSession) -> list[SsoSession]:
    settings = provider().settings
    live = sa.select(SsoSession).where(
        SsoSession.user_id == signed_in.user_id,
        SsoSession.ended_at.is_(None),
        SsoSession.expires_at > now(),
        SsoSession.last_seen_at > now() - settings.session_idle_lifetime,
    )
    return list(orm.session.scalars(live.order_by(SsoSession.last_seen_at.desc())))


def _sessions(db: Connection, signed_in: BrowserSession) -> list[dict[str, Any]]:
    products = catalog().products
    return [
        {
            "id": row.id,
            "current": row.id == signed_in.id,
            "browser": browser_name(row.user_agent),
            "address": row.address,
            "started": row.auth_time,
            "last_seen": row.last_seen_at,
            "products": [
                products[key]
                for key in dict.fromkeys(
                    entry.product_key for entry in clients.signed_into(db, row.id)
                )
                if key in products
            ],
        }
        for row in _own_sessions(signed_in)
    ]


def _consent(given: consent.ListedConsent) -> dict[str, Any]:
    known = catalog()
    client = known.clients.get(given.client_id)
    product = known.product_of(client) if client else None
    scopes = sorted(given.scope.split(), key=place)
    return {
        "id": given.id,
        "client_name": given.client_name,
        "tenant_name": given.tenant_name,
        "scopes": [words_of(word, product).title for word in scopes],
        "given": given.given_at,
    }


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
