"""Who waits to be let in, and who may open an account at all, at the API."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from idp.directory import letting_in
from idp.directory.acting import Administration
from idp.directory.domains import Doubt
from idp.errors import told
from idp.policies import sign_up_terms
from idp.web.context import provider
from idp.web.manage.api import TENANT, Answer, Listing, Moment, Noun, Part, listed
from idp.web.manage.json_reading import Sent
from idp.web.manage.people_api import Kind

api = Noun("join_requests", told("Opening an account"))

REQUESTS = f"{TENANT}/join-requests"
REQUEST = f"{REQUESTS}/<join_request>"
POLICY = f"{TENANT}/sign-up-policy"
MANAGES = letting_in.PERMISSION
STATES = sign_up_terms.PERMISSION


class Waiting(Answer):
    """Somebody who has an account, and nothing of the company. `name` is what they have typed,
    `email` the address by which they came. Who has another one since, or is disabled, or whose
    domain is not the company's any more, can't be let in; `is_known_address` tells that somebody
    else of the company had the address before. Where their domain is in `doubt`, it may be somebody
    else's by now, and so may the mail there."""

    id: str
    name: str
    email: str
    asked_at: Moment
    can_be_let_in: bool
    is_known_address: bool
    doubt: Doubt | None


class JoinApproval(Sent):
    example: ClassVar[dict[str, Any]] = {"kind": "staff", "roles": ["agent"]}

    kind: Kind = "staff"
    roles: list[str] = Field(max_length=200, description=told("Keys of roles."))


class Approved(Answer):
    """`member` is their membership, null if they had come in by another way and stay as they
    are."""

    member: str | None


class JoinRefusal(Sent):
    example: ClassVar[dict[str, Any]] = {"reason": "Not one of our people"}

    reason: str = Field(min_length=1, max_length=1000, description=told("They read it."))


class SignUpDomain(Answer):
    """A verified one. `admits` is whether its people are admitted: not if it was verified after
    that was stated, nor while it is in `doubt`, as of a domain."""

    name: str
    admits: bool
    doubt: Doubt | None


class SignUpPolicy(Answer):
    """Who may open an account with an address of a verified domain: an admin approves each, they
    are admitted with `role`, or it is closed."""

    sign_up: str
    role: str | None
    domains: list[SignUpDomain]


class NewSignUpPolicy(Sent):
    """It is said for the domains that are verified when it is sent; `admitted` needs
    `people.manage` too."""

    example: ClassVar[dict[str, Any]] = {"sign_up": "closed"}

    sign_up: Literal["approval", "admitted", "closed"] = "approval"
    role: str | None = Field(
        None, max_length=63, description=told("The key of a role, for who is admitted.")
    )


@api.get(REQUESTS, told("List who waits to be let in"), needs=MANAGES)
def listing(admin: Administration, query: Part) -> Listing[Waiting]:
    page = letting_in.waiting(admin, provider().secret_keys, query.cursor, query.limit)
    rows = [{**row._asdict(), "can_be_let_in": not row.obstacle} for row in page.requests]
    return listed(Waiting, rows, page.next)


@api.post(f"{REQUEST}/approve", told("Let somebody in"), needs=MANAGES, status=200)
def approve(admin: Administration, join_request: str, body: JoinApproval) -> Approved:
    made = letting_in.approve(admin, join_request, body.kind, body.roles)
    return Approved(member=made)


@api.post(f"{REQUEST}/refuse", told("Refuse somebody who waits"), needs=MANAGES, status=204)
def refuse(admin: Administration, join_request: str, body: JoinRefusal) -> None:
    letting_in.refuse(admin, join_request, body.reason)


@api.get(POLICY, told("See who may open an account"), needs=STATES)
def show(admin: Administration) -> SignUpPolicy:
    found = sign_up_terms.terms(admin)
    domains = [SignUpDomain.model_validate(each._asdict()) for each in found.domains]
    return SignUpPolicy(sign_up=found.stated, role=found.role or None, domains=domains)


@api.put(POLICY, told("Change who may open an account"), needs=STATES, current=show)
def change(admin: Administration, body: NewSignUpPolicy) -> SignUpPolicy:
    claimed = dict(zip(sign_up_terms.NAMES, (body.sign_up, body.role or ""), strict=True))
    sign_up_terms.change(admin, sign_up_terms.terms(admin).seen, claimed)
    return show(admin)
