"""What is at a `sector_identifier_uri` (OpenID Connect Core section 8.1): a sector says itself who
is of it."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from idp.errors import MetadataRefusal
from idp.oidc.client_metadata import POLLING, ClientMetadata
from idp.settings import LOOPBACK_HOSTS
from idp.tokens import subjects

MEMBER = "sector_identifier_uri"


def check_stranger(metadata: ClientMetadata) -> None:
    """Whoever registers itself shows that it is of a sector by what it is told there alone, so it
    may have no grant that is told elsewhere, and no sector that every machine is. Raises
    MetadataRefusal."""
    if metadata.subject_type == subjects.PUBLIC:
        return
    if not POLLING.isdisjoint(metadata.grant_types):
        raise MetadataRefusal("subject_type", "pairwise is not for clients that poll for tokens.")
    sectors = subjects.sectors_of(metadata.sector_identifier_uri, metadata.redirect_uris)
    if metadata.sector_identifier_uri is None and sectors & LOOPBACK_HOSTS:
        raise MetadataRefusal(MEMBER, "pairwise needs it where redirect_uris are on loopback.")


def check_sector(document: bytes, redirect_uris: Sequence[str]) -> None:
    """It is a JSON list of addresses, with all of these among them. Raises MetadataRefusal."""
    try:
        listed = orjson.loads(document)
    except orjson.JSONDecodeError as problem:
        raise MetadataRefusal(MEMBER, "What is there is not JSON.") from problem
    if not isinstance(listed, list):
        raise MetadataRefusal(MEMBER, "What is there is no list.")
    for redirect_uri in redirect_uris:
        if redirect_uri not in listed:
            raise MetadataRefusal(MEMBER, "What is there does not list every redirect URI.")
