"""The audit log at the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, Field

from idp.directory import history
from idp.directory.acting import Administration
from idp.directory.history import Reader, Wanted
from idp.directory.operating import Operation
from idp.errors import told
from idp.web.context import provider
from idp.web.manage.api import PLATFORM, TENANT, Answer, Listing, Moment, Noun, Part, listed

api = Noun("audit", told("Audit log"))


class EventsWanted(Part):
    tag: str = Field("", max_length=64, description=told("The beginning of a tag."))
    who: str = Field("", max_length=254, description=told("A person's e-mail address or id."))
    since: AwareDatetime | None = None
    until: AwareDatetime | None = Field(None, description=told("Events before this moment."))


class AuditEvent(Answer):
    """`seq` is its place in the chain; `detail` is what docs/operate.md says of its tag."""

    id: str
    seq: int
    at: Moment
    tag: str
    actor_id: str | None
    actor_name: str
    actor_email: str
    client_id: str | None
    address: str
    request_id: str
    detail: dict[str, Any]


@api.get(f"{TENANT}/audit-events", told("Search the company's audit log"), needs="audit.read")
def of_tenant(admin: Administration, query: EventsWanted) -> Listing[AuditEvent]:
    return _listed(_found(admin, query))


@api.get(f"{TENANT}/people/<member>/history", told("See a person's history"), needs="audit.read")
def of_person(admin: Administration, member: str, query: Part) -> Listing[AuditEvent]:
    keys = provider().secret_keys
    return _listed(history.of_person(admin, keys, member, query.cursor, query.limit))


@api.get(
    f"{PLATFORM}/audit-events", told("Search the platform's audit log"), needs="platform.audit"
)
def of_platform(operation: Operation, query: EventsWanted) -> Listing[AuditEvent]:
    return _listed(_found(operation, query))


def _found(reader: Reader, query: EventsWanted) -> history.Page:
    wanted = Wanted(query.tag, query.who, _seconds(query.since), _seconds(query.until))
    return history.events(reader, provider().secret_keys, wanted, query.cursor, query.limit)


def _listed(page: history.Page) -> Listing[AuditEvent]:
    rows = [
        {
            **each.entry._asdict(),
            "id": each.entry.name,
            "actor_name": each.actor,
            "actor_email": each.email,
        }
        for each in page.events
    ]
    return listed(AuditEvent, rows, page.next)


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
