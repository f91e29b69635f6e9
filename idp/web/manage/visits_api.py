"""Operators' visits, as the visited company sees them, at the API. Only a person makes one."""

from __future__ import annotations

from idp.directory.acting import Administration
from idp.errors import told
from idp.operators import visits
from idp.web.manage.api import TENANT, Answer, Listing, Moment, Noun, listed

api = Noun("visits", told("Visits by operators"))

VISITS = f"{TENANT}/visits"


class Visit(Answer):
    id: str
    operator: str
    email: str
    reason: str
    started_at: Moment
    ended_at: Moment
    is_live: bool


@api.get(VISITS, told("List visits by operators"), needs="audit.read")
def listing(admin: Administration) -> Listing[Visit]:
    return listed(Visit, visits.of_tenant(admin))


@api.post(
    f"{VISITS}/<visit_id>/end",
    told("End a visit"),
    needs="audit.read",
    status=204,
    is_for_people=True,
)
def end(admin: Administration, visit_id: str) -> None:
    """For an account admin."""
    visits.end_by_tenant(admin, visit_id)
