"""What all steps have in common: the attempt that they belong to, and the way back."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from flask import g, redirect, request
from werkzeug.wrappers import Response

from idp import situation
from idp.directory import users
from idp.directory.catalog import ProductView
from idp.directory.clients import Client
from idp.directory.products import CONSOLE
from idp.login import attempt as attempts
from idp.login.attempt import Attempt
from idp.login.steps import Step
from idp.oidc.reply_to import RefusedRequest
from idp.secret_values import fingerprint
from idp.situation import Situation
from idp.web import brands
from idp.web.context import (
    browser_secret,
    catalog,
    current_session,
    find_client,
    now,
    provider,
)
from idp.web.presentation import allow_form_targets, product_targets


class Who(NamedTuple):
    """Whoever the attempt is about: proven in it, or signed in already."""

    id: str
    name: str
    email: str


def load() -> Attempt:
    """The attempt that the page's address or form names. Raises AttemptOver."""
    claimed = request.form.get("attempt") or request.args.get("attempt") or ""
    attempt = attempts.load(provider().ephemeral, claimed, browser_secret(), now())
    present(attempt)
    return attempt


def present(attempt: Attempt) -> None:
    """Whose face and language its pages have, and where their forms may end."""
    brands.name_the_tenant(slug=_hinted_tenant(attempt), tenant_id=attempt.tenant_id)
    g.ui_locales = attempt.parameters.get("ui_locales", "")
    client = client_of(attempt)
    redirect_uris = client.redirect_uris if client else []
    own = attempt.parameters.get("redirect_uri")  # proven before the attempt began
    allow_form_targets([*product_targets(catalog()), *redirect_uris, own])


def asked(attempt: Attempt, step: Step) -> Situation | None:
    """The situation in which the sign-in wants this very step, or None: then there is nothing to
    show and nothing to take, and `/authorize` says what comes next."""
    try:
        with provider().database.connection() as db:
            found = situation.resumed(provider(), db, attempt, current_session(), now())
    except RefusedRequest:
        return None
    return found if found.step is step else None


def _hinted_tenant(attempt: Attempt) -> str:
    """Whose face a visitor sees. Somebody who is known may not be in that company, and then it has
    no name for them (security.md S77)."""
    is_known = attempt.user_id or current_session() is not None
    return "" if is_known else attempt.parameters.get("tenant", "")


def client_of(attempt: Attempt) -> Client | None:
    client_id = attempt.parameters.get("client_id")
    return find_client(client_id) if client_id else None


def product_of(attempt: Attempt) -> ProductView | None:
    """The product that asks, or the one that the person picked."""
    client = client_of(attempt)
    if attempt.destination == attempts.CONSOLE_PAGE:
        return catalog().products[CONSOLE]
    key = client.product_key if client else attempt.target
    return catalog().products.get(key)


def who(attempt: Attempt) -> Who | None:
    session = current_session()
    if attempt.user_id:
        with provider().database.connection() as db:
            person = users.find_person(db, attempt.user_id)
        return Who(person.id, person.name, person.email) if person else None
    return Who(session.user_id, session.name, session.email) if session else None


def who_answered(attempt: Attempt) -> Who | None:
    """Whom the page showed, if it is still they: another tab may have signed somebody else in."""
    person = who(attempt)
    return person if person and request.form.get("person") == person.id else None


def proceed(attempt: Attempt) -> Response:
    """Keep what was proven or chosen, and let `/authorize` decide what comes next."""
    attempts.save(provider().ephemeral, attempt, provider().settings.attempt_lifetime, now())
    return back_to_authorize(attempt)


def back_to_authorize(attempt: Attempt) -> Response:
    return redirect("/authorize?" + urlencode({"attempt": attempt.id}), 303)


def company_of(situation: Situation) -> str:
    """The tenant whose budget it is, as well as it is known by now; their only one, or none."""
    theirs = [each.standing.tenant_id for each in situation.entries if each.standing.tenant_id]
    proven = situation.proven
    wanted = (proven.chosen_tenant_id, proven.session_tenant_id, proven.last_tenant_id)
    return next((each for each in (*wanted, *theirs) if each in theirs), "") or ""


def binding(attempt: Attempt) -> str:
    """What names the attempt to what is sent or offered in it, through all that is proven in it."""
    return fingerprint(attempt.began_as or attempt.id)


def to_page(page: str, attempt: Attempt, **more: str) -> Response:
    return redirect(page_url(page, attempt, **more), 303)


def page_url(page: str, attempt: Attempt, **more: str) -> str:
    return f"/login/{page}?" + urlencode({"attempt": attempt.id, **more})
