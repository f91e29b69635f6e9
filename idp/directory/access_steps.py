"""What every step of an access request has in common: a person takes it, all who are concerned hear
of it, and the logs of both companies and of the platform tell it.
"""

from __future__ import annotations

from typing import Any

from idp import audit, outbox
from idp.audit import NOWHERE
from idp.database import Connection
from idp.directory.access_requests import AccessRequest, Action, Side, move
from idp.directory.acting import Administration, Forbidden, Mistake, NotFound
from idp.directory.operating import Operation
from idp.errors import told

MESSAGE = "access_request"  # the outbox's kind: who is to be told, and what is to be ended
MAX_REASON = 1000
NEEDED = {Side.ASKING: "access.request", Side.RECEIVING: "access.receive"}
OWN_ACTIONS = {
    Side.ASKING: (Action.SUBMIT, Action.WITHDRAW, Action.END),
    Side.RECEIVING: (Action.SET_UP, Action.END),
}
LONGEST = 5 * 366 * 86400.0


def person_of(by: Administration | Operation) -> str:
    """A step is somebody's, so that nobody takes two that must not be one person's. Raises
    Forbidden for a machine."""
    if by.actor.user_id is None:
        raise Forbidden("a person has to do this")
    return by.actor.user_id


def get_asked(admin: Administration, request_id: str) -> AccessRequest:
    """One that this tenant asked. Raises NotFound."""
    request = admin.get(AccessRequest, request_id)
    if request.tenant_id != admin.tenant.id:
        raise NotFound("asked by another tenant")
    return request


def get_received(admin: Administration, request_id: str) -> AccessRequest:
    """One that was approved for this tenant. Raises NotFound."""
    request = admin.get(AccessRequest, request_id)
    if request.receiving_tenant_id != admin.tenant.id:
        raise NotFound("for another tenant")
    return request


def sides_of(admin: Administration) -> list[Side]:
    """Which they may see of this company's. Raises Forbidden."""
    sides = [side for side, needed in NEEDED.items() if admin.may(needed)]
    if not sides:
        raise Forbidden("neither access.request nor access.receive")
    return sides


def get_of_either(admin: Administration, request_id: str) -> tuple[AccessRequest, Side]:
    """The request, and the side that this company is of it. Raises NotFound."""
    for side, get in ((Side.ASKING, get_asked), (Side.RECEIVING, get_received)):
        if admin.may(NEEDED[side]):
            try:
                return get(admin, request_id), side
            except NotFound:
                continue
    raise NotFound("no request of this company, for who asks")


def checked_reason(claimed: str, errors: dict[str, str]) -> str:
    text = claimed.strip()
    if not text:
        errors["reason"] = told("Say why.")
    elif len(text) > MAX_REASON:
        errors["reason"] = told("Say it in at most 1,000 characters.")
    return text


def check_end(end: float | None, now: float, errors: dict[str, str], field: str) -> None:
    if end is not None and not now < end <= now + LONGEST:
        errors[field] = told("Choose a day after today, in the next five years.")


def check_mistakes(errors: dict[str, str]) -> None:
    """Raises Mistake."""
    if errors:
        raise Mistake(**errors)


def take(
    by: Administration | Operation,
    request: AccessRequest,
    action: Action,
    tag: str,
    changed: dict[str, Any],
    **detail: Any,
) -> None:
    """Move it, write it down and have everybody told, in one transaction. Raises Moved."""
    before = move(by.rows, request, action, by.now, **changed)
    announce(by, request, tag, before, **detail)


def announce(
    by: Administration | Operation, request: AccessRequest, tag: str, before: str, **detail: Any
) -> None:
    """Once nothing can undo the move any more: the log is no part of a savepoint."""
    record(by, tag, request, {"status": before}, {"status": request.status, **detail})
    tell(by.db, request, by.now)


def tell(db: Connection, request: AccessRequest, now: float) -> None:
    outbox.enqueue(db, MESSAGE, {"request": request.id, "step": request.status}, now)


def record(
    by: Administration | Operation,
    tag: str,
    request: AccessRequest,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    """In the log of each company and of the platform. A company hears of the other's and of the
    operators' steps that they were taken, and not by whom, from where or with what."""
    own = by.tenant.id if isinstance(by, Administration) else None
    subject = {"request": request.id, "person": request.user_id}
    for tenant in sorted({request.tenant_id, request.receiving_tenant_id, None}, key=str):
        if tenant in (own, None):
            _record_fully(by, tag, tenant, {**subject, "before": before, "after": after})
        else:
            seen: dict[str, Any] = {
                "before": {"status": before.get("status")},
                "after": {"status": request.status},
            }
            audit.record(by.db, tag, by.now, NOWHERE, tenant=tenant, **{**subject, **seen})


def _record_fully(
    by: Administration | Operation, tag: str, tenant: str | None, detail: dict[str, Any]
) -> None:
    if isinstance(by, Administration) and by.actor.visit_id:
        detail["visit"] = by.actor.visit_id
    audit.record(
        *(by.db, tag, by.now, by.origin),
        actor=by.actor.user_id,
        tenant=tenant,
        client=by.actor.client_id,
        **detail,
    )
