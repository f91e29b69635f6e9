"""Access to other companies and from them, at the API. A person takes each step."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from flask import Response
from pydantic import AwareDatetime, Field

from idp.directory import access_lists, access_timeline, asking, documents, receiving
from idp.directory.access_lists import Listed
from idp.directory.access_requests import AccessRequest, Action, Side
from idp.directory.access_steps import (
    OWN_ACTIONS,
    get_asked,
    get_of_either,
    get_received,
    sides_of,
)
from idp.directory.acting import Administration
from idp.directory.asking import Asked
from idp.directory.document_kinds import JPEG, MAX_BYTES, PDF, PNG, Unacceptable
from idp.directory.documents import Document, Sound
from idp.directory.operating import Operation
from idp.errors import told
from idp.web.context import catalog, provider
from idp.web.manage import access_form, access_words
from idp.web.manage.api import (
    TENANT,
    Answer,
    Download,
    Listing,
    Moment,
    Noun,
    Part,
    Upload,
    listed,
)
from idp.web.manage.json_reading import Sent
from idp.web.manage.people_api import Kind

api = Noun("access", told("Access across companies"))

REQUESTS = f"{TENANT}/access-requests"
REQUEST = f"{REQUESTS}/<request_id>"
ASKS, RECEIVES = "access.request", "access.receive"
SEES = (ASKS, RECEIVES)
FORMS = (PDF.content_type, PNG.content_type, JPEG.content_type)

Status = Literal["draft", "submitted", "approved", "active", "refused", "withdrawn", "ended"]
Form = Annotated[Response, Download((PDF.content_type,))]
SignedForm = Annotated[
    Sound | Unacceptable, Upload(FORMS, MAX_BYTES, asking.check_may_submit, documents.looked_at)
]
SignedCopy = Annotated[Response, Download(FORMS)]


class RequestsWanted(Part):
    side: Literal["asking", "receiving"] | None = Field(
        None, description=told("People of this company elsewhere, or people from elsewhere here.")
    )
    status: Status | None = None


class AccessLine(Answer):
    """`company` is the one to enter: as it was typed, and without a slug, until an operator has
    said which it is."""

    id: str
    status: str
    name: str
    email: str
    asking: str
    asking_slug: str
    company: str
    company_slug: str | None
    products: list[str]
    asked_at: Moment


class AccessEvent(Answer):
    """`party` did `what`; `person` says who it was, to those who may know."""

    what: str
    at: Moment
    party: str
    person: str | None
    note: str | None
    until: Moment | None


class SignedFormTold(Answer):
    content_type: str
    size: int
    sha256: str


class AccessTold(AccessLine):
    """`may` names the steps that this side can take next. The company that is entered is told of
    no signed form."""

    side: str
    user_id: str
    reason: str
    wanted_end: Moment | None
    ends_at: Moment | None
    second_factor: bool
    may: list[str]
    signed_form: SignedFormTold | None
    timeline: list[AccessEvent]


class NewRequest(Sent):
    example: ClassVar[dict[str, Any]] = {
        "email": "ben@northwind.example",
        "company": "Harbor Credit Union",
        "products": ["lms"],
        "reason": "Covers for a colleague.",
    }

    email: str = Field(max_length=320, description=told("Of one of the company's own people."))
    company: str = Field(max_length=1000, description=told("The name of the company to enter."))
    products: list[str] = Field(max_length=200)
    reason: str = Field(max_length=4000)
    end: AwareDatetime | None = Field(None, description=told("When it is to end by itself."))


class SetUp(Sent):
    """What the person is here, and all roles that they get."""

    example: ClassVar[dict[str, Any]] = {"kind": "staff", "roles": ["agent"]}

    kind: Kind = "staff"
    roles: list[str] = Field(max_length=200, description=told("Keys of roles."))


class Offered(Answer):
    id: str
    key: str
    name: str


@api.get(REQUESTS, told("List access requests"), needs=SEES)
def listing(admin: Administration, query: RequestsWanted) -> Listing[AccessLine]:
    side = Side(query.side) if query.side else sides_of(admin)[0]
    page = access_lists.of_tenant(
        *(admin, provider().secret_keys, side, query.status or "", query.cursor, query.limit)
    )
    return listed(AccessLine, map(line_of, page.requests), page.next)


@api.post(REQUESTS, told("Ask for access to another company"), needs=ASKS, is_for_people=True)
def ask(admin: Administration, body: NewRequest) -> AccessTold:
    """A draft, until its signed form is there."""
    end = None if body.end is None else body.end.timestamp()
    asked = Asked(body.email, body.company, tuple(body.products), body.reason, end)
    return _told(admin, asking.ask(admin, asked), Side.ASKING)


@api.get(REQUEST, told("See an access request"), needs=SEES)
def show(admin: Administration, request_id: str) -> AccessTold:
    return _told(admin, *get_of_either(admin, request_id))


@api.get(f"{REQUEST}/form", told("Take the form to print and sign"), needs=ASKS)
def form(admin: Administration, request_id: str) -> Form:
    found = get_asked(admin, request_id)
    names = access_words.names_in(admin, found)
    products = {product.key: product.name for product in catalog().products.values()}
    pdf = access_form.drawn(access_lists.one(admin, found), names, products)
    return access_words.download(pdf, PDF.content_type, f"{found.id}.pdf")


@api.post(
    f"{REQUEST}/upload",
    told("Send the signed form, and the request to the operators"),
    needs=ASKS,
    status=200,
    is_for_people=True,
)
def upload(admin: Administration, request_id: str, data: SignedForm) -> AccessTold:
    """What it is, is told by its content."""
    found = asking.submit(admin, provider().secret_keys, request_id, data)
    return _told(admin, found, Side.ASKING)


@api.post(f"{REQUEST}/signed", told("Take the signed form"), needs=ASKS, status=200)
def signed(admin: Administration, request_id: str) -> SignedCopy:
    """By POST, since each reading is written down."""
    return access_words.signed_download(
        *asking.signed_form(admin, provider().secret_keys, request_id)
    )


@api.post(
    f"{REQUEST}/withdraw",
    told("Take an access request back"),
    needs=ASKS,
    status=200,
    is_for_people=True,
)
def withdraw(admin: Administration, request_id: str) -> AccessTold:
    return _told(admin, asking.withdraw(admin, request_id), Side.ASKING)


@api.get(f"{REQUEST}/roles", told("List the roles that can be given"), needs=RECEIVES)
def offered(admin: Administration, request_id: str) -> Listing[Offered]:
    get_received(admin, request_id)
    return listed(Offered, receiving.assignable(admin))


@api.post(
    f"{REQUEST}/roles",
    told("Give roles to who was let in"),
    needs=RECEIVES,
    status=200,
    is_for_people=True,
)
def set_up(admin: Administration, request_id: str, body: SetUp) -> AccessTold:
    """The access is open from then on."""
    ids = {role.key: role.id for role in receiving.assignable(admin)}
    wanted = [ids.get(key, key) for key in body.roles]
    found = receiving.set_up(admin, request_id, body.kind, wanted)
    return _told(admin, found, Side.RECEIVING)


@api.post(f"{REQUEST}/end", told("End an access"), needs=SEES, status=200, is_for_people=True)
def end(admin: Administration, request_id: str) -> AccessTold:
    """By either company."""
    found, side = get_of_either(admin, request_id)
    (asking if side == Side.ASKING else receiving).end(admin, found.id)
    return _told(admin, found, side)


def _told(admin: Administration, request: AccessRequest, side: Side) -> AccessTold:
    has_form = side == Side.ASKING and request.document_id
    document = admin.get(Document, request.document_id or "") if has_form else None
    return request_told(admin, request, side, document, OWN_ACTIONS[side])


def request_told(
    by: Administration | Operation,
    request: AccessRequest,
    side: Side,
    document: Document | None,
    actions: tuple[Action, ...],
) -> AccessTold:
    """`actions` are the ones that may be this side's."""
    events = access_timeline.events(request, side, by.now)
    names = access_timeline.names(by.rows, (event.person_id for event in events))
    return AccessTold.model_validate(
        {
            **line_of(access_lists.one(by, request)).model_dump(),
            **{name: getattr(request, name) for name in _PLAIN},
            "side": side,
            "may": [action for action in actions if request.may(action, by.now)],
            "signed_form": document,
            "timeline": [
                {**each._asdict(), "person": names.get(each.person_id or "")} for each in events
            ],
        }
    )


_PLAIN = ("user_id", "reason", "wanted_end", "ends_at", "second_factor")


def line_of(found: Listed) -> AccessLine:
    request = found.request
    fields = {**found._asdict(), "id": request.id, "asked_at": request.asked_at}
    return AccessLine.model_validate({**fields, "products": request.products.split()})
