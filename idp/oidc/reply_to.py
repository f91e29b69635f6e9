"""Where and how a client is answered. Nothing is redirected before client and redirect URI are
proven: until then a fault is a PageRefusal."""

from __future__ import annotations

from dataclasses import dataclass

from idp.directory.catalog import Catalog
from idp.directory.clients import Client
from idp.errors import AuthorizationRefusal, PageRefusal, told
from idp.oidc.parameters import Parameters
from idp.oidc.redirect_uris import is_registered

PLACES = ("query", "fragment", "form_post")
SIGNED = "jwt"
RESPONSE_MODES = (*PLACES, *(f"{place}.{SIGNED}" for place in PLACES), SIGNED)
NOWHERE = told("The product did not say where to send you back to.")


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Proven. `place` is where the answer stands in what the client gets, as one JWT if it
    `is_signed` (JARM section 2.3)."""

    client: Client
    redirect_uri: str
    state: str | None
    place: str = PLACES[0]
    is_signed: bool = False


class RefusedRequest(AuthorizationRefusal):
    """A fault that the client is told at its proven redirect URI."""

    def __init__(self, code: str, message: str, reply_to: ReplyTo) -> None:
        super().__init__(code, message)
        self.reply_to = reply_to


def get_client(sent: Parameters, catalog: Catalog) -> Client:
    """Raises PageRefusal."""
    if "client_id" in sent.repeated:
        raise PageRefusal("invalid_request", "The product sent its name twice.", "client_id twice")
    client = catalog.clients.get(sent.get("client_id") or "")
    if client is None:
        raise PageRefusal(
            "invalid_client",
            "The product that sent you here is not known to us.",
            f"unknown client_id {(sent.get('client_id') or '')[:80]!r}",
        )
    return client


def get_reply_to(sent: Parameters, client: Client) -> ReplyTo:
    """Raises PageRefusal or RefusedRequest."""
    return _by_mode(sent, client, _redirect_uri(sent, client))


def find_named_reply_to(sent: Parameters, client: Client) -> ReplyTo | None:
    """The same, where one of the client's redirect URIs is named. Raises RefusedRequest."""
    claimed = sent.get("redirect_uri") or ""
    if not is_registered(claimed, client.redirect_uris, client.application_type):
        return None
    return _by_mode(sent, client, claimed)


def _redirect_uri(sent: Parameters, client: Client) -> str:
    """One of the registered ones, compared as strings (RFC 9700 section 4.1.3)."""
    claimed = sent.get("redirect_uri")
    if "redirect_uri" not in sent.repeated:
        if claimed is None and "redirect_uri" not in sent.values and len(client.redirect_uris) == 1:
            return client.redirect_uris[0]
        if claimed and is_registered(claimed, client.redirect_uris, client.application_type):
            return claimed
        if claimed is None:
            raise PageRefusal("invalid_request", NOWHERE, f"no redirect_uri of {client.client_id}")
    raise PageRefusal(
        "invalid_request",
        "The product asked us to send you to an address that it has not registered.",
        f"redirect_uri {(claimed or '')[:200]!r} of client {client.client_id}",
    )


def _by_mode(sent: Parameters, client: Client, redirect_uri: str) -> ReplyTo:
    """By `query` where nothing else is asked, as OAuth 2.0 and JARM have it for a code."""
    mode = sent.get("response_mode") or PLACES[0]
    state = sent.get("state")
    if mode not in RESPONSE_MODES or "response_mode" in sent.repeated:
        plain = ReplyTo(client, redirect_uri, state)
        raise RefusedRequest("invalid_request", "response_mode is not supported.", plain)
    place = mode.removesuffix(SIGNED).removesuffix(".") or PLACES[0]
    return ReplyTo(client, redirect_uri, state, place, mode.endswith(SIGNED))
