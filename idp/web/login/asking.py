"""The client that asks, in its own words (RFC 7591 section 2), to whoever may never have heard of
it.

It may call itself anything. So the page says where the answer goes, and whether anybody here has
looked at it; it leads to https alone, and the logo is served by us.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from idp.directory import client_logos
from idp.directory.clients import Client
from idp.login.attempt import DECOUPLED, Attempt
from idp.web import brands
from idp.web.client_words import name_of, told_by
from idp.web.context import catalog, provider


class Asking(NamedTuple):
    """`host` is where the answer goes, None for another device."""

    name: str
    host: str | None
    logo_url: str | None
    client_uri: str | None
    policy_uri: str | None
    tos_uri: str | None
    is_self_registered: bool


def asking(attempt: Attempt, client: Client) -> Asking:
    return Asking(
        name=name_of(client),
        host=None if attempt.destination == DECOUPLED else _host(attempt, client),
        logo_url=_logo_url(client),
        client_uri=_https(client, "client_uri"),
        policy_uri=_https(client, "policy_uri"),
        tos_uri=_https(client, "tos_uri"),
        is_self_registered=client.client_id in catalog().self_registered,
    )


def _host(attempt: Attempt, client: Client) -> str:
    redirect_uri = attempt.parameters.get("redirect_uri") or client.redirect_uris[0]
    return urlsplit(redirect_uri).netloc or redirect_uri


def _logo_url(client: Client) -> str | None:
    """None until it has been fetched."""
    uri = told_by(client, "logo_uri")
    if uri is None:
        return None
    with provider().database.connection() as db:
        return brands.logo_url(client_logos.find_digest(db, client.client_id, uri))


def _https(client: Client, member: str) -> str | None:
    uri: str | None = told_by(client, member)
    return uri if uri and urlsplit(uri).scheme == "https" else None
