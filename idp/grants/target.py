"""Which product a token is for (RFC 8707): one that its grant was given for, and how the grant
stands there.

Roles and permissions are of one product, so a token is for one. Where the client names none when it
asks for a token, it is the first that it named at the authorization endpoint, or else its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from idp.database import Connection
from idp.directory.catalog import Catalog, ProductView
from idp.directory.clients import Client
from idp.errors import OAuthRefusal
from idp.grants.grant_state import DETAILS, GrantState
from idp.oidc import authorization_details
from idp.oidc.parameters import Parameters
from idp.oidc.resource_indicators import CODE, may_call


class Target(NamedTuple):
    """The grant, and `there` the same as the person stands at the `product` that a token is for.
    One for another product than the client's own carries no node of its tree but of `bound`. The
    `details` are what the person allowed of it one by one (RFC 9396)."""

    state: GrantState
    there: GrantState
    product: ProductView
    bound: frozenset[str] | None = None
    details: Sequence[Mapping[str, Any]] = ()


class Wanted(NamedTuple):
    """What the client names when it asks for a token; nothing for what is usual."""

    products: Sequence[ProductView] = ()
    details: Sequence[Mapping[str, Any]] = ()


Aim = Callable[[Connection, GrantState], Target]


def chosen(
    state: GrantState, client: Client, claimed: Sequence[ProductView], catalog: Catalog
) -> ProductView:
    """Of those that the grant was given for. Raises invalid_target."""
    keys = list(state.asked.get("resources") or [client.product_key])
    key = one_of(claimed).key if claimed else keys[0]
    product = catalog.products.get(key)
    if product is None or key not in keys or not may_call(client, product):
        raise invalid("The person was not asked for that resource.")
    return product


def one_of(claimed: Sequence[ProductView]) -> ProductView:
    """Raises invalid_target unless it is one alone (RFC 8707 section 2.2)."""
    if len(claimed) != 1:
        raise invalid("One token is for one resource.")
    return claimed[0]


def bound_of(state: GrantState, client: Client, product: ProductView) -> frozenset[str]:
    """The nodes of another product that the client may use by this grant: what it is registered
    for, of what it was registered for when the person came (security.md S30)."""
    granted = state.asked.get("resources", {}).get(product.key, ())
    return frozenset(granted).intersection(client.resources.get(product.key, ()))


def details_of(
    state: GrantState,
    client: Client,
    product: ProductView,
    claimed: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """What a token for the product carries: what was claimed, or else all that it may. Raises
    invalid_authorization_details for what was not granted just so (RFC 9396 section 6)."""
    if not (claimed or state.has_details):
        return []
    granted = authorization_details.may_have(state.asked.get(DETAILS, ()), client, product)
    if not all(each in granted for each in claimed):
        raise OAuthRefusal(authorization_details.CODE, "The person did not allow these details.")
    return [each for each in granted if each in claimed] if claimed else granted


def check_without_details(sent: Parameters) -> None:
    """Where nobody has said yes to any. Raises invalid_authorization_details."""
    if sent.get(DETAILS):
        sentence = "People allow details at the authorization endpoint, and nobody does here."
        raise OAuthRefusal(authorization_details.CODE, sentence)


def invalid(sentence: str, detail: str = "") -> OAuthRefusal:
    return OAuthRefusal(CODE, sentence, detail)
