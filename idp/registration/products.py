"""Products and their permission trees, made like the file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp.directory.clients import Client
from idp.directory.identity_providers import IdentityProvider
from idp.directory.products import BUILT_IN, Permission, Product
from idp.directory.roles import RolePermission
from idp.errors import FormMistake
from idp.policies import password_age
from idp.registration.changes import Change, Edit
from idp.registration.product_form import PermissionForm, ProductForm

PLAIN = (
    *("name", "description", "color", "icon"),
    *("second_factor", "second_factor_minutes", "sign_up", "refuses_federated"),
    "access_token_format",
)


def apply_products(session: Session, forms: Iterable[ProductForm], now: float) -> list[Change]:
    return [change for form in forms for change in _apply(session, form, now)]


def _apply(session: Session, form: ProductForm, now: float) -> list[Change]:
    if form.key in BUILT_IN:
        raise FormMistake(f"product {form.key}", "key", "it is built in.")
    found = session.get(Product, form.key)
    product = found or Product(key=form.key)
    edit = Edit("product", form.key, product, is_new=found is None)
    for column, value in form.stated(PLAIN, edit.is_new).items():
        edit.set(column, value)
    _set_resource(session, edit, form)
    _set_position(session, edit, form)
    if edit.is_new or "password_max_age_days" in form.model_fields_set:
        _set_password_age(edit, product, form, now)
    if edit.is_new or "identity_providers" in form.model_fields_set:
        _set_identity_providers(session, edit, product, form)
    if edit.is_new or "launch_client" in form.model_fields_set:
        edit.note("launch_client", product.launch_client_id, form.launch_client)
        product.launch_client_id = form.launch_client
    if edit.is_new or "authorization_details_types" in form.model_fields_set:
        _set_details_types(session, edit, form)
    if edit.is_new or "permissions" in form.model_fields_set:
        before = {node.key for node in product.permissions}
        _set_tree(edit, product, form.permissions)
        _let_go(session, product.key, before ^ {node.key for node in product.permissions})
    session.add(product)
    session.flush()
    return edit.changes()


def _set_resource(session: Session, edit: Edit, form: ProductForm) -> None:
    resource = form.resource or (f"urn:product:{form.key}" if edit.is_new else None)
    if resource is None:
        return
    others = sa.select(Product.key).where(Product.resource == resource, Product.key != form.key)
    other = session.scalar(others)
    if other is not None:
        raise FormMistake(
            f"product {form.key}", "resource", f"{resource} is the resource of {other} already."
        )
    edit.set("resource", resource)


def _set_position(session: Session, edit: Edit, form: ProductForm) -> None:
    """A new product comes last where the file doesn't say."""
    if "position" in form.model_fields_set:
        edit.set("position", form.position)
    elif edit.is_new:
        others = sa.select(sa.func.max(Product.position)).where(Product.key.not_in(BUILT_IN))
        last = session.scalar(others)
        edit.set("position", 0 if last is None else last + 1)


def _set_password_age(edit: Edit, product: Product, form: ProductForm, now: float) -> None:
    """One that is younger than a password gives it time (`policies/password_age.py`)."""
    days, exact = form.password_max_age_days, form.password_max_age_since
    since = password_age.since(
        days, now, product.password_max_age_days, product.password_max_age_since
    )
    edit.set("password_max_age_days", days)
    if exact is None:
        product.password_max_age_since = since
    else:
        edit.set("password_max_age_since", exact)


def _set_identity_providers(
    session: Session, edit: Edit, product: Product, form: ProductForm
) -> None:
    known = set(session.scalars(sa.select(IdentityProvider.key)))
    for key in form.identity_providers:
        if key not in known:
            words = f"there is no identity provider {key}."
            raise FormMistake(f"product {form.key}", "identity_providers", words)
    edit.note(
        "identity_providers", (product.identity_providers or "").split(), form.identity_providers
    )
    product.identity_providers = " ".join(form.identity_providers)


def _set_details_types(session: Session, edit: Edit, form: ProductForm) -> None:
    """A type is one product's: a request names types, and no products (RFC 9396 section 2)."""
    stated = [each.model_dump() for each in form.authorization_details_types]
    wanted = {each["type"] for each in stated}
    for other in session.scalars(sa.select(Product).where(Product.key != form.key)):
        for each in other.authorization_details_types:
            if each["type"] in wanted:
                words = f"{each['type']} is a type of {other.key} already."
                raise FormMistake(f"product {form.key}", "authorization_details_types", words)
    edit.set("authorization_details_types", stated)


class _Node(NamedTuple):
    key: str
    parent_key: str | None
    name: str
    description: str


def _set_tree(edit: Edit, product: Product, tree: Sequence[PermissionForm]) -> None:
    wanted = list(_flattened(tree, None))
    stored = {permission.key: permission for permission in product.permissions}
    before = [_Node(p.key, p.parent_key, p.name, p.description) for p in product.permissions]
    _note_tree(edit, before, wanted)
    for position, node in enumerate(wanted):
        row = stored.get(node.key) or Permission(key=node.key)
        row.parent_key, row.name, row.description = node.parent_key, node.name, node.description
        row.position = position
        if node.key not in stored:
            product.permissions.append(row)
    kept = {node.key for node in wanted}
    for key, row in stored.items():
        if key not in kept:
            product.permissions.remove(row)


def _let_go(session: Session, product_key: str, keys: AbstractSet[str]) -> None:
    """Nobody holds a node that has left the tree, so that one which comes again, or another that is
    called the same, is nobody's until it is given. What just came is asked for too: roles may name
    it since an older time."""
    if not keys:
        return
    session.execute(
        sa.delete(RolePermission).where(
            RolePermission.product_key == product_key, RolePermission.permission_key.in_(keys)
        )
    )
    machines = sa.or_(Client.permissions != [], Client.resources != {})
    for client in session.scalars(sa.select(Client).where(machines)):
        left = [key for key in client.permissions if key not in keys]
        if client.product_key == product_key and left != client.permissions:
            client.permissions = left
        usable = client.resources.get(product_key, [])
        if not keys.isdisjoint(usable):
            still = [key for key in usable if key not in keys]
            client.resources = {**client.resources, product_key: still}


def _flattened(tree: Iterable[PermissionForm], parent_key: str | None) -> Iterator[_Node]:
    for node in tree:
        yield _Node(node.key, parent_key, node.name, node.description)
        yield from _flattened(node.children, node.key)


def _note_tree(edit: Edit, before: list[_Node], wanted: list[_Node]) -> None:
    """Its shape as paths; new words of a node that stays one by one."""
    edit.note("permissions", None if edit.is_new else _paths(before), _paths(wanted))
    old = {node.key: node for node in before}
    for node in wanted:
        if node.key in old:
            edit.note(f"permissions {node.key} name", old[node.key].name, node.name)
            edit.note(
                f"permissions {node.key} description", old[node.key].description, node.description
            )


def _paths(nodes: Iterable[_Node]) -> list[str]:
    parents = {node.key: node.parent_key for node in nodes}
    return [" > ".join(reversed(list(_upward(key, parents)))) for key in parents]


def _upward(key: str | None, parents: dict[str, str | None]) -> Iterator[str]:
    while key is not None:
        yield key
        key = parents.get(key)


def check_launch_clients(
    session: Session, keys: Collection[str], client_ids: Collection[str]
) -> None:
    """The menu opens a product by a client of its own that says where its sign-in begins. Asked
    once all products and clients of a change are as they will be."""
    for product in session.scalars(sa.select(Product).where(Product.launch_client_id.is_not(None))):
        if product.key in keys or product.launch_client_id in client_ids:
            _check_launch_client(session, product)


def _check_launch_client(session: Session, product: Product) -> None:
    client = session.get(Client, product.launch_client_id)
    problem = ""
    if client is None:
        problem = "is no client"
    elif client.product_key != product.key:
        problem = f"is a client of {client.product_key}"
    elif client.initiate_login_uri is None:
        problem = "has no initiate_login_uri"
    if problem:
        raise FormMistake(
            f"product {product.key}", "launch_client", f"{product.launch_client_id} {problem}."
        )
