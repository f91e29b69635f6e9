"""What a person would have to allow a client, in words that a consent keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from idp.directory.catalog import ProductView
from idp.directory.clients import Client
from idp.oidc.scopes import scopes_of

PERMISSION = "permission:"
RESOURCE = "resource:"  # a product's key, and perhaps a node of its tree


def consent_scope_of(
    scope: Iterable[str],
    client: Client,
    claims: Mapping[str, Iterable[str]],
    resources: Iterable[ProductView],
) -> frozenset[str]:
    """The scopes, those that cover single claims, and what the client would be able to do in their
    name. The page that asks shows the same."""
    named = {name for names in claims.values() for name in names}
    acts = frozenset(PERMISSION + key for key in client.permissions)
    elsewhere = frozenset(
        f"{RESOURCE}{product.key}:{key}"
        for product in resources
        for key in client.resources.get(product.key, ())
    )
    return frozenset(scope) | scopes_of(named) | acts | elsewhere
