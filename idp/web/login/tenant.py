"""The choice among several tenants (product.md T3)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import memberships, tenants
from idp.directory.memberships import Standing
from idp.login.attempt import Attempt
from idp.web import brands
from idp.web.context import now, provider
from idp.web.login import step
from idp.web.login.step import Who

blueprint = Blueprint("tenant", __name__)


@blueprint.get("/login/tenant")
def show() -> Response | str:
    attempt = step.load()
    person = step.who(attempt)
    if person is None:
        return step.back_to_authorize(attempt)
    return _page(attempt, person, {})


@blueprint.post("/login/tenant")
def submit() -> Response | tuple[str, int]:
    attempt = step.load()
    person = step.who_answered(attempt)
    if person is None:
        return step.back_to_authorize(attempt)
    slug = request.form.get("tenant", "")
    for standing in _open_standings(attempt, person):
        if standing.tenant == slug:
            return step.proceed(attempt.choose(person.id, tenant_id=standing.tenant_id))
    return _page(attempt, person, {"tenant": _("Choose the company you want to work for.")}), 400


def _page(attempt: Attempt, person: Who, errors: dict[str, str]) -> str:
    offered = [_offered(standing) for standing in _open_standings(attempt, person)]
    return render_template(
        "login/tenant.html",
        action="/login/tenant",
        attempt=attempt.id,
        person=person,
        product=step.product_of(attempt),
        tenants=offered,
        alike=tenants.alike(each["name"] for each in offered),
        chosen=None,
        errors=errors,
        not_me_url=step.page_url("password", attempt, other="1"),
    )


def _offered(standing: Standing) -> dict[str, Any]:
    look = brands.look_of(standing.tenant_id)
    name = look.name if look else standing.tenant_name
    return {
        "slug": standing.tenant,
        "look": look,
        "name": name,
        "folded": tenants.folded(name),
        "kind": standing.kind,
        "roles": (standing.role_names or "").splitlines(),
    }


def _open_standings(attempt: Attempt, person: Who) -> list[Standing]:
    """The memberships that open the product; the choice is among these alone."""
    product = step.product_of(attempt)
    if product is None:
        return []
    with provider().database.connection() as db:
        found = memberships.standings(db, person.id, product.key, now())
    return [standing for standing in found if standing.opens(product)]
