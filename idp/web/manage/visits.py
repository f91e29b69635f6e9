"""An operator acts for a tenant, and the tenant sees it and can end it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import granting
from idp.directory.acting import Administration, Mistake
from idp.directory.operating import Operation
from idp.directory.tenants import Tenant
from idp.operators import tenants, visits
from idp.web.manage import filled_in, guard, shell

blueprint = Blueprint("manage_visits", __name__)

Answer = str | Response | tuple[str, int]


@blueprint.get("/operate/tenants/<slug>/visit")
@guard.operates(recent=True)
def show_form(operation: Operation, slug: str) -> Answer:
    return _form(operation, tenants.get_tenant(operation, slug), {}, {})


@blueprint.post("/operate/tenants/<slug>/visit")
@guard.operates()
def begin(operation: Operation, slug: str) -> Answer:
    tenant = tenants.get_tenant(operation, slug)
    filled = {name: request.form.get(name, "") for name in ("reason", "minutes")}
    minutes = filled_in.whole_number(filled["minutes"]) or 0
    try:
        visits.begin(operation, tenant, filled["reason"], minutes)
    except Mistake as mistake:
        return _form(operation, tenant, filled, shell.errors_of(mistake)), 422
    return redirect(f"/manage/{tenant.slug}", 303)


@blueprint.post("/operate/tenants/<slug>/visit/end")
@guard.operates()
def end(operation: Operation, slug: str) -> Answer:
    visits.end(operation, slug)
    flash(_("Your visit is over."))
    return redirect(f"/operate/tenants/{slug}", 303)


@blueprint.get("/manage/<tenant>/visits")
@guard.administers()
def show(admin: Administration) -> Answer:
    return shell.tenant_page(
        admin,
        "manage/visits.html",
        visits=visits.of_tenant(admin),
        may_end=granting.is_account_admin(admin),
    )


@blueprint.post("/manage/<tenant>/visits/<visit_id>/end")
@guard.administers()
def end_by_tenant(admin: Administration, visit_id: str) -> Answer:
    visits.end_by_tenant(admin, visit_id)
    flash(_("The visit is over."))
    return redirect(f"/manage/{admin.tenant.slug}/visits", 303)


def _form(
    operation: Operation, tenant: Tenant, filled: dict[str, str], errors: dict[str, str]
) -> str:
    return shell.operator_page(
        operation,
        "manage/visit_new.html",
        seen=tenant,
        filled=filled,
        errors=errors,
        minutes=visits.MINUTES,
    )
