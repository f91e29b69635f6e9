"""Where the next page of a list begins, in a form that only we can make (security.md S72).

A cursor is sealed for one list of one tenant with one set of filters: anybody else's, or one for
another search, is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from idp.errors import PageRefusal, SetupMistake, told
from idp.secret_values import SecretKeys

MAX_CURSOR = 4096

Position = Sequence[Any]


class CursorRefused(PageRefusal):
    def __init__(self) -> None:
        super().__init__(
            "invalid_request",
            told("This part of the list can't be shown. Begin again at the start."),
            "a cursor of another list, or none of ours",
            400,
        )


def seal(keys: SecretKeys, tenant_id: str, wanted: Sequence[str], position: Position) -> str:
    """`wanted` names the list and says what it is narrowed to."""
    return keys.encrypt(orjson.dumps(list(position)), _purpose(tenant_id, wanted))


def opened(keys: SecretKeys, tenant_id: str, wanted: Sequence[str], cursor: str) -> list[Any]:
    """Raises CursorRefused."""
    if len(cursor) > MAX_CURSOR:
        raise CursorRefused
    try:
        position: list[Any] = orjson.loads(keys.decrypt(cursor, _purpose(tenant_id, wanted)))
    except SetupMistake:
        raise CursorRefused from None
    return position


def _purpose(tenant_id: str, wanted: Sequence[str]) -> str:
    return orjson.dumps(["cursor", tenant_id, *wanted]).decode()
