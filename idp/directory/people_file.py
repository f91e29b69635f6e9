"""A file of people: lines of e-mail address, kind and roles, as a spreadsheet saves them.

The first line names the columns, in any order; `email` is a must. What `kind` and `roles` leave
empty is staff, and no roles; several roles are separated by spaces, commas or semicolons. Names are
the people's own to choose, so a column of them is read over, like any other.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from idp.directory.acting import Mistake
from idp.errors import told

MAX_BYTES = 4 * 1024 * 1024
MAX_LINES = 20_000
MAX_FIELD = 1000
COLUMNS = ("email", "kind", "roles")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Line(NamedTuple):
    """`number` is the line's in the file, where the heading is line 1. `roles` are keys."""

    number: int
    email: str
    kind: str
    roles: list[str]


def read(data: bytes) -> list[Line]:
    """UTF-8, by commas or semicolons. Raises Mistake."""
    if len(data) > MAX_BYTES:
        raise Mistake(file=told("The file is too large: 4 MB at most."))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Mistake(file=told("The file is not text in UTF-8.")) from None
    try:
        lines = list(_lines(text))
    except csv.Error:
        raise Mistake(file=told("The file can't be read as CSV.")) from None
    if not lines:
        raise Mistake(file=told("There is nobody in the file."))
    return lines


def _lines(text: str) -> Iterator[Line]:
    if "\x00" in text:
        raise csv.Error
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names = [(name or "").strip().casefold() for name in rows.fieldnames or ()]
    if "email" not in names or len(set(names)) != len(names):
        words = told("The first line must name the columns, email among them, once each.")
        raise Mistake(file=words)
    rows.fieldnames = names
    for count, row in enumerate(rows):
        if count >= MAX_LINES:
            raise Mistake(file=told("The file is too long: 20,000 people at most."))
        field = {name: (row.get(name) or "").strip()[:MAX_FIELD] for name in COLUMNS}
        if any(field.values()):
            roles = [key for key in re.split(r"[\s,;]+", field["roles"]) if key]
            yield Line(rows.line_num, field["email"], field["kind"].casefold() or "staff", roles)


def written(rows: Iterable[Iterable[str]]) -> str:
    """CSV in which nothing is a formula to the program that opens it (security.md S70)."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([_inert(field) for field in row] for row in rows)
    return text.getvalue()


def _inert(field: str) -> str:
    return f"'{field}" if field.startswith(FORMULA) else field
