"""The audit log at the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from flask import Response
from pydantic import AwareDatetime, Field

from idp.directory import history
from idp.directory.acting import Administration
from idp.directory.history import Reader, Told, Wanted
from idp.directory.operating import Operation
from idp.errors import told
from idp.web.context import provider
from idp.web.manage import audit_evidence, audit_table
from idp.web.manage.api import (
    PLATFORM,
    TENANT,
    Answer,
    Download,
    Listing,
    Moment,
    Noun,
    Part,
    listed,
)
from idp.web.manage.json_reading import Sent

api = Noun("audit", told("Audit log"))


Evidence = Annotated[Response, Download((audit_evidence.MEDIA_TYPE,))]
Table = Annotated[Response, Download((audit_table.MEDIA_TYPE,))]


class Narrowed(Sent):
    tag: str = Field("", max_length=64, description=told("The beginning of a tag."))
    who: str = Field("", max_length=254, description=told("A person's e-mail address or id."))
    since: AwareDatetime | None = None
    until: AwareDatetime | None = Field(None, description=told("Events before this moment."))


class EventsWanted(Narrowed, Part):
    """A part of what it is narrowed to."""


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


@api.get(f"{TENANT}/audit-events/<event>", told("See an audit event"), needs="audit.read")
def one_of_tenant(admin: Administration, event: str) -> AuditEvent:
    return _told(history.event(admin, event))


@api.get(f"{PLATFORM}/audit-events/<event>", told("See an audit event"), needs="platform.audit")
def one_of_platform(operation: Operation, event: str) -> AuditEvent:
    return _told(history.event(operation, event))


@api.get(f"{TENANT}/audit-table", told("Export the audit log as a table"), needs="audit.read")
def table_of_tenant(admin: Administration, query: Narrowed) -> Table:
    return audit_table.download(admin, admin.tenant.slug, _wanted(query))


@api.get(f"{PLATFORM}/audit-table", told("Export the audit log as a table"), needs="platform.audit")
def table_of_platform(operation: Operation, query: Narrowed) -> Table:
    return audit_table.download(operation, "platform", _wanted(query))


@api.get(f"{TENANT}/audit-evidence", told("Export the audit log with proof"), needs="audit.read")
def evidence_of_tenant(admin: Administration) -> Evidence:
    return audit_evidence.download(admin, admin.tenant.slug)


@api.get(
    f"{PLATFORM}/audit-evidence", told("Export the audit log with proof"), needs="platform.audit"
)
def evidence_of_platform(operation: Operation) -> Evidence:
    return audit_evidence.download(operation, "platform")


def _found(reader: Reader, query: EventsWanted) -> history.Page:
    keys = provider().secret_keys
    return history.events(reader, keys, _wanted(query), query.cursor, query.limit)


def _wanted(query: Narrowed) -> Wanted:
    return Wanted(query.tag, query.who, _seconds(query.since), _seconds(query.until))


def _listed(page: history.Page) -> Listing[AuditEvent]:
    return listed(AuditEvent, map(_told, page.events), page.next)


def _told(found: Told) -> AuditEvent:
    names = {"id": found.entry.name, "actor_name": found.actor, "actor_email": found.email}
    return AuditEvent.model_validate({**found.entry._asdict(), **names})


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
