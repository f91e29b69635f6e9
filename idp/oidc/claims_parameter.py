"""The `claims` parameter (OpenID Connect Core section 5.5): single claims, classes and a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from idp.oidc.parameters import Parameters
from idp.oidc.scopes import claims_of

PLACES = ("id_token", "userinfo")


class UnreadableClaims(Exception):
    """Its text is for whoever sent it."""


@dataclass(frozen=True, slots=True)
class RequestedClaims:
    """`sections` maps each of PLACES that has some to claims, and to what is asked of each."""

    sections: Mapping[str, Mapping[str, Any]]

    def names(self, scope: Iterable[str]) -> dict[str, list[str]]:
        """By place, those that the scope covers."""
        if not self.sections:
            return {}
        covered = claims_of(scope)
        asked = {place: sorted(covered & each.keys()) for place, each in self.sections.items()}
        return {place: names for place, names in asked.items() if names}

    def acr(self, *, is_essential: bool) -> tuple[str, ...]:
        """The classes that are essential, or else wished for, as by `acr_values` (section
        5.5.1.1)."""
        asked = self.sections.get("id_token", {}).get("acr") or {}
        if bool(asked.get("essential")) != is_essential:
            return ()
        values = asked.get("values") or ([asked["value"]] if "value" in asked else [])
        return tuple(str(value) for value in values)

    def subject(self) -> str | None:
        """Whom the answer has to be about (section 5.5.1)."""
        asked = [(section.get("sub") or {}).get("value") for section in self.sections.values()]
        return next((str(value) for value in asked if value is not None), None)


NOTHING = RequestedClaims({})


def read(sent: Parameters) -> RequestedClaims:
    """Checked in the shape that we read. Raises UnreadableClaims."""
    text = sent.get("claims")
    if text is None:
        return NOTHING
    try:
        claims = orjson.loads(text)
    except ValueError as problem:
        raise UnreadableClaims("claims is not JSON.") from problem
    if not isinstance(claims, dict):
        raise UnreadableClaims("claims must be a JSON object.")
    kept = {place: _section(claims.get(place)) for place in PLACES}
    return RequestedClaims({place: section for place, section in kept.items() if section})


def _section(claimed: object) -> dict[str, Any]:
    if claimed is None:
        return {}
    if not isinstance(claimed, dict) or not all(map(_is_request, claimed.values())):
        raise UnreadableClaims("claims must map names to null or to objects.")
    return claimed


def _is_request(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, Mapping) or not isinstance(value.get("essential", False), bool):
        return False
    if isinstance(value.get("value"), dict | list):
        return False
    values = value.get("values", [])
    return isinstance(values, list) and all(isinstance(v, str) for v in values)
