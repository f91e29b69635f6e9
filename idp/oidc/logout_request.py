"""The end-session request (OpenID Connect RP-Initiated Logout 1.0 section 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from idp.directory.clients import Client
from idp.errors import told
from idp.oidc.parameters import Parameters

PARAMETERS = (
    *("id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri"),
    *("state", "ui_locales"),
)
UNKNOWN_CLIENT = told("The product that sent you here is not known to us.")
NO_CLIENT = told("The product asked us to send you back, and did not say which one it is.")
NOT_REGISTERED = told("The product asked us to send you to an address that it has not registered.")
NO_HINT_OF_OURS = told("The product sent us a proof of your sign-in that is not one of ours.")
ANOTHERS_HINT = told("The product sent us a proof of your sign-in that is another product's.")

ClaimsReader = Callable[[str], dict[str, Any] | None]
ClientFinder = Callable[[str], Client | None]


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """`hinted_sid` is of a sound ID token of ours for `client`, `redirect_uri` one that the client
    has registered; None where nothing was sent. Of a request with a `fault`, which is told to the
    person, nothing counts."""

    client: Client | None = None
    hinted_sid: str | None = None
    redirect_uri: str | None = None
    state: str | None = None
    ui_locales: str | None = None
    fault: str = ""

    def location(self) -> str | None:
        """Where the browser goes afterwards, with the client's `state`."""
        if self.redirect_uri is None or self.state is None:
            return self.redirect_uri
        return with_query(self.redirect_uri, {"state": self.state})

    def onward(self) -> dict[str, str]:
        """What a page that comes before that has to be asked by, so that it finds the same."""
        language = {"ui_locales": self.ui_locales} if self.ui_locales else {}
        if self.redirect_uri is None or self.client is None:
            return language
        way = {"client_id": self.client.client_id, "post_logout_redirect_uri": self.redirect_uri}
        state = {"state": self.state} if self.state is not None else {}
        return {**way, **state, **language}


class _Fault(Exception):
    """With a sentence for the person."""


def parse(sent: Parameters, find_client: ClientFinder, read_hint: ClaimsReader) -> LogoutRequest:
    """`read_hint` gives the claims of an ID token of ours, or None. `logout_hint` changes nothing,
    since a browser has one session, and whose it is is asked about."""
    language = sent.get("ui_locales")
    try:
        claims = _hinted(sent, read_hint)
        client = _client(sent, find_client, claims)
        redirect_uri = _redirect_uri(sent, client)
    except _Fault as fault:
        return LogoutRequest(ui_locales=language, fault=str(fault))
    sid = claims.get("sid")
    return LogoutRequest(client, sid, redirect_uri, sent.get("state"), language)


def _hinted(sent: Parameters, read_hint: ClaimsReader) -> dict[str, Any]:
    hint = sent.get("id_token_hint")
    if hint is None:
        return {}
    claims = read_hint(hint)
    if claims is None:
        raise _Fault(NO_HINT_OF_OURS)
    if sent.get("client_id") not in (None, claims["aud"]):
        raise _Fault(ANOTHERS_HINT)
    return claims


def _client(sent: Parameters, find_client: ClientFinder, claims: dict[str, Any]) -> Client | None:
    client_id = sent.get("client_id") or claims.get("aud")
    if client_id is None:
        return None
    client = find_client(client_id)
    if client is None:
        raise _Fault(UNKNOWN_CLIENT)
    return client


def _redirect_uri(sent: Parameters, client: Client | None) -> str | None:
    """Compared as strings (section 2)."""
    claimed = sent.get("post_logout_redirect_uri")
    if claimed is None:
        return None
    if client is None:
        raise _Fault(NO_CLIENT)
    if claimed not in client.post_logout_redirect_uris:
        raise _Fault(NOT_REGISTERED)
    return claimed


def with_query(uri: str, fields: dict[str, str]) -> str:
    """The address with fields added to its query."""
    separator = "&" if urlsplit(uri).query else "?"
    return f"{uri}{separator}{urlencode(fields)}"
