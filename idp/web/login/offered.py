"""Which other providers a sign-in offers: those that the product takes (product.md S4)."""

from __future__ import annotations

from collections.abc import Iterable

from idp.directory.catalog import ProductView
from idp.directory.identity_providers import UpstreamProvider
from idp.login.attempt import Attempt
from idp.web.context import catalog, identity_providers
from idp.web.login import step


def offered(attempt: Attempt) -> dict[str, UpstreamProvider]:
    """By key. Pages of ours that belong to no product take what any product takes."""
    product = step.product_of(attempt)
    return offered_by([product] if product else catalog().products.values())


def offered_by(products: Iterable[ProductView]) -> dict[str, UpstreamProvider]:
    taken = {key for product in products for key in product.identity_providers}
    return {key: each for key, each in identity_providers().by_key.items() if key in taken}
