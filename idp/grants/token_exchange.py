"""Token exchange (RFC 8693): a product calls another one for somebody who called it.

The client hands in the access token that it was called with, and gets one for a product that it may
call itself: of the same person, under the same grant, that says who acts for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from idp.directory.catalog import Catalog, ProductView
from idp.directory.clients import Client
from idp.errors import OAuthRefusal
from idp.grants import target
from idp.grants.grant_state import GrantState
from idp.oidc.client_metadata import TOKEN_EXCHANGE
from idp.oidc.parameters import Parameters
from idp.oidc.resource_indicators import UnknownTarget, called, named
from idp.oidc.scopes import OFFLINE_ACCESS

ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
MOST_ACTORS = 4
NOT_HANDED_ON = frozenset({"openid", OFFLINE_ACCESS})


def claimed_subject(sent: Parameters) -> str:
    """The token handed in, which has to be an access token, for another one (sections 2.1 and 2.2).
    Raises invalid_request. Who acts is the client that asks, and no token of anybody's."""
    subject = sent.get("subject_token")
    if subject is None:
        raise _unfit("subject_token is missing.")
    if sent.get("subject_token_type") != ACCESS_TOKEN_TYPE:
        raise _unfit("subject_token_type has to be that of an access token.")
    if sent.get("requested_token_type") not in (None, ACCESS_TOKEN_TYPE):
        raise _unfit("Nothing but an access token can be requested.")
    if sent.get("actor_token") or sent.get("actor_token_type"):
        raise _unfit("actor_token is not taken: the client that asks is the actor.")
    return subject


def claimed_target(sent: Parameters, client: Client, catalog: Catalog) -> ProductView:
    """The other product that `resource` and `audience` name, all of them the same (section 2.1).
    Raises invalid_target."""
    try:
        found = [*named(sent, client, catalog), *called(sent, client, catalog)]
    except UnknownTarget as problem:
        raise target.invalid(
            "The client may have no token for that target.", f"target {problem}"
        ) from problem
    product = target.one_of(list({each.key: each for each in found}.values()))
    if product.key == client.product_key:
        raise target.invalid("The token is for the client's own product already.")
    return product


def check_subject(claims: Mapping[str, Any], product: ProductView, client: Client) -> None:
    """A live access token of somebody, for the `product` whose client asks, that has not been
    handed on too often. Raises invalid_request."""
    if product.key != client.product_key:
        raise _unfit("The subject_token is not for the client's product.")
    if len(actors(claims)) >= MOST_ACTORS:
        raise _unfit("The subject_token has been handed on too often.")


def granted_scope(
    subject_scope: Iterable[str], client: Client, claimed: tuple[str, ...]
) -> tuple[str, ...]:
    """What the token handed in has, of what the client may ask for. Raises invalid_scope."""
    allowed = tuple(
        word for word in subject_scope if word in client.scope.split() and word not in NOT_HANDED_ON
    )
    if not set(claimed) <= set(allowed):
        raise OAuthRefusal("invalid_scope", "More scope than the token and the client have.")
    return claimed or allowed


def bound_of(
    state: GrantState, holder: Client, client: Client, product: ProductView
) -> frozenset[str] | None:
    """The nodes of the product that the client may use for whoever came by the `holder`, None for
    nothing at all. By another's client people reach what they were shown, whoever helps it."""
    usable = frozenset(client.resources.get(product.key, ()))
    if holder.first_party:
        return usable
    shown = state.asked.get("resources", {}).get(product.key)
    return None if shown is None else usable.intersection(shown)


def acting(client: Client, subject: Mapping[str, Any]) -> dict[str, Any]:
    """The `act` claim: who acts now, and within it who did before (section 4.1)."""
    earlier = {"act": subject["act"]} if "act" in subject else {}
    return {"sub": client.client_id, **earlier}


def actors(claims: Mapping[str, Any]) -> list[str]:
    """The clients that a token was handed on by, the last one first."""
    found, act = [], claims.get("act")
    while act:
        found.append(str(act["sub"]))
        act = act.get("act")
    return found


def may_still_act(
    claims: Mapping[str, Any], product: ProductView, holder: Client, catalog: Catalog
) -> bool:
    """Whether each of them may still call the next, on the way to the `product`, and the `holder`
    of the grant the first."""
    for client_id in actors(claims):
        client = catalog.clients.get(client_id)
        if client is None or TOKEN_EXCHANGE not in client.grant_types:
            return False
        if product.key not in client.resources:
            return False
        product = catalog.product_of(client)
    return product.key == holder.product_key or product.key in holder.resources


def _unfit(sentence: str) -> OAuthRefusal:
    return OAuthRefusal("invalid_request", sentence)
