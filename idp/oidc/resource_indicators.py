"""Resource indicators (RFC 8707): which products a client wants tokens for. A token is for one."""

from __future__ import annotations

from idp.directory.catalog import Catalog, ProductView
from idp.directory.clients import Client
from idp.oidc.parameters import Parameters

CODE = "invalid_target"


class UnknownTarget(Exception):
    """A `resource` that is none, or that the client may have no tokens for."""


def named(sent: Parameters, client: Client, catalog: Catalog) -> tuple[ProductView, ...]:
    """The products that `resource` names, in order; none where it was not sent. Addresses are
    compared as strings, and have no fragment (section 2). Raises UnknownTarget."""
    addresses = sent.each("resource")
    return tuple(_product(each, client, catalog) for each in addresses) if addresses else ()


def called(sent: Parameters, client: Client, catalog: Catalog) -> tuple[ProductView, ...]:
    """The products that `audience` names, by key or by address (RFC 8693 section 2.1). Raises
    UnknownTarget."""
    keys = {product.key: product.resource for product in catalog.products.values()}
    wanted = (keys.get(name, name) for name in sent.each("audience"))
    return tuple(_product(address, client, catalog) for address in wanted)


def may_call(client: Client, product: ProductView) -> bool:
    return product.key == client.product_key or product.key in client.resources


def _product(address: str, client: Client, catalog: Catalog) -> ProductView:
    product = catalog.by_resource.get(address)
    if product is None or "#" in address or not may_call(client, product):
        raise UnknownTarget(address[:200])
    return product
