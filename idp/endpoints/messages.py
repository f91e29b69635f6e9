"""A request and its answers, without a web framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from idp.audit import Origin
from idp.errors import PageRefusal

FORM = "application/x-www-form-urlencoded"
Headers = tuple[tuple[str, str], ...]
NO_STORE: Headers = (("Cache-Control", "no-store"),)


class Request(NamedTuple):
    """`headers` by lower-case name; `body` is the whole body, of bounded size."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    origin: Origin

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    @property
    def is_form(self) -> bool:
        kind = self.header("content-type")
        return kind == FORM or kind.partition(";")[0].strip().lower() == FORM

    def cookie(self, name: str) -> str:
        """The cookie's value, or nothing if it was sent twice: then somebody else set one of them
        (security.md S63)."""
        found = []
        for part in self.header("cookie").split(";"):
            key, separator, value = part.partition("=")
            if separator and key.strip() == name:
                found.append(value.strip())
        return found[0] if len(found) == 1 else ""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer that the pages render: `name` of the page and its `values`."""

    name: str
    values: Mapping[str, Any]
    status: int = 200
    headers: Headers = field(default=NO_STORE)


def json_response(value: object, status: int = 200, headers: Headers = NO_STORE) -> Response:
    return Response(status, (("Content-Type", "application/json"), *headers), orjson.dumps(value))


def redirect(location: str, headers: Headers = ()) -> Response:
    """303, so that a form's body is never sent on (security.md S14). Raises PageRefusal for what is
    no address as it stands: it could write headers of its own (S04)."""
    if not (location.isascii() and location.isprintable()):
        raise PageRefusal("invalid_request", "The request can't be read.", "no address to go to")
    return Response(303, (("Location", location), *NO_STORE, *headers))
