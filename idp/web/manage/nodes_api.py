"""A product's permission tree, node by node, at the API."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from idp.directory.operating import Operation
from idp.directory.products import Product
from idp.errors import told
from idp.operators import products
from idp.web.manage.api import Answer, Listing, Noun, listed
from idp.web.manage.json_reading import Sent
from idp.web.manage.products_api import NEEDS, PRODUCT, Node

api = Noun("nodes", told("Permissions of a product"))

NODES = f"{PRODUCT}/nodes"
NODE = f"{NODES}/<node>"


class NodeTold(Node):
    """`id` is the key."""

    id: str


class NodeFields(Sent):
    name: str = Field(max_length=120)
    description: str = Field("", max_length=500)
    parent: str | None = Field(None, max_length=64, description=told("Null is the top."))


class NewNode(NodeFields):
    example: ClassVar[dict[str, Any]] = {
        "key": "loans.export",
        "name": "Export loans",
        "parent": "lms",
    }

    key: str = Field(max_length=64, description=told("It never changes."))


class ChangedNode(Sent):
    """What is left out stays as it is."""

    example: ClassVar[dict[str, Any]] = {"name": "Export all loans"}

    name: str | None = Field(None, max_length=120)
    description: str | None = Field(None, max_length=500)
    parent: str | None = Field(None, max_length=64, description=told("Null is the top."))


class Step(Sent):
    example: ClassVar[dict[str, Any]] = {"to": "up"}

    to: Literal["up", "down"]


class Losing(Answer):
    """A role of a company, and how many nodes it loses."""

    tenant: str
    role: str
    nodes: int


class WhoLoses(Answer):
    """The first hundred, and how many there are."""

    shown: list[Losing]
    total: int


@api.get(NODES, told("List a product's permissions"), needs=NEEDS)
def listing(operation: Operation, key: str) -> Listing[NodeTold]:
    """Parents before their children."""
    tree = products.tree(products.get_product(operation, key))
    return listed(NodeTold, ({**each._asdict(), "id": each.key} for each in tree))


@api.post(NODES, told("Add a permission"), needs=NEEDS)
def add(operation: Operation, key: str, body: NewNode) -> NodeTold:
    product = products.get_product(operation, key)
    products.add_node(operation, product, body.model_dump())
    return _told(product, body.key)


@api.get(NODE, told("See a permission"), needs=NEEDS)
def show(operation: Operation, key: str, node: str) -> NodeTold:
    return _told(products.get_product(operation, key), node)


@api.patch(NODE, told("Change a permission, or move it under another"), needs=NEEDS, current=show)
def change(operation: Operation, key: str, node: str, body: ChangedNode) -> NodeTold:
    product = products.get_product(operation, key)
    values = {**products.get_node(product, node)._asdict(), **body.model_dump(exclude_unset=True)}
    products.change_node(operation, product, node, values)
    return _told(product, node)


@api.delete(NODE, told("Remove a permission, with those below it"), needs=NEEDS, current=show)
def remove(operation: Operation, key: str, node: str) -> None:
    products.remove_node(operation, products.get_product(operation, key), node)


@api.post(f"{NODE}/move", told("Move a permission one place"), needs=NEEDS, status=204)
def move(operation: Operation, key: str, node: str, body: Step) -> None:
    """Among those of the same parent, and no further than their end."""
    product = products.get_product(operation, key)
    products.move_node(operation, product, node, -1 if body.to == "up" else 1)


@api.get(f"{NODE}/roles", told("See which roles lose a permission"), needs=NEEDS)
def losing(operation: Operation, key: str, node: str) -> WhoLoses:
    """If it is removed now, with those below it."""
    found = products.losing(operation, products.get_product(operation, key), node)
    return WhoLoses.model_validate(found)


def _told(product: Product, node: str) -> NodeTold:
    found = products.get_node(product, node)
    return NodeTold.model_validate({**found._asdict(), "id": found.key})
