"""A product that the person's roles do not open: a clear page, and the way back (product.md T2)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import confirming, join_requests, memberships, switcher
from idp.directory.catalog import ProductView
from idp.directory.memberships import Standing
from idp.login.attempt import Attempt
from idp.login.steps import Step
from idp.situation import Situation
from idp.web.context import catalog, now, provider
from idp.web.login import step

blueprint = Blueprint("not_open", __name__)


@blueprint.get("/login/not_open")
def show() -> Response | tuple[str, int]:
    attempt = step.load()
    person, found = step.who(attempt), step.asked(attempt, Step.NOT_OPEN)
    product = _closed(attempt, found)
    if person is None or product is None:
        return step.back_to_authorize(attempt)
    tenant = _tenant(attempt, person.id, product)
    page = render_template(
        "login/refused.html",
        action="/login/not_open",
        attempt=attempt.id,
        person=person,
        product=product,
        tenant=tenant,
        is_waiting=is_waiting(person.id),
        back_label=_("Go back"),
        products=_other_products(person.id),
        not_me_url=step.page_url("password", attempt, other="1"),
    )
    return page, 403


@blueprint.post("/login/not_open")
def submit() -> Response:
    """Turn back: the product is told `access_denied`."""
    attempt = step.load()
    person = step.who_answered(attempt)
    is_asked = person is not None and step.asked(attempt, Step.NOT_OPEN) is not None
    if person is None or not is_asked or request.form.get("decision") != "back":
        return step.back_to_authorize(attempt)
    return step.proceed(attempt.choose(person.id, turned_back=True))


def _closed(attempt: Attempt, found: Situation | None) -> ProductView | None:
    """The product that asks, or one that it wants to call for them."""
    product = step.product_of(attempt)
    if found is None or found.request is None or product is None:
        return product if found else None
    is_open = any(each.standing.opens(product) for each in found.entries)
    return found.request.targets[0] if is_open and found.request.targets else product


def _tenant(attempt: Attempt, user_id: str, product: ProductView) -> dict[str, Any] | None:
    """The tenant to name: the asked one, or the only one; never one that the person is not in."""
    with provider().database.connection() as db:
        found = memberships.standings(db, user_id, product.key, now())
    asked = attempt.parameters.get("tenant")
    named = [s for s in found if s.is_active and asked in (None, "", s.tenant)]
    return _described(named[0], product) if len(named) == 1 else None


def is_waiting(user_id: str) -> bool:
    """Who opened an account by themselves, and has not been let in yet (product.md S5)."""
    with provider().database.connection() as db:
        return join_requests.waits(db, user_id, now())


def _described(standing: Standing, product: ProductView) -> dict[str, Any]:
    could_open = standing.is_confirmed or confirming.open_nodes(product, is_confirmed=False)
    return {
        "slug": standing.tenant,
        "name": standing.tenant_name,
        "awaits_confirmation": not could_open,
    }


def _other_products(user_id: str) -> list[dict[str, object]]:
    with provider().database.connection() as db:
        opened = switcher.openings(db, user_id, now())
    known, issuer = catalog(), provider().settings.issuer
    return [
        {
            "key": product.key,
            "name": product.name,
            "icon": product.icon,
            "url": switcher.launch_url(known, product, issuer, opening.tenant),
        }
        for opening in opened[:1]
        for product in known.products.values()
        if opening.opens(product) and known.launch_uri(product)
    ]
