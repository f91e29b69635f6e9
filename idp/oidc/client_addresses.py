"""Addresses that a client names, as it may register them (RFC 8252, RFC 9700)."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from idp.errors import MetadataRefusal
from idp.settings import LOOPBACK_HOSTS

MAX_URI = 2048
PRINTABLE = re.compile(r"[\x21-\x7e]+")

_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


def check_uri(member: str, uri: str, may_be_private: bool) -> None:
    """Absolute and exact: no fragment, wildcard or user; https, or http on loopback; a scheme of
    its own, with a dot in it, only for a native application (RFC 8252 section 7.1)."""
    parts = split_uri(member, uri)
    if "#" in uri:
        raise MetadataRefusal(member, f"{uri} has a fragment.")
    if "*" in uri:
        raise MetadataRefusal(member, f"{uri} has a wildcard; addresses are compared exactly.")
    if parts.scheme in ("http", "https"):
        _check_host(member, uri, parts)
    elif not may_be_private:
        raise MetadataRefusal(member, f"{uri} must begin with https://.")
    elif not _PRIVATE_SCHEME.fullmatch(uri.partition(":")[0]):
        raise MetadataRefusal(
            member, f"The scheme of {uri} must be a domain backwards, like com.example.app."
        )


def split_uri(member: str, uri: str) -> SplitResult:
    """What a browser and we would read differently is refused, so what is checked is what counts.
    It may hold a password, so it is not repeated before that is known."""
    if not PRINTABLE.fullmatch(uri) or "\\" in uri or len(uri) > MAX_URI:
        raise MetadataRefusal(member, "An address holds a character that has to be escaped.")
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as problem:
        raise MetadataRefusal(member, "An address can't be read.") from problem
    if "@" in parts.netloc:
        raise MetadataRefusal(member, "An address names a user.")
    if not parts.scheme:
        raise MetadataRefusal(member, f"{uri} is not an absolute address.")
    return parts


def _check_host(member: str, uri: str, parts: SplitResult) -> None:
    if not parts.hostname:
        raise MetadataRefusal(member, f"{uri} names no host.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise MetadataRefusal(member, f"{uri} must be https; http is for loopback only.")
