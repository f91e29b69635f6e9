"""Another password before anything opens: after a temporary one, for one that is known to others,
or too old for this product (product.md P3, P5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.credentials.password import COMPROMISED
from idp.credentials.temporary_passwords import TEMPORARY
from idp.directory import users
from idp.login import new_password
from idp.login.attempt import Attempt
from idp.login.new_password import ChangedMeanwhile, Unfit
from idp.login.steps import PasswordState, Step
from idp.policies.assurance import PASSWORD
from idp.situation import Situation
from idp.web import password_words
from idp.web.context import catalog, current_session, now, origin, provider
from idp.web.login import step
from idp.web.login.step import Who

blueprint = Blueprint("new_password", __name__)


@blueprint.get("/login/new_password")
def show() -> Response | str:
    attempt = step.load()
    found, person = step.asked(attempt, Step.NEW_PASSWORD), step.who(attempt)
    if found is None or person is None:
        return step.back_to_authorize(attempt)
    return _page(attempt, found, person)


@blueprint.post("/login/new_password")
def submit() -> Response | tuple[str, int]:
    attempt = step.load()
    found, person = step.asked(attempt, Step.NEW_PASSWORD), step.who_answered(attempt)
    if found is None or person is None:
        return step.back_to_authorize(attempt)
    try:
        _change(person, request.form.get("password", ""), found.proven.password)
    except Unfit as unfit:
        errors = {"password": password_words.sentence(unfit.objection)}
        return _page(attempt, found, person, errors), 422
    except ChangedMeanwhile:
        return step.back_to_authorize(attempt)
    return step.proceed(_proven_by_the_new(attempt, found, person))


def _change(person: Who, claimed: str, seen: PasswordState | None) -> None:
    """Whatever else is open ends with it; what is open here goes on."""
    held, session = provider(), current_session()
    is_own = session is not None and session.user_id == person.id
    new_password.change(
        *(held.database, held.hasher, held.secret_keys, held.settings),
        [product.name for product in catalog().products.values()],
        *(person.id, claimed, now(), origin()),
        seen=seen,
        keep_session_id=session.id if session and is_own else None,
    )


def _proven_by_the_new(attempt: Attempt, found: Situation, person: Who) -> Attempt:
    """Whoever came by the old one has just set this one, at the moment from which on proofs
    count."""
    with provider().database.connection() as db:
        changed = users.find_person(db, person.id)
    since = changed.sessions_valid_after if changed else now()
    counted = replace(attempt, user_id=person.id, proven=dict(found.counting))
    return counted.prove(person.id, PASSWORD, since)


def _page(
    attempt: Attempt, found: Situation, person: Who, errors: dict[str, str] | None = None
) -> str:
    with provider().database.connection() as db:
        owner = new_password.owner_of(db, person.id)
    product = step.product_of(attempt)
    values: dict[str, Any] = {
        "attempt": attempt.id,
        "person": person,
        "not_me_url": step.page_url("password", attempt, other="1"),
        "product": product,
        "reason": _reason(found, product.name if product else ""),
        "password_hint": password_words.hint(owner.rules),
    }
    return render_template("login/new_password.html", errors=errors or {}, **values)


def _reason(found: Situation, product: str) -> str:
    must_change = found.proven.password.must_change if found.proven.password else ""
    if must_change == TEMPORARY:
        return str(_("The password that you signed in with was a temporary one."))
    if must_change == COMPROMISED:
        return str(_("Yours is on a list of passwords that strangers know and try."))
    return str(_("Yours is older than %(product)s allows.", product=product))
