"""Who is written to when an access request has moved: whoever asked, the person it is about, the
admins of the company that is entered, and the operators when one waits for them.

Written by the worker, from the rows as they then are: the transaction of a company can't see the
other company's people, and need not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import outbox
from idp.database import Connection
from idp.directory import access_requests, readers, users
from idp.directory.access_requests import AccessRequest
from idp.directory.readers import Reader
from idp.directory.tenants import Tenant, called
from idp.directory.users import User

RECEIVE = "access.receive"
TO_RECEIVING_ADMINS = (access_requests.APPROVED, access_requests.ENDED)


class Concerned(NamedTuple):
    """A request with all that a letter says."""

    id: str
    asking: str
    asking_slug: str
    receiving: str | None
    receiving_slug: str | None
    receiving_name: str
    receiving_tenant_id: str | None
    user_id: str
    person: str
    asked_by: str
    reason: str | None
    ends_at: float | None
    membership_id: str | None
    configured_at: float | None


_receiving, _subject = sa.orm.aliased(Tenant), sa.orm.aliased(User)
_REQUEST = (
    sa.select(
        AccessRequest.id,
        Tenant.name,
        Tenant.slug,
        _receiving.name,
        _receiving.slug,
        AccessRequest.receiving_name,
        AccessRequest.receiving_tenant_id,
        AccessRequest.user_id,
        _subject.name,
        AccessRequest.asked_by,
        AccessRequest.decision_reason,
        AccessRequest.ends_at,
        AccessRequest.membership_id,
        AccessRequest.configured_at,
    )
    .select_from(AccessRequest)
    .join(Tenant, Tenant.id == AccessRequest.tenant_id)
    .outerjoin(_receiving, _receiving.id == AccessRequest.receiving_tenant_id)
    .join(_subject, _subject.id == AccessRequest.user_id)
    .where(AccessRequest.id == sa.bindparam("request_id"))
)
_BY_ID = sa.select(*readers.COLUMNS).where(
    User.id == sa.bindparam("user_id"), User.status == sa.literal_column(f"'{users.ACTIVE}'")
)


def find(db: Connection, request_id: str) -> Concerned | None:
    row = db.row(_REQUEST, request_id=request_id)
    return Concerned._make(row) if row else None


def write(db: Connection, concerned: Concerned, step: str, issuer: str, now: float) -> None:
    """A letter to each who is to know of `step`, the status that the request came to."""
    for role, reader in _readers(db, concerned, step, now):
        letter: dict[str, Any] = {
            "template": "access",
            "to": reader.email,
            "name": reader.name,
            "locale": reader.locale,
            "step": step,
            "role": role,
            "person_name": concerned.person,
            "asking": called(concerned.asking, concerned.asking_slug),
            "receiving": _company(concerned),
            "reason": concerned.reason if role == "asker" else None,
            "ends_on": concerned.ends_at,
            "url": _url(concerned, role, issuer),
        }
        outbox.enqueue(db, outbox.LETTER, letter, now)


def _readers(
    db: Connection, concerned: Concerned, step: str, now: float
) -> Iterator[tuple[str, Reader]]:
    """Each once, by what concerns them most."""
    written: set[str] = set()
    asker = _read(db, _BY_ID, user_id=concerned.asked_by)
    person = _read(db, _BY_ID, user_id=concerned.user_id)
    groups = [("asker", asker), ("person", person)]
    if step in TO_RECEIVING_ADMINS and concerned.receiving_tenant_id:
        admins = readers.who_may(db, concerned.receiving_tenant_id, RECEIVE, now)
        groups.append(("admin", admins))
    if step == access_requests.SUBMITTED:
        groups.append(("operator", readers.operators(db)))
    for role, group in groups:
        for reader in group:
            if reader.id not in written:
                written.add(reader.id)
                yield role, reader


def _read(db: Connection, statement: sa.Executable, **values: Any) -> list[Reader]:
    return [Reader._make(row) for row in db.rows(statement, **values)]


def _company(concerned: Concerned) -> str:
    """As it was typed, until an operator has said which company that is."""
    if concerned.receiving is None or concerned.receiving_slug is None:
        return concerned.receiving_name
    return called(concerned.receiving, concerned.receiving_slug)


def _url(concerned: Concerned, role: str, issuer: str) -> str:
    places = {
        "asker": f"/manage/{concerned.asking_slug}/access/{concerned.id}",
        "admin": f"/manage/{concerned.receiving_slug}/access/{concerned.id}",
        "operator": f"/operate/access/{concerned.id}",
    }
    return issuer + places.get(role, "/account")
