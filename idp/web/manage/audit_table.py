"""An audit log as a table, of what a list is narrowed to: the page's download and the API's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
from flask import Response

from idp.directory import history
from idp.directory.history import Reader, Told, Wanted
from idp.directory.people_file import written
from idp.web import downloads

MEDIA_TYPE = "text/csv"
COLUMNS = (
    *("event", "time", "tag", "person", "email", "person_id", "client"),
    *("address", "request", "detail"),
)


def download(reader: Reader, whose: str, wanted: Wanted | None) -> Response:
    """All of it, and of None nothing. Written down before any of it is sent."""

    def answer() -> Response:
        pages = history.every_event(reader, wanted) if wanted else iter(())
        table = Response(_lines(pages), mimetype=MEDIA_TYPE)
        table.headers["Content-Disposition"] = f'attachment; filename="{whose}-audit.csv"'
        return table

    return downloads.download(whose, answer)


def _lines(pages: Iterator[list[Told]]) -> Iterator[bytes]:
    yield written([list(COLUMNS)]).encode()
    for page in pages:
        yield written([_row(told) for told in page]).encode()


def _row(told: Told) -> list[str]:
    entry = told.entry
    at = datetime.fromtimestamp(entry.at, UTC).isoformat()
    who = [told.actor, told.email, entry.actor_id or "", entry.client_id or ""]
    detail = orjson.dumps(entry.detail).decode()
    return [entry.name, at, entry.tag, *who, entry.address, entry.request_id, detail]
