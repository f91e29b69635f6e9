"""What is at a `sector_identifier_uri` (OpenID Connect Core section 8.1): a sector says itself who
is of it."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from idp.errors import MetadataRefusal

MEMBER = "sector_identifier_uri"
LARGEST = 64 * 1024
PATIENCE = 4.0


def check_sector(document: bytes, redirect_uris: Sequence[str]) -> None:
    """It is a JSON list of addresses, with all of these among them. Raises MetadataRefusal."""
    if len(document) > LARGEST:
        raise MetadataRefusal(MEMBER, f"What is there has more than {LARGEST} bytes.")
    try:
        listed = orjson.loads(document)
    except orjson.JSONDecodeError as problem:
        raise MetadataRefusal(MEMBER, "What is there is not JSON.") from problem
    if not isinstance(listed, list):
        raise MetadataRefusal(MEMBER, "What is there is no list.")
    for redirect_uri in redirect_uris:
        if redirect_uri not in listed:
            raise MetadataRefusal(MEMBER, "What is there does not list every redirect URI.")
