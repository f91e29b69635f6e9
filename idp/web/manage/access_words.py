"""What the pages about access say: statuses, a request's history, days, and files to download."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from flask import Response, g
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from idp.directory import access_timeline
from idp.directory.access_requests import AccessRequest, Side
from idp.directory.access_timeline import Event
from idp.directory.acting import Administration, Mistake
from idp.directory.documents import Content
from idp.directory.operating import Operation
from idp.errors import told
from idp.web.manage import filled_in

NOTHING_TYPED: dict[str, Any] = {
    **dict.fromkeys(("email", "company", "reason", "end"), ""),
    "products": [],
}
STATUSES = {
    "draft": lazy_gettext("Form not uploaded"),
    "submitted": lazy_gettext("With the operators"),
    "approved": lazy_gettext("Approved, no roles yet"),
    "active": lazy_gettext("Open"),
    "refused": lazy_gettext("Refused"),
    "withdrawn": lazy_gettext("Withdrawn"),
    "ended": lazy_gettext("Ended"),
}
WHAT = {
    "asked": lazy_gettext("Asked for"),
    "submitted": lazy_gettext("Signed form uploaded"),
    "approved": lazy_gettext("Approved"),
    "refused": lazy_gettext("Refused"),
    "set_up": lazy_gettext("Roles given, access open"),
    "withdrawn": lazy_gettext("Withdrawn"),
    "ended": lazy_gettext("Ended"),
}


class Line(NamedTuple):
    """One event, in words. `by` is a person or a party; a date has none."""

    what: Any
    by: str
    at: float
    note: str | None
    until: float | None


def timeline(by: Administration | Operation, request: AccessRequest, viewer: Side) -> list[Line]:
    events = access_timeline.events(request, viewer, by.now)
    names = access_timeline.names(by.rows, (event.person_id for event in events))
    return [
        Line(WHAT[event.what], _party(event, names), event.at, event.note, event.until)
        for event in events
    ]


def _party(event: Event, names: dict[str, str]) -> str:
    parties: dict[Side, str] = {
        Side.ASKING: _("The company that asks"),
        Side.RECEIVING: _("The company that is entered"),
        Side.OPERATOR: _("An operator"),
        Side.DATE: _("By its date"),
    }
    return names.get(event.person_id or "", parties[event.party])


def names_in(by: Administration | Operation, request: AccessRequest) -> dict[str, str]:
    return access_timeline.names(by.rows, (request.user_id, request.asked_by))


def read_day(claimed: str) -> float | None:
    """The end of a day in UTC, from a date as the field sends it; None for no day. Raises
    Mistake."""
    if not claimed.strip():
        return None
    end = filled_in.day(claimed, after=1)
    if end is None:
        raise Mistake(end=told("Enter a day as year-month-day, like 2027-01-31."))
    return end


def signed_download(request: AccessRequest, content: Content) -> Response:
    name = f"{request.id}-signed.{content.extension}"
    return download(content.data, content.content_type, name)


def download(data: bytes, content_type: str, name: str) -> Response:
    """To be saved and never shown by us: whatever is in it can do nothing here (S70)."""
    answer = Response(data, content_type=content_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["Cache-Control"] = "no-store"
    g.own_policy = "default-src 'none'; sandbox"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def field_day(end: float) -> str:
    """The same as a date field holds it."""
    return datetime.fromtimestamp(end - 1, UTC).date().isoformat()
