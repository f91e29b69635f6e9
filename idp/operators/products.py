"""Products and their permission trees, as operators see them. What one may be is the rule of set-up
files (`registration/products.py`); a change of the tree is a whole tree to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp.directory import catalog_version
from idp.directory.acting import Mistake, NotFound
from idp.directory.operating import Operation
from idp.directory.products import BUILT_IN, Permission, Product
from idp.directory.roles import Role, RolePermission
from idp.directory.tenants import Tenant
from idp.errors import told
from idp.operators.filling_in import filled_in, told_by_field
from idp.registration.changes import clients_of, fields_of
from idp.registration.product_form import PermissionForm, ProductForm
from idp.registration.products import apply_products, check_launch_clients

SHOWN_ROLES = 100


class Node(NamedTuple):
    """`depth` is 0 at the top. `is_first` and `is_last` are among those of the same parent."""

    key: str
    name: str
    description: str
    parent: str | None
    depth: int
    is_first: bool
    is_last: bool


class Loses(NamedTuple):
    """A role that selects what is to be removed."""

    tenant: str
    role: str
    nodes: int


class Losing(NamedTuple):
    """The first SHOWN_ROLES, and how many there are."""

    shown: list[Loses]
    total: int


def all_products(operation: Operation) -> list[Product]:
    operation.check("products.manage")
    ordered = sa.select(Product).order_by(Product.position, Product.key)
    return list(operation.rows.scalars(ordered))


def get_product(operation: Operation, key: str) -> Product:
    """Raises Forbidden, or NotFound."""
    operation.check("products.manage")
    found = operation.rows.get(Product, key)
    if found is None:
        raise NotFound("no such product")
    return found


def make(operation: Operation, values: Mapping[str, Any]) -> Product:
    """`values` are a ProductForm's. Raises Forbidden, RecentSignInNeeded, or Mistake."""
    _check_may_write(operation)
    form = filled_in(ProductForm, values)
    if operation.rows.get(Product, form.key) is not None:
        raise Mistake(key=told("This key is another product's."))
    return _save(operation, form, "product.made")


def change(operation: Operation, product: Product, values: Mapping[str, Any]) -> Product:
    """The same for a product that exists; a field that is left out stays as it is."""
    _check_may_write(operation)
    form = filled_in(ProductForm, {"name": product.name, **values, "key": product.key})
    return _save(operation, form, "product.changed")


def _check_may_write(operation: Operation) -> None:
    operation.check("products.manage")
    operation.check_recent()


def _save(operation: Operation, form: ProductForm, tag: str) -> Product:
    rows = operation.rows
    try:
        with told_by_field(), rows.begin_nested():
            changes = apply_products(rows, [form], operation.now)
            check_launch_clients(rows, (form.key,), ())
    except sa.exc.IntegrityError:
        raise Mistake(key=told("This key is another product's.")) from None
    if changes:
        operation.record(tag, product=form.key, fields=fields_of(changes))
        catalog_version.touch(operation.db, clients_of(changes))
    return rows.get_one(Product, form.key)


def tree(product: Product) -> list[Node]:
    """Every node, parents before their children."""
    return list(_below(product.permissions, None, 0))


def _below(nodes: Sequence[Permission], parent: str | None, depth: int) -> Iterator[Node]:
    own = [node for node in nodes if node.parent_key == parent]
    for place, node in enumerate(own):
        is_last = place == len(own) - 1
        yield Node(node.key, node.name, node.description, parent, depth, place == 0, is_last)
        yield from _below(nodes, node.key, depth + 1)


def get_node(product: Product, key: str) -> Node:
    """Raises NotFound."""
    for node in tree(product):
        if node.key == key:
            return node
    raise NotFound("no such node")


def keys_below(product: Product, key: str) -> list[str]:
    """The node's own key, and those of all nodes under it."""
    get_node(product, key)
    return [key, *(node.key for node in _below(product.permissions, key, 0))]


def losing(operation: Operation, product: Product, key: str) -> Losing:
    """Whose roles lose something when the node is removed."""
    operation.check("products.manage")
    meant = (
        sa.select(Tenant.name, Role.name, sa.func.count())
        .select_from(RolePermission)
        .join(Role, Role.id == RolePermission.role_id)
        .join(Tenant, Tenant.id == Role.tenant_id)
        .where(
            RolePermission.product_key == product.key,
            RolePermission.permission_key.in_(keys_below(product, key)),
        )
        .group_by(Role.id, Role.name, Tenant.name)
    )
    count = operation.rows.scalar(sa.select(sa.func.count()).select_from(meant.subquery())) or 0
    shown = operation.rows.execute(meant.order_by(Tenant.name, Role.name).limit(SHOWN_ROLES))
    return Losing([Loses(*row) for row in shown], count)


def add_node(operation: Operation, product: Product, values: Mapping[str, Any]) -> None:
    """`values` are a PermissionForm's and `parent`, which is empty at the top."""
    form = filled_in(PermissionForm, {n: v for n, v in values.items() if n != "parent"})
    if any(node.key == form.key for node in product.permissions):
        raise Mistake(key=told("This key is another node's."))
    _save_tree(operation, product, [*_plain(product), (form, _parent(product, values))])


def change_node(
    operation: Operation, product: Product, key: str, values: Mapping[str, Any]
) -> None:
    """New words, or another parent; its key stays, since roles and products know it by that."""
    form = filled_in(
        PermissionForm, {"key": key, "name": values["name"], "description": values["description"]}
    )
    parent = _parent(product, values)
    if parent in keys_below(product, key):
        raise Mistake(parent=told("A node can't be moved under itself."))
    changed = [(form, parent) if node.key == key else (node, old) for node, old in _plain(product)]
    _save_tree(operation, product, changed)


def move_node(operation: Operation, product: Product, key: str, step: int) -> None:
    """One place up (-1) or down (1) among those of the same parent; no further than the end."""
    node = get_node(product, key)
    nodes = _plain(product)
    own = [place for place, (_, parent) in enumerate(nodes) if parent == node.parent]
    here = next(place for place in own if nodes[place][0].key == key)
    there = own.index(here) + (1 if step > 0 else -1)
    if 0 <= there < len(own):
        nodes[here], nodes[own[there]] = nodes[own[there]], nodes[here]
        _save_tree(operation, product, nodes)


def remove_node(operation: Operation, product: Product, key: str) -> None:
    """With everything under it. Roles and clients that had it have it no more, also if it is added
    again."""
    gone = keys_below(product, key)
    _save_tree(operation, product, [each for each in _plain(product) if each[0].key not in gone])


def _parent(product: Product, values: Mapping[str, Any]) -> str | None:
    parent = values.get("parent") or None
    if parent is not None and all(node.key != parent for node in product.permissions):
        raise Mistake(parent=told("Choose a node of this product."))
    return parent


Placed = tuple[PermissionForm, str | None]


def _plain(product: Product) -> list[Placed]:
    """Each node without its children, and its parent's key, in order."""
    return [
        (
            PermissionForm(key=node.key, name=node.name, description=node.description),
            node.parent_key,
        )
        for node in product.permissions
    ]


def _save_tree(operation: Operation, product: Product, nodes: Sequence[Placed]) -> None:
    _check_may_write(operation)
    if product.key in BUILT_IN:
        raise Mistake(key=told("This product is built in."))
    whole = _nested(nodes, None)
    _save(
        operation,
        ProductForm(key=product.key, name=product.name, permissions=whole),
        "product.changed",
    )


def _nested(nodes: Sequence[Placed], parent: str | None) -> list[PermissionForm]:
    return [
        form.model_copy(update={"children": _nested(nodes, form.key)})
        for form, under in nodes
        if under == parent
    ]
