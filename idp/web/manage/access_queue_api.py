"""The operators' queue of access requests, at the API."""

from __future__ import annotations

from typing import Literal

from idp.directory import access_lists, deciding
from idp.directory.access_requests import Side
from idp.directory.documents import Document
from idp.directory.operating import Operation
from idp.errors import told
from idp.web.context import provider
from idp.web.manage import access_words
from idp.web.manage.access_api import AccessLine, AccessTold, SignedCopy, line_of, request_told
from idp.web.manage.api import PLATFORM, Listing, Noun, Part, listed

api = Noun("access_queue", told("Access requests"))

REQUESTS = f"{PLATFORM}/access-requests"
REQUEST = f"{REQUESTS}/<request_id>"
NEEDS = "access.decide"


class QueueWanted(Part):
    status: Literal["submitted", "approved", "active", "refused", "withdrawn", "ended"] = (
        "submitted"
    )


@api.get(REQUESTS, told("List access requests"), needs=NEEDS)
def listing(operation: Operation, query: QueueWanted) -> Listing[AccessLine]:
    """The longest waiting first."""
    keys = provider().secret_keys
    page = access_lists.queue(operation, keys, query.status, query.cursor, query.limit)
    return listed(AccessLine, map(line_of, page.requests), page.next)


@api.get(REQUEST, told("See an access request"), needs=NEEDS)
def show(operation: Operation, request_id: str) -> AccessTold:
    """Operators decide in the console: who decides is a person, and a company's people don't."""
    found = deciding.get_request(operation, request_id)
    document = operation.rows.get(Document, found.document_id or "")
    return request_told(operation, found, Side.OPERATOR, document, ())


@api.post(f"{REQUEST}/signed", told("Take the signed form"), needs=NEEDS, status=200)
def signed(operation: Operation, request_id: str) -> SignedCopy:
    """By POST, since each reading is written down."""
    found, content = deciding.signed_form(operation, provider().secret_keys, request_id)
    return access_words.signed_download(found, content)
