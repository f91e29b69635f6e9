"""Operators register clients, change them, and give them secrets.

A new secret is shown in the answer to the form that made it, and nowhere else: it passes through no
address, cookie or store.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory import clients as states
from idp.directory.acting import Mistake
from idp.directory.clients import Client
from idp.directory.operating import Operation
from idp.directory.tenants import Tenant
from idp.operators import clients, products, registration_tokens
from idp.operators.clients import Saved, Wanted
from idp.registration.client_secrets import WITH_SECRET
from idp.web.context import provider
from idp.web.manage import client_fields, filled_in, guard, shell

blueprint = Blueprint("manage_clients", __name__)

Answer = str | Response | tuple[str, int]


@blueprint.get("/operate/clients")
@guard.operates()
def show_list(operation: Operation) -> Answer:
    wanted = Wanted(request.args.get("search", "").strip(), request.args.get("product", ""))
    after = request.args.get("after", "")
    page = clients.find_clients(operation, provider().secret_keys, wanted, after)
    return shell.operator_page(
        operation,
        "manage/clients.html",
        page=page,
        wanted=wanted,
        products={each.key: each.name for each in products.all_products(operation)},
    )


@blueprint.get("/operate/clients/new")
@guard.operates(recent=True)
def show_form(operation: Operation) -> Answer:
    filled = dict.fromkeys((field.name for field in client_fields.FIELDS), "")
    filled |= client_fields.DEFAULTS
    return _form(operation, None, {**filled, "product": request.args.get("product", "")}, {})


@blueprint.post("/operate/clients/new")
@guard.operates()
def register(operation: Operation) -> Answer:
    own = {name: request.form.get(name, "").strip() for name in ("client_id", "product")}
    filled = client_fields.typed(request.form)
    try:
        saved = clients.register(operation, {**client_fields.values(filled), **own})
    except Mistake as mistake:
        return _form(operation, None, {**filled, **own}, shell.errors_of(mistake)), 422
    return _saved(operation, saved)


@blueprint.get("/operate/clients/<client_id>")
@guard.operates()
def show(operation: Operation, client_id: str) -> Answer:
    return _page(operation, clients.get_client(operation, client_id))


@blueprint.get("/operate/clients/<client_id>/edit")
@guard.operates(recent=True)
def edit(operation: Operation, client_id: str) -> Answer:
    client = clients.get_client(operation, client_id)
    return _form(operation, client, client_fields.of_client(client, _slug(operation, client)), {})


@blueprint.post("/operate/clients/<client_id>/edit")
@guard.operates()
def change(operation: Operation, client_id: str) -> Answer:
    client = clients.get_client(operation, client_id)
    filled = client_fields.typed(request.form)
    owners = {"product": client.product_key, "tenant": _slug(operation, client)}
    values = {**client_fields.values(filled, client.profile), **owners}
    try:
        saved = clients.change(operation, client, values)
    except Mistake as mistake:
        return _form(operation, client, filled, shell.errors_of(mistake)), 422
    return _saved(operation, saved)


@blueprint.post("/operate/clients/<client_id>/status")
@guard.operates()
def set_status(operation: Operation, client_id: str) -> Answer:
    client = clients.get_client(operation, client_id)
    is_active = request.form.get("status") == states.ACTIVE
    clients.set_status(operation, client, states.ACTIVE if is_active else states.DISABLED)
    flash(_("The client may go on.") if is_active else _("The client is disabled."))
    return _to(client)


@blueprint.post("/operate/clients/<client_id>/secrets")
@guard.operates()
def rotate_secret(operation: Operation, client_id: str) -> Answer:
    client = clients.get_client(operation, client_id)
    hours = filled_in.whole_number(request.form.get("hours", ""))
    try:
        secret = clients.rotate_secret(operation, client, -1 if hours is None else hours)
    except Mistake as mistake:
        return _page(operation, client, errors=shell.errors_of(mistake)), 422
    return _page(operation, client, secret=secret)


@blueprint.post("/operate/clients/<client_id>/secrets/<short>/remove")
@guard.operates()
def remove_secret(operation: Operation, client_id: str, short: str) -> Answer:
    client = clients.get_client(operation, client_id)
    try:
        clients.remove_secret(operation, client, short)
    except Mistake as mistake:
        return _page(operation, client, errors=shell.errors_of(mistake)), 422
    flash(_("The secret is removed, and is worth nothing any more."))
    return _to(client)


def _saved(operation: Operation, saved: Saved) -> Answer:
    if saved.secret is not None:
        return _page(operation, saved.client, secret=saved.secret)
    flash(_("%(name)s is saved.", name=saved.client.client_name))
    return _to(saved.client)


def _to(client: Client) -> Response:
    return redirect(f"/operate/clients/{client.client_id}", 303)


def _slug(operation: Operation, client: Client) -> str | None:
    tenant = operation.rows.get(Tenant, client.tenant_id) if client.tenant_id else None
    return tenant.slug if tenant else None


def _page(operation: Operation, client: Client, **values: Any) -> str:
    shown = client_fields.of_client(client, _slug(operation, client))
    return shell.operator_page(
        operation,
        "manage/client.html",
        client=client,
        product_name=products.get_product(operation, client.product_key).name,
        shown=shown,
        sections=client_fields.SECTIONS,
        secrets=clients.secrets_of(client, operation.now),
        has_secrets=client.token_endpoint_auth_method in WITH_SECRET,
        overlaps=clients.OVERLAP_HOURS,
        may_change=clients.may_change(operation, client),
        registration=registration_tokens.find_registration(operation, client.client_id),
        **values,
    )


def _form(
    operation: Operation, client: Client | None, filled: dict[str, Any], errors: dict[str, str]
) -> str:
    return shell.operator_page(
        operation,
        "manage/client_form.html",
        client=client,
        filled=filled,
        errors=errors,
        sections=client_fields.SECTIONS,
        products=clients.products_with_clients(operation),
    )
