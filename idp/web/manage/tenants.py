"""Operators look after tenants: find, make, confirm, suspend, resume, end."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import tenants as states
from idp.directory.acting import Mistake
from idp.directory.operating import Operation
from idp.directory.tenants import Tenant
from idp.operators import ending, evidence, founders, tenants
from idp.operators.tenants import Invited, Wanted
from idp.web.context import provider
from idp.web.manage import ending_evidence, guard, shell

blueprint = Blueprint("manage_tenants", __name__)

Answer = str | Response | tuple[str, int]
STATES = (states.ACTIVE, tenants.UNCONFIRMED, states.SUSPENDED, states.ENDED)


@blueprint.get("/operate/tenants")
@guard.operates()
def show_list(operation: Operation) -> Answer:
    status = request.args.get("status", "")
    wanted = Wanted(request.args.get("search", ""), status if status in STATES else "")
    page = tenants.find_tenants(
        operation, provider().secret_keys, wanted, request.args.get("after", "")
    )
    return shell.operator_page(
        operation, "manage/tenants.html", page=page, wanted=wanted, states=STATES
    )


@blueprint.get("/operate/tenants/new")
@guard.operates()
def show_form(operation: Operation) -> Answer:
    return _form(operation, {}, {})


@blueprint.post("/operate/tenants/new")
@guard.operates()
def create(operation: Operation) -> Answer:
    filled = {name: request.form.get(name, "") for name in ("slug", "name", "email")}
    try:
        tenant = tenants.create(
            operation, filled["slug"], filled["name"], _invited(filled["email"])
        )
    except Mistake as mistake:
        return _form(operation, filled, shell.errors_of(mistake)), 422
    told = {"name": tenant.name, "email": filled["email"]}
    flash(_("%(name)s has been made, and %(email)s is invited.", **told))
    return _to(tenant)


@blueprint.post("/operate/tenants/<slug>/invite")
@guard.operates()
def invite(operation: Operation, slug: str) -> Answer:
    tenant = tenants.get_tenant(operation, slug)
    email = request.form.get("email", "")
    try:
        tenants.invite_account_admin(operation, tenant, _invited(email))
    except Mistake as mistake:
        errors = shell.errors_of(mistake)
        return _page(operation, slug, "manage/tenant.html", errors=errors, email=email), 422
    flash(_("%(email)s is invited.", email=email))
    return _to(tenant)


def _invited(email: str) -> Invited:
    return Invited(provider().secret_keys, email, str(get_locale() or "en"))


@blueprint.get("/operate/tenants/<slug>")
@guard.operates()
def show(operation: Operation, slug: str) -> Answer:
    return _page(operation, slug, "manage/tenant.html")


@blueprint.get("/operate/tenants/<slug>/confirm")
@guard.operates(recent=True)
def ask_to_confirm(operation: Operation, slug: str) -> Answer:
    found = tenants.get_tenant(operation, slug)
    seen = founders.find(operation, found)
    return _page(operation, slug, "manage/tenant_confirm.html", founders=seen)


@blueprint.post("/operate/tenants/<slug>/confirm")
@guard.operates()
def confirm(operation: Operation, slug: str) -> Answer:
    tenant = tenants.get_tenant(operation, slug)
    try:
        tenants.confirm(operation, tenant)
    except Mistake as mistake:
        return _not_done(tenant, mistake)
    flash(_("%(name)s is confirmed. It may do now what companies may.", name=tenant.name))
    return _to(tenant)


@blueprint.get("/operate/tenants/<slug>/suspend")
@guard.operates(recent=True)
def confirm_suspend(operation: Operation, slug: str) -> Answer:
    return _page(operation, slug, "manage/tenant_suspend.html")


@blueprint.post("/operate/tenants/<slug>/suspend")
@guard.operates()
def suspend(operation: Operation, slug: str) -> Answer:
    tenant = tenants.get_tenant(operation, slug)
    try:
        tenants.suspend(operation, tenant)
    except Mistake as mistake:
        return _not_done(tenant, mistake)
    flash(_("%(name)s is suspended. The products hear of it.", name=tenant.name))
    return _to(tenant)


@blueprint.post("/operate/tenants/<slug>/resume")
@guard.operates()
def resume(operation: Operation, slug: str) -> Answer:
    tenant = tenants.get_tenant(operation, slug)
    try:
        tenants.resume(operation, tenant)
    except Mistake as mistake:
        return _not_done(tenant, mistake)
    flash(_("%(name)s is active again.", name=tenant.name))
    return _to(tenant)


@blueprint.get("/operate/tenants/<slug>/end")
@guard.operates(recent=True)
def confirm_end(operation: Operation, slug: str) -> Answer:
    return _page(operation, slug, "manage/tenant_end.html")


@blueprint.post("/operate/tenants/<slug>/end")
@guard.operates()
def end(operation: Operation, slug: str) -> Answer:
    tenant = tenants.get_tenant(operation, slug)
    try:
        ending.end(operation, tenant, request.form.get("confirm", ""))
    except Mistake as mistake:
        errors = shell.errors_of(mistake)
        return _page(operation, slug, "manage/tenant_end.html", errors=errors), 422
    flash(_("%(name)s has ended.", name=tenant.name))
    return _to(tenant)


@blueprint.post("/operate/tenants/<slug>/evidence")
@guard.operates()
def take_evidence(operation: Operation, slug: str) -> Answer:
    """By POST, since it is written down who took it."""
    return ending_evidence.download(operation, slug)


def _form(operation: Operation, filled: dict[str, str], errors: dict[str, str]) -> str:
    return shell.operator_page(operation, "manage/tenant_new.html", filled=filled, errors=errors)


def _page(operation: Operation, slug: str, template: str, **values: Any) -> str:
    tenant = tenants.get_tenant(operation, slug)
    return shell.operator_page(
        operation,
        template,
        seen=tenant,
        facts=tenants.facts(operation, tenant),
        has_admin=tenants.has_account_admin(operation, tenant),
        has_evidence=evidence.is_there(operation, tenant),
        **values,
    )


def _to(tenant: Tenant) -> Response:
    return redirect(f"/operate/tenants/{tenant.slug}", 303)


def _not_done(tenant: Tenant, mistake: Mistake) -> Response:
    for sentence in shell.errors_of(mistake).values():
        flash(sentence)
    return _to(tenant)
