"""What the roles of a membership open: the one rule behind tokens, menus, the switcher, the console
and previews."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from idp.directory import confirming
from idp.directory.catalog import ProductView


class Reach(NamedTuple):
    """What bounds a membership's roles: `has_all` is the account admin's; `only_products` are the
    keys that it was approved for, separated by spaces, None for no bound; `is_confirmed` is the
    tenant's."""

    has_all: bool
    only_products: str | None
    is_confirmed: bool

    def selected(self, product: ProductView, granted: Iterable[str]) -> frozenset[str]:
        """The nodes of a product's tree that roles select and the tenant may open; one that left
        the tree grants nothing."""
        if self.only_products is not None and product.key not in self.only_products.split():
            return frozenset()
        can_open = confirming.open_nodes(product, is_confirmed=self.is_confirmed)
        return can_open if self.has_all else can_open.intersection(granted)
