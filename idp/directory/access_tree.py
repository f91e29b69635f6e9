"""The access tree: the permission trees of all products that a tenant's role may select from.

A role keeps exactly the nodes that were ticked. A node brings neither those below it nor the one
above it, so that tokens say what the role says (docs/decisions/0011). Ticking a whole branch at
once is a convenience of the page, which ticks each of its boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp.directory.acting import Node, Rights
from idp.directory.products import Permission, Product

MAX_DEPTH = 12


class TreeNode(NamedTuple):
    """`value` is what a form sends for it: `product/permission`. One that `is_fixed` is left as it
    is, since the actor does not hold it."""

    value: str
    key: str
    name: str
    description: str
    is_selected: bool
    is_fixed: bool
    children: Sequence[TreeNode]


class Branch(NamedTuple):
    """A product and its whole tree; `selected` of `total` nodes are ticked."""

    key: str
    name: str
    icon: str
    nodes: Sequence[TreeNode]
    selected: int
    total: int


def products(rows: Session) -> list[Product]:
    """In their order; the platform's own are no tenant's to give."""
    found = sa.select(Product).where(Product.is_platform.is_(sa.false()))
    return list(rows.scalars(found.order_by(Product.position, Product.key)))


def every_node(rows: Session) -> frozenset[Node]:
    """All nodes that a role of a tenant can select."""
    return frozenset(
        (product.key, node.key) for product in products(rows) for node in product.permissions
    )


def branches(rows: Session, rights: Rights, selected: Iterable[Node]) -> list[Branch]:
    """The tree as somebody with these rights may edit it."""
    chosen = frozenset(selected)
    return [_branch(product, rights, chosen) for product in products(rows)]


def _branch(product: Product, rights: Rights, chosen: frozenset[Node]) -> Branch:
    def described(node: Permission, children: Sequence[TreeNode]) -> TreeNode:
        pair = (product.key, node.key)
        return TreeNode(
            value="/".join(pair),
            key=node.key,
            name=node.name,
            description=node.description,
            is_selected=pair in chosen,
            is_fixed=not rights.holds(frozenset({pair})),
            children=children,
        )

    keys = {node.key for node in product.permissions}
    return Branch(
        key=product.key,
        name=product.name,
        icon=product.icon,
        nodes=_grown(product.permissions, described, None),
        selected=len(keys & {key for owner, key in chosen if owner == product.key}),
        total=len(keys),
    )


def _grown(
    nodes: Sequence[Permission],
    described: Callable[[Permission, Sequence[TreeNode]], TreeNode],
    parent: str | None,
    depth: int = MAX_DEPTH,
) -> list[TreeNode]:
    """The nodes below `parent`, with what is below them."""
    if depth == 0:
        return []
    return [
        described(node, _grown(nodes, described, node.key, depth - 1))
        for node in nodes
        if node.parent_key == parent
    ]


def parsed(claimed: Iterable[str]) -> frozenset[Node]:
    """Pairs of product and permission out of a form's values; what is no such value matches no
    node."""
    pairs = (value.partition("/") for value in claimed)
    return frozenset((product, key) for product, _, key in pairs)
