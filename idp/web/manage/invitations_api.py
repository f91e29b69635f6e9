"""Invitations at the API. The link is in the letter alone: no answer has it (security.md S62)."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from idp.directory import invitation_listing, invitations
from idp.directory.acting import Administration
from idp.directory.invitations import Invitation
from idp.errors import told
from idp.web.context import provider
from idp.web.manage.api import LOCALE, TENANT, Answer, Listing, Moment, Noun, Part, listed
from idp.web.manage.json_reading import Sent
from idp.web.manage.people_api import Kind

api = Noun("invitations", told("Invitations"))

INVITATIONS = f"{TENANT}/invitations"
INVITATION = f"{INVITATIONS}/<invitation>"
NEEDS = "people.manage"


class Pending(Answer):
    """One that has expired can be sent again. `roles` are names."""

    id: str
    email: str
    kind: str
    roles: list[str]
    created_at: Moment
    expires_at: Moment
    has_expired: bool


class InvitationTold(Answer):
    id: str
    email: str
    kind: str
    created_at: Moment
    expires_at: Moment


class NewInvitation(Sent):
    example: ClassVar[dict[str, Any]] = {
        "email": "new@northwind.example",
        "kind": "staff",
        "roles": ["agent"],
    }

    email: str = Field(max_length=320)
    kind: Kind = "staff"
    roles: list[str] = Field(max_length=200, description=told("Keys of roles."))
    locale: str = Field("en", pattern=LOCALE)


@api.get(INVITATIONS, told("List invitations that nobody has accepted yet"), needs="people.read")
def listing(admin: Administration, query: Part) -> Listing[Pending]:
    page = invitation_listing.pending(admin, provider().secret_keys, query.cursor, query.limit)
    return listed(Pending, page.invitations, page.next)


@api.post(INVITATIONS, told("Invite somebody by mail"), needs=NEEDS)
def invite(admin: Administration, body: NewInvitation) -> InvitationTold:
    keys = provider().secret_keys
    made = invitations.invite(admin, keys, body.email, body.kind, body.roles, body.locale)
    return InvitationTold.model_validate(admin.get(Invitation, made))


@api.post(f"{INVITATION}/again", told("Send an invitation again"), needs=NEEDS, status=204)
def send_again(admin: Administration, invitation: str) -> None:
    invitations.send_again(admin, provider().secret_keys, invitation)


@api.delete(INVITATION, told("Revoke an invitation"), needs=NEEDS)
def revoke(admin: Administration, invitation: str) -> None:
    invitations.revoke(admin, invitation)
