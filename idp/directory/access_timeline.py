"""What happened to an access request, as each side may know it.

A company sees its own people by name, and of the other company and of the operators only that they
did something. What led to an approval is the affair of who asked, and of the operators.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp.directory.access_requests import REFUSED, WITHDRAWN, AccessRequest, Side
from idp.directory.users import User


class Event(NamedTuple):
    """`party` did `what` at `at`; `person_id` says who it was, to those who may know. `note` is
    the reason of a refusal; `until` the end that came with an approval."""

    what: str
    at: float
    party: Side
    person_id: str | None = None
    note: str | None = None
    until: float | None = None


def events(request: AccessRequest, viewer: Side, now: float) -> list[Event]:
    """In the order in which they happened."""
    told = [_as_known(event, viewer) for event in _all(request, now) if _is_for(event, viewer)]
    return sorted(told, key=lambda event: event.at)


def _all(request: AccessRequest, now: float) -> Iterable[Event]:
    yield Event("asked", request.asked_at, Side.ASKING, request.asked_by)
    if request.submitted_at is not None:
        yield Event("submitted", request.submitted_at, Side.ASKING, request.submitted_by)
    if request.decided_at is not None:
        yield _decision(request, request.decided_at)
    if request.configured_at is not None:
        yield Event("set_up", request.configured_at, Side.RECEIVING, request.configured_by)
    if request.ended_at is not None:
        what = "withdrawn" if request.status == WITHDRAWN else "ended"
        yield Event(what, request.ended_at, Side(request.ended_side or Side.DATE), request.ended_by)
    elif request.ends_at is not None and request.ends_at <= now:
        yield Event("ended", request.ends_at, Side.DATE)


def _decision(request: AccessRequest, at: float) -> Event:
    what = "refused" if request.status == REFUSED else "approved"
    return Event(
        *(what, at, Side.OPERATOR, request.decided_by, request.decision_reason),
        until=request.ends_at,
    )


def _is_for(event: Event, viewer: Side) -> bool:
    return viewer != Side.RECEIVING or event.what not in ("submitted", "refused", "withdrawn")


def _as_known(event: Event, viewer: Side) -> Event:
    if viewer in (Side.OPERATOR, event.party):
        return event
    return event._replace(person_id=None)


def names(rows: Session, person_ids: Iterable[str | None]) -> dict[str, str]:
    """Of people, by id."""
    wanted = {each for each in person_ids if each}
    found = rows.execute(sa.select(User.id, User.name, User.email).where(User.id.in_(wanted)))
    return {user_id: name or email for user_id, name, email in found}
