"""What a client tells people of itself (RFC 7591 section 2). Nothing of it decides anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from idp.errors import MetadataRefusal
from idp.oidc.client_addresses import check_uri

MAX_INFORMATION = 50
INFORMATION = (
    *("client_uri", "logo_uri", "policy_uri", "tos_uri"),
    *("contacts", "software_id", "software_version"),
)
MAX_TEXT = 2048

_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def check_information(information: Mapping[str, Any]) -> None:
    """A name or an address may come in more languages, as `client_name#es` (RFC 7591 section
    2.2)."""
    if len(information) > MAX_INFORMATION:
        raise MetadataRefusal("information", f"At most {MAX_INFORMATION}.")
    for member, value in information.items():
        name, is_localised, language = member.partition("#")
        may_be_localised = name.endswith("_uri") or name == "client_name"
        if name not in INFORMATION and not (is_localised and name == "client_name"):
            raise MetadataRefusal("information", f"{member[:40]!r} is no information on a client.")
        if is_localised and not (may_be_localised and _LANGUAGE.fullmatch(language)):
            raise MetadataRefusal(member[:80], "It is not told in languages, or in none we know.")
        _check_told(member, value, is_list=name == "contacts")
        if name.endswith("_uri"):
            check_uri(member, value, may_be_private=False)


def in_language(information: Mapping[str, Any], name: str, language: str) -> Any:
    """For `es` what is told as `name#es`, else as `name#es-MX`, or in no language at all; None for
    what is not told."""
    by_tag = {
        tag.lower(): value
        for member, value in sorted(information.items(), reverse=True)
        for each, is_localised, tag in [member.partition("#")]
        if each == name and is_localised
    }
    near = [value for tag, value in by_tag.items() if tag.partition("-")[0] == language]
    return by_tag.get(language) or (near[-1] if near else information.get(name))


def _check_told(member: str, value: Any, *, is_list: bool) -> None:
    lines = value if is_list and isinstance(value, list) else [value]
    if len(lines) > MAX_INFORMATION or is_list != isinstance(value, list):
        raise MetadataRefusal(member, "It must be a list of lines." if is_list else "One line.")
    if not all(isinstance(line, str) and len(line) <= MAX_TEXT for line in lines):
        raise MetadataRefusal(member, "It must be text.")
    if not member.partition("#")[0].endswith("_uri"):
        for line in lines:
            if not _LINE.fullmatch(line):
                raise MetadataRefusal(member, "It must be one line of 1 to 255 characters.")
