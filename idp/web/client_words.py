"""What clients say of themselves, in the language of the page (RFC 7591 section 2.2)."""

from __future__ import annotations

from typing import Any

from idp.directory.clients import Client
from idp.oidc.client_information import in_language
from idp.web.languages import page_language


def name_of(client: Client) -> str:
    return str(told_by(client, "client_name"))


def told_by(client: Client, member: str) -> Any:
    """None for what it does not say."""
    told = {**client.information, "client_name": client.client_name}
    return in_language(told, member, page_language())
