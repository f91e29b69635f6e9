"""Rich authorization requests (RFC 9396): what a client wants to be allowed, one by one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson

from idp.directory import details_types
from idp.directory.catalog import Catalog, ProductView
from idp.directory.clients import Client
from idp.directory.details_types import UnfitDetails
from idp.oidc.parameters import Parameters

CODE = "invalid_authorization_details"
MOST = 10


def requested(
    sent: Parameters, client: Client, products: Collection[ProductView], catalog: Catalog
) -> tuple[dict[str, Any], ...]:
    """Each of a type that the client is registered for, of one of the `products` that its tokens
    are for; none where the parameter was not sent. Raises UnfitDetails."""
    keys = {product.key for product in products}
    return tuple(_checked(each, client, keys, catalog) for each in read(sent))


def read(sent: Parameters) -> list[dict[str, Any]]:
    """As they were sent. Raises UnfitDetails."""
    text = sent.get("authorization_details")
    if text is None:
        return []
    try:
        claimed = orjson.loads(text)
    except ValueError as problem:
        raise UnfitDetails("authorization_details is not JSON.") from problem
    if not isinstance(claimed, list) or not 1 <= len(claimed) <= MOST:
        raise UnfitDetails(f"authorization_details has to be an array of 1 to {MOST} objects.")
    if not all(isinstance(each, dict) for each in claimed):
        raise UnfitDetails("Each of the authorization_details has to be an object.")
    return claimed


def may_have(
    details: Sequence[dict[str, Any]], client: Client, product: ProductView
) -> list[dict[str, Any]]:
    """Those that a token of the client for the product may carry, by what both are registered for
    now."""
    allowed = set(client.authorization_details_types).intersection(product.details_types)
    return [each for each in details if each["type"] in allowed]


def _checked(
    claimed: dict[str, Any], client: Client, keys: Collection[str], catalog: Catalog
) -> dict[str, Any]:
    name = claimed.get("type")
    if not isinstance(name, str) or name not in client.authorization_details_types:
        raise UnfitDetails("There is a type that the client may not ask for.")
    for key in keys:
        known = catalog.products[key].details_types.get(name)
        if known:
            return details_types.checked(claimed, known)
    raise UnfitDetails(f"{name} is of no product that tokens are asked for.")
