"""The end-session request (OpenID Connect RP-Initiated Logout 1.0 section 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from idp.directory.catalog import Catalog
from idp.directory.clients import Client
from idp.oidc.parameters import Parameters

ClaimsReader = Callable[[str], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """`hinted_subject` and `hinted_sid` are of a sound ID token of ours for `client`, else None.
    `redirect_uri` is one that the client has registered, else None."""

    client: Client | None
    hinted_subject: str | None
    hinted_sid: str | None
    redirect_uri: str | None
    state: str | None

    def location(self) -> str | None:
        """Where the browser goes afterwards, with the client's `state`."""
        if self.redirect_uri is None or self.state is None:
            return self.redirect_uri
        separator = "&" if urlsplit(self.redirect_uri).query else "?"
        return f"{self.redirect_uri}{separator}{urlencode({'state': self.state})}"


def parse(sent: Parameters, catalog: Catalog, read_hint: ClaimsReader) -> LogoutRequest:
    """Never raises: what is wrong is left out, and then the person is asked (section 2)."""
    hint = sent.get("id_token_hint")
    claims = (read_hint(hint) if hint else None) or {}
    client_id = sent.get("client_id") or claims.get("aud")
    if claims and claims.get("aud") != client_id:
        claims, client_id = {}, None
    client = catalog.clients.get(str(client_id)) if client_id else None
    if client is None:
        claims = {}
    redirect_uri = sent.get("post_logout_redirect_uri")
    is_known = client is not None and redirect_uri in client.post_logout_redirect_uris
    return LogoutRequest(
        client=client,
        hinted_subject=claims.get("sub"),
        hinted_sid=claims.get("sid"),
        redirect_uri=redirect_uri if is_known else None,
        state=sent.get("state"),
    )
