"""The operators' queue of access requests, at the API."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from flask_babel import gettext
from pydantic import AwareDatetime, Field

from idp.directory import access_lists, deciding
from idp.directory.access_requests import AccessRequest, Action, Side
from idp.directory.documents import Document
from idp.directory.operating import Operation
from idp.errors import told
from idp.web.context import provider
from idp.web.manage import access_words
from idp.web.manage.access_api import AccessLine, AccessTold, SignedCopy, line_of, request_told
from idp.web.manage.api import PLATFORM, Answer, Listing, Moment, Noun, Part, listed
from idp.web.manage.json_reading import Sent

api = Noun("access_queue", told("Access requests"))

REQUESTS = f"{PLATFORM}/access-requests"
REQUEST = f"{REQUESTS}/<request_id>"
NEEDS = "access.decide"
ACTIONS = (Action.APPROVE, Action.REFUSE, Action.END)


class QueueWanted(Part):
    status: Literal["submitted", "approved", "active", "refused", "withdrawn", "ended"] = (
        "submitted"
    )


class CompanyNamed(Answer):
    slug: str
    name: str
    confirmed_at: Moment | None


class QueueTold(AccessTold):
    """`named` are the companies that the form may mean, the confirmed ones first, and
    `are_more_named` whether there are more of them. `why_not` says why the person who asks may
    not decide about it."""

    named: list[CompanyNamed]
    are_more_named: bool
    why_not: str | None


class Approval(Sent):
    example: ClassVar[dict[str, Any]] = {"company": "harbor", "end": "2027-06-30T00:00:00Z"}

    company: str = Field(max_length=120, description=told("The short name of the one to enter."))
    end: AwareDatetime | None = Field(None, description=told("When it is to end by itself."))
    confirm: str = Field(
        "", max_length=120, description=told("The short name again, if the form has another name.")
    )
    second_factor: bool = Field(
        False, description=told("Whether the guest needs a second factor for what opens by it.")
    )


class AccessRefusal(Sent):
    example: ClassVar[dict[str, Any]] = {"reason": "The form is not signed."}

    reason: str = Field(max_length=4000, description=told("The company that asked reads it."))


@api.get(REQUESTS, told("List access requests"), needs=NEEDS)
def listing(operation: Operation, query: QueueWanted) -> Listing[AccessLine]:
    """The longest waiting first."""
    keys = provider().secret_keys
    page = access_lists.queue(operation, keys, query.status, query.cursor, query.limit)
    return listed(AccessLine, map(line_of, page.requests), page.next)


@api.get(REQUEST, told("See an access request"), needs=NEEDS)
def show(operation: Operation, request_id: str) -> QueueTold:
    return _told(operation, deciding.get_request(operation, request_id))


@api.post(f"{REQUEST}/approve", told("Approve an access request"), NEEDS, 200, is_for_people=True)
def approve(operation: Operation, request_id: str, body: Approval) -> QueueTold:
    """The membership is there from then on, and opens nothing until it has roles. Nobody decides
    about what they asked for, about themselves, or for a company of their own."""
    end = None if body.end is None else body.end.timestamp()
    approved = deciding.approve(
        operation,
        request_id,
        body.company,
        end,
        body.confirm,
        second_factor=body.second_factor,
    )
    return _told(operation, approved)


@api.post(f"{REQUEST}/refuse", told("Refuse an access request"), NEEDS, 200, is_for_people=True)
def refuse(operation: Operation, request_id: str, body: AccessRefusal) -> QueueTold:
    return _told(operation, deciding.refuse(operation, request_id, body.reason))


@api.post(f"{REQUEST}/end", told("End an access"), NEEDS, 200, is_for_people=True)
def end(operation: Operation, request_id: str) -> QueueTold:
    """At once. Whoever operates may end one, also one that they may not decide about."""
    return _told(operation, deciding.end(operation, request_id))


@api.post(f"{REQUEST}/signed", told("Take the signed form"), needs=NEEDS, status=200)
def signed(operation: Operation, request_id: str) -> SignedCopy:
    """By POST, since each reading is written down."""
    found, content = deciding.signed_form(operation, provider().secret_keys, request_id)
    return access_words.signed_download(found, content)


def _told(operation: Operation, request: AccessRequest) -> QueueTold:
    document = operation.rows.get(Document, request.document_id or "")
    whole = request_told(operation, request, Side.OPERATOR, document, ACTIONS)
    is_person = operation.actor.user_id is not None
    why_not = deciding.why_not(operation, request) if is_person else ""
    named = deciding.companies_named(operation, request.receiving_name)
    more = {"named": named.companies, "are_more_named": named.are_more}
    more |= {"why_not": gettext(why_not) if why_not else None}
    return QueueTold.model_validate({**whole.model_dump(), **more})
