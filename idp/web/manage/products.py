"""Operators make products and their permission trees."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.acting import Mistake
from idp.directory.operating import Operation
from idp.directory.products import BUILT_IN, Product
from idp.operators import clients, products
from idp.operators.clients import Wanted
from idp.web.context import provider
from idp.web.manage import filled_in, guard, shell

blueprint = Blueprint("manage_products", __name__)

Answer = str | Response | tuple[str, int]
PLAIN = ("name", "description", "color", "icon")
ABSENT = ("resource", "launch_client")
SWITCHES = ("second_factor", "sign_up")
CHOICES = ("access_token_format",)
DETAILS_TYPES = "authorization_details_types"
NUMBERS = ("second_factor_minutes", "password_max_age_days")


@blueprint.get("/operate/products")
@guard.operates()
def show_list(operation: Operation) -> Answer:
    return shell.operator_page(
        operation, "manage/products.html", products=products.all_products(operation)
    )


@blueprint.get("/operate/products/new")
@guard.operates(recent=True)
def show_form(operation: Operation) -> Answer:
    return _form(operation, None, {"color": "#475569", "icon": "apps"}, {})


@blueprint.post("/operate/products/new")
@guard.operates()
def make(operation: Operation) -> Answer:
    filled = {"key": request.form.get("key", "").strip(), **_filled()}
    try:
        product = products.make(operation, _values(filled))
    except Mistake as mistake:
        return _form(operation, None, filled, shell.errors_of(mistake)), 422
    flash(_("%(name)s has been made.", name=product.name))
    return _to(product)


@blueprint.get("/operate/products/<key>")
@guard.operates()
def show(operation: Operation, key: str) -> Answer:
    return _page(operation, products.get_product(operation, key))


@blueprint.get("/operate/products/<key>/edit")
@guard.operates(recent=True)
def edit(operation: Operation, key: str) -> Answer:
    product = products.get_product(operation, key)
    shown = (*PLAIN, "resource", *SWITCHES, *CHOICES, *NUMBERS)
    filled = {name: getattr(product, name) for name in shown}
    filled[DETAILS_TYPES] = filled_in.written(product.authorization_details_types)
    return _form(operation, product, {**filled, "launch_client": product.launch_client_id}, {})


@blueprint.post("/operate/products/<key>/edit")
@guard.operates()
def change(operation: Operation, key: str) -> Answer:
    product, filled = products.get_product(operation, key), _filled()
    try:
        products.change(operation, product, _values(filled))
    except Mistake as mistake:
        return _form(operation, product, filled, shell.errors_of(mistake)), 422
    flash(_("%(name)s is saved.", name=product.name))
    return _to(product)


@blueprint.get("/operate/products/<key>/nodes/new")
@guard.operates(recent=True)
def show_node_form(operation: Operation, key: str) -> Answer:
    product = products.get_product(operation, key)
    return _node_form(operation, product, None, {"parent": request.args.get("parent", "")}, {})


@blueprint.post("/operate/products/<key>/nodes/new")
@guard.operates()
def add_node(operation: Operation, key: str) -> Answer:
    product, filled = products.get_product(operation, key), _node("key")
    try:
        products.add_node(operation, product, filled)
    except Mistake as mistake:
        errors = shell.errors_of(mistake)
        return _node_form(operation, product, None, filled, errors), 422
    return _done(product)


@blueprint.get("/operate/products/<key>/nodes/<node>")
@guard.operates(recent=True)
def edit_node(operation: Operation, key: str, node: str) -> Answer:
    product = products.get_product(operation, key)
    return _node_form(operation, product, node, products.get_node(product, node)._asdict(), {})


@blueprint.post("/operate/products/<key>/nodes/<node>")
@guard.operates()
def change_node(operation: Operation, key: str, node: str) -> Answer:
    product, filled = products.get_product(operation, key), _node()
    products.get_node(product, node)
    try:
        products.change_node(operation, product, node, filled)
    except Mistake as mistake:
        errors = shell.errors_of(mistake)
        return _node_form(operation, product, node, filled, errors), 422
    return _done(product)


@blueprint.post("/operate/products/<key>/nodes/<node>/move")
@guard.operates()
def move_node(operation: Operation, key: str, node: str) -> Answer:
    product = products.get_product(operation, key)
    products.move_node(operation, product, node, -1 if request.form.get("to") == "up" else 1)
    return _done(product)


@blueprint.get("/operate/products/<key>/nodes/<node>/remove")
@guard.operates(recent=True)
def confirm_remove(operation: Operation, key: str, node: str) -> Answer:
    product = products.get_product(operation, key)
    return shell.operator_page(
        operation,
        "manage/node_remove.html",
        product=product,
        node=products.get_node(product, node),
        below=len(products.keys_below(product, node)) - 1,
        losing=products.losing(operation, product, node),
    )


@blueprint.post("/operate/products/<key>/nodes/<node>/remove")
@guard.operates()
def remove_node(operation: Operation, key: str, node: str) -> Answer:
    product = products.get_product(operation, key)
    products.remove_node(operation, product, node)
    return _done(product)


def _filled() -> dict[str, Any]:
    typed = (*PLAIN, *ABSENT, *NUMBERS)
    texts = {name: request.form.get(name, "").strip() for name in typed}
    chosen = {name: request.form[name] for name in CHOICES if name in request.form}
    texts[DETAILS_TYPES] = request.form.get(DETAILS_TYPES, "").strip()
    return {**texts, **chosen, **{name: bool(request.form.get(name)) for name in SWITCHES}}


def _values(filled: dict[str, Any]) -> dict[str, Any]:
    """A ProductForm's: an empty address or number is none."""
    numbers = {name: filled_in.number_or_nothing(filled[name]) for name in NUMBERS}
    absent = {name: filled[name] or None for name in ABSENT}
    types = filled_in.document(filled[DETAILS_TYPES] or "[]")
    return {**filled, **absent, **numbers, DETAILS_TYPES: types}


def _node(*names: str) -> dict[str, str]:
    wanted = (*names, "name", "description", "parent")
    return {name: request.form.get(name, "").strip() for name in wanted}


def _to(product: Product) -> Response:
    return redirect(f"/operate/products/{product.key}", 303)


def _done(product: Product) -> Response:
    flash(_("The tree is saved."))
    return _to(product)


def _page(operation: Operation, product: Product) -> str:
    wanted = Wanted(product=product.key)
    return shell.operator_page(
        operation,
        "manage/product.html",
        product=product,
        nodes=products.tree(product),
        is_built_in=product.key in BUILT_IN,
        own_clients=clients.find_clients(operation, provider().secret_keys, wanted).clients,
    )


def _form(
    operation: Operation, product: Product | None, filled: dict[str, Any], errors: dict[str, str]
) -> str:
    values = {"product": product, "filled": filled, "errors": errors}
    return shell.operator_page(operation, "manage/product_form.html", **values)


def _node_form(
    operation: Operation,
    product: Product,
    node: str | None,
    filled: dict[str, Any],
    errors: dict[str, str],
) -> str:
    kept = [] if node is None else products.keys_below(product, node)
    return shell.operator_page(
        operation,
        "manage/node_form.html",
        product=product,
        node=node,
        filled=filled,
        errors=errors,
        parents=[each for each in products.tree(product) if each.key not in kept],
    )
