"""The operators: they look at the request and its signed form, and decide (product.md T6)."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp.directory import documents, memberships, person_words, tenants, users
from idp.directory.access_requests import GRANTED, OPEN, AccessRequest, Action, Moved, Side, move
from idp.directory.access_steps import (
    announce,
    check_end,
    check_mistakes,
    checked_reason,
    person_of,
    record,
    take,
)
from idp.directory.acting import Forbidden, Mistake, NotFound
from idp.directory.asking import key_of
from idp.directory.documents import Content, Document
from idp.directory.memberships import Membership
from idp.directory.operating import Operation
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.errors import told
from idp.secret_values import SecretKeys, new_id

BATCH = 100
MOST_NAMED = 20
ONE_OF_THEM = told("You are one of this company's people. Somebody else has to decide.")


def get_request(operation: Operation, request_id: str) -> AccessRequest:
    """Any but a draft, which is the company's own affair. Raises NotFound."""
    request = operation.rows.get(AccessRequest, request_id)
    if request is None or request.submitted_at is None:
        raise NotFound("no request that was handed in")
    return request


class Named(NamedTuple):
    """`are_more` says that these are not all."""

    companies: list[Tenant]
    are_more: bool


def companies_named(operation: Operation, name: str) -> Named:
    """The ones that a request may mean: by name or short name, in any spelling. Anybody founds one
    of any name, so those that are confirmed stand first."""
    key = key_of(name)
    matches = sa.or_(sa.func.lower(Tenant.name) == key, Tenant.slug == key)
    order = (Tenant.confirmed_at.is_(None), Tenant.slug)
    wanted = sa.select(Tenant).where(matches).order_by(*order).limit(MOST_NAMED + 1)
    found = list(operation.rows.scalars(wanted))
    return Named(found[:MOST_NAMED], len(found) > MOST_NAMED)


def why_not(operation: Operation, request: AccessRequest) -> str:
    """Why this person may not decide about it, or nothing: nobody decides about what they asked for
    or handed in, nor about their own access, nor for a company whose people they are one of."""
    who = person_of(operation)
    if who in (request.asked_by, request.submitted_by):
        return told("You asked for this yourself. Somebody else has to decide.")
    if who == request.user_id:
        return told("This is about your own access. Somebody else has to decide.")
    if who_is_in(operation, request.tenant_id, who):
        return ONE_OF_THEM
    return ""


def _check_may_decide(operation: Operation, request: AccessRequest) -> None:
    operation.check("access.decide")
    operation.check_recent()
    reason = why_not(operation, request)
    if reason:
        raise Forbidden(reason)


def approve(
    operation: Operation,
    request_id: str,
    company: str,
    end: float | None,
    confirmed: str = "",
    *,
    second_factor: bool = False,
) -> AccessRequest:
    """`company` is the short name of the one that the request means, and `confirmed` the same once
    more if the form calls it something else; with `second_factor`, the guest needs one for what
    opens by it. The membership is there from now on, and opens nothing until it has roles. Raises
    Mistake, Forbidden, Moved."""
    request = get_request(operation, request_id)
    _check_may_decide(operation, request)
    errors: dict[str, str] = {}
    receiving = _receiving(operation, request, company, errors)
    if (
        receiving
        and not errors
        and confirmed != receiving.slug
        and is_called_else(request, receiving)
    ):
        errors["confirm"] = told("The form names another company. Confirm that this one is meant.")
    check_end(end, operation.now, errors, "end")
    if request.wanted_end is not None and (end is None or end > request.wanted_end):
        errors["end"] = told("The form was signed for a last day: choose that day or an earlier.")
    check_mistakes(errors)
    assert receiving is not None
    _check_still_sound(operation, request)
    expire(operation)
    _close_what_ended(operation, request, receiving)
    with operation.rows.begin_nested():
        before = _let_in(operation, request, receiving, end, second_factor)
    decided = {"receiving_tenant_id": receiving.id, "ends_at": end}
    decided |= {"second_factor": True} if second_factor else {}
    announce(operation, request, "access.approved", before, **decided)
    return request


def is_called_else(request: AccessRequest, company: Tenant) -> bool:
    """Than what was typed on the form."""
    return request.receiving_key not in (key_of(company.name), key_of(company.slug))


def find_company(operation: Operation, slug: str) -> Tenant | None:
    named = sa.select(Tenant).where(Tenant.slug == slug.strip().lower())
    return operation.rows.scalar(named.with_for_update(read=True))


def _receiving(
    operation: Operation, request: AccessRequest, company: str, errors: dict[str, str]
) -> Tenant | None:
    found = find_company(operation, company)
    if found is None or found.status != tenants.ACTIVE:
        errors["company"] = told("No company that is in force has this short name.")
    elif found.confirmed_at is None:
        errors["company"] = told("Nobody has confirmed that this company is who it says it is.")
    elif found.id == request.tenant_id:
        errors["company"] = told("This is the company that asks.")
    elif who_is_in(operation, found.id, person_of(operation)):
        errors["company"] = ONE_OF_THEM
    return found


def who_is_in(operation: Operation, tenant_id: str, user_id: str) -> Membership | None:
    """The membership that somebody has there, in whatever state it is, unless it has ended."""
    return operation.rows.scalar(
        sa.select(Membership).where(
            Membership.tenant_id == tenant_id,
            Membership.user_id == user_id,
            Membership.status != memberships.ENDED,
        )
    )


def _check_still_sound(operation: Operation, request: AccessRequest) -> None:
    """What was so when it was asked may have changed. Neither company ends before this is decided,
    or else it is seen here. Raises Mistake."""
    person = operation.rows.get(User, request.user_id)
    asking = operation.rows.get(Tenant, request.tenant_id, with_for_update={"read": True})
    home = who_is_in(operation, request.tenant_id, request.user_id)
    if asking is None or asking.status != tenants.ACTIVE:
        raise Mistake(request=told("The company that asks is suspended."))
    if person is None or person.status != users.ACTIVE:
        raise Mistake(request=told("The person is disabled."))
    if home is None or home.source != memberships.HOME or home.status != memberships.ACTIVE:
        raise Mistake(request=told("The person no longer works at the company that asks."))


def _close_what_ended(operation: Operation, request: AccessRequest, receiving: Tenant) -> None:
    """An earlier access of the same person there, which ended: its place is free."""
    over = sa.select(AccessRequest.id).where(AccessRequest.status.not_in(GRANTED))
    operation.rows.execute(
        sa.update(Membership)
        .where(
            Membership.user_id == request.user_id,
            Membership.tenant_id == receiving.id,
            Membership.source == memberships.CROSS_TENANT,
            Membership.access_request_id.in_(over),
        )
        .values(status=memberships.ENDED)
        .execution_options(synchronize_session=False)
    )


def _let_in(
    operation: Operation,
    request: AccessRequest,
    receiving: Tenant,
    end: float | None,
    second_factor: bool,
) -> str:
    """The status before; the membership is there with the decision, or neither is."""
    changed = {
        "receiving_tenant_id": receiving.id,
        "decided_by": person_of(operation),
        "decided_at": operation.now,
        "ends_at": end,
        "second_factor": second_factor,
    }
    before = move(operation.rows, request, Action.APPROVE, operation.now, **changed)
    membership = Membership(
        id=new_id(),
        user_id=request.user_id,
        tenant_id=receiving.id,
        kind="staff",
        source=memberships.CROSS_TENANT,
        access_request_id=request.id,
        only_products=request.products,
        ends_at=end,
        created_at=operation.now,
    )
    operation.rows.add(membership)
    try:
        operation.rows.flush()
    except sa.exc.IntegrityError:
        raise Mistake(
            request=told("The person is in that company already. Refuse this, and say so.")
        ) from None
    person_words.keep(operation.db, request.user_id)
    request.membership_id = membership.id
    return before


def refuse(operation: Operation, request_id: str, reason: str) -> AccessRequest:
    """The company that asked reads the reason. Raises Mistake, Forbidden, Moved."""
    request = get_request(operation, request_id)
    _check_may_decide(operation, request)
    errors: dict[str, str] = {}
    text = checked_reason(reason, errors)
    check_mistakes(errors)
    changed = {
        "decided_by": person_of(operation),
        "decided_at": operation.now,
        "decision_reason": text,
    }
    take(operation, request, Action.REFUSE, "access.refused", changed, reason=text)
    return request


def end(operation: Operation, request_id: str) -> AccessRequest:
    operation.check("access.decide")
    operation.check_recent()
    who, request = person_of(operation), get_request(operation, request_id)
    changed = {"ended_by": who, "ended_at": operation.now, "ended_side": Side.OPERATOR}
    take(operation, request, Action.END, "access.ended", changed)
    return request


def expire(operation: Operation) -> None:
    """Write down what its date has ended, and have it told; it was over before, and nobody did
    it."""
    due = sa.select(AccessRequest).where(
        AccessRequest.status.in_(GRANTED), AccessRequest.ends_at <= operation.now
    )
    for request in operation.rows.scalars(due.order_by(AccessRequest.ends_at).limit(BATCH)).all():
        _close(operation, request)


def end_some_of(operation: Operation, tenant_id: str, most: int) -> int:
    """What is open between a company that has ended and others, whichever side it is on: what was
    granted ends, and what it still asks for is withdrawn. How many requests that were."""
    either = sa.or_(
        AccessRequest.tenant_id == tenant_id, AccessRequest.receiving_tenant_id == tenant_id
    )
    is_open = sa.select(AccessRequest).where(either, AccessRequest.status.in_(OPEN))
    found = operation.rows.scalars(is_open.order_by(AccessRequest.id).limit(most)).all()
    for request in found:
        _close(operation, request)
    return len(found)


def _close(operation: Operation, request: AccessRequest) -> None:
    """Unless somebody did meanwhile."""
    is_granted = request.status in GRANTED
    by = {"ended_by": operation.actor.user_id, "ended_at": operation.now}
    by["ended_side"] = Side.OPERATOR
    try:
        if request.status_now(operation.now) == request.status:
            action = Action.END if is_granted else Action.WITHDRAW
            tag = "access.ended" if is_granted else "access.withdrawn"
            take(operation, request, action, tag, by)
        else:
            due = {"ended_at": request.ends_at, "ended_side": Side.DATE}
            take(operation.by_nobody(), request, Action.EXPIRE, "access.ended", due)
    except Moved:
        return


def signed_form(
    operation: Operation, keys: SecretKeys, request_id: str
) -> tuple[AccessRequest, Content]:
    """Raises NotFound."""
    operation.check("access.decide")
    request = get_request(operation, request_id)
    document = operation.rows.get(Document, request.document_id or "")
    if document is None:
        raise NotFound("no form was uploaded")
    same = {"sha256": document.sha256}
    record(operation, "access.form_read", request, {}, same)
    return request, documents.content_of(keys, document)
