"""Who gives roles to somebody from another company, and which: the one rule for setting the access
up and for every later change of it (product.md T6, T7)."""

from __future__ import annotations

from collections.abc import Iterable

from idp.directory.access_requests import AccessRequest
from idp.directory.access_steps import person_of
from idp.directory.acting import Administration, Forbidden, Mistake
from idp.directory.roles import Role
from idp.errors import told


def check_may_give(admin: Administration, request: AccessRequest, roles: Iterable[Role]) -> None:
    """A person does it, who had no other part in the access: it is not theirs, nor did they ask for
    it, hand it in or decide about it. Raises Forbidden, or Mistake for a role that is none for
    guests."""
    parts = (request.user_id, request.asked_by, request.submitted_by, request.decided_by)
    if person_of(admin) in parts:
        raise Forbidden("they had another part in this access")
    if any(role.all_permissions for role in roles):
        raise Mistake(roles=told("The account admin is one of a company's own people."))
