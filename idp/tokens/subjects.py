"""What a client calls a person: `sub` (OpenID Connect Core section 8). Whoever tells a client of
somebody, or reads of whom a client speaks, asks here."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from idp.directory.clients import Client
from idp.secret_values import SecretKeys

PUBLIC, PAIRWISE = TYPES = ("public", "pairwise")


def subject_of(keys: SecretKeys, client: Client, user_id: str) -> str:
    """The person's id, or for a pairwise client what they are called in its sector alone."""
    if client.subject_type == PUBLIC:
        return user_id
    return keys.pseudonym(user_id, sector_of(client))


def person_of(keys: SecretKeys, client: Client, subject: str) -> str:
    """Whom the client means: the other way round. What we never called anybody is nobody's id."""
    if client.subject_type == PUBLIC:
        return subject
    return keys.behind_pseudonym(subject, sector_of(client))


def sector_of(client: Client) -> str:
    """The host that stands for all clients which may know a person by one name (section 8.1).
    Raises ValueError where there is none, which registration refuses."""
    sectors = sectors_of(client.sector_identifier_uri, client.redirect_uris)
    if len(sectors) != 1:
        raise ValueError(f"{client.client_id} has no sector")
    return sectors.pop()


def sectors_of(sector_identifier_uri: str | None, redirect_uris: Sequence[str]) -> set[str]:
    """Those that it could be; it has to be one."""
    uris = [sector_identifier_uri] if sector_identifier_uri else redirect_uris
    return {urlsplit(uri).hostname or "" for uri in uris}
