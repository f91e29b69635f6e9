"""Operators' visits at the API: as the visited company sees them, and as an operator makes one."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from idp.directory.acting import Administration
from idp.directory.operating import Operation
from idp.errors import told
from idp.operators import tenants, visits
from idp.web.manage.api import TENANT, Answer, Listing, Moment, Noun, listed
from idp.web.manage.json_reading import Sent
from idp.web.manage.tenants_api import NEEDS
from idp.web.manage.tenants_api import TENANT as COMPANY

api = Noun("visits", told("Visits by operators"))

VISITS = f"{TENANT}/visits"
OWN_VISITS = f"{COMPANY}/visits"
OWN_VISIT = f"{OWN_VISITS}/<visit_id>"


class Visit(Answer):
    id: str
    operator: str
    email: str
    reason: str
    started_at: Moment
    ended_at: Moment
    is_live: bool


class NewVisit(Sent):
    example: ClassVar[dict[str, Any]] = {"reason": "Ticket 4711: no admin left", "minutes": 15}

    reason: str = Field(max_length=2000, description=told("The company reads it."))
    minutes: int = Field(description=told("15, 30, 45 or 60."))


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


@api.get(OWN_VISITS, told("List one's own visits to a company"), NEEDS)
def own(operation: Operation, company: str) -> Listing[Visit]:
    """Those that were begun by the same client."""
    return listed(Visit, visits.own(operation, tenants.get_tenant(operation, company)))


@api.post(OWN_VISITS, told("Begin a visit to a company"), NEEDS, is_for_people=True)
def begin(operation: Operation, company: str, body: NewVisit) -> Visit:
    """While it lasts, the same client's tokens of the same operator are good at the addresses of
    that company, below its account admins, who are told at once."""
    tenant = tenants.get_tenant(operation, company)
    visit = visits.begin(operation, tenant, body.reason, body.minutes)
    return Visit.model_validate(visits.get_own(operation, tenant, visit.id))


@api.get(OWN_VISIT, told("See one's own visit to a company"), NEEDS)
def show(operation: Operation, company: str, visit_id: str) -> Visit:
    tenant = tenants.get_tenant(operation, company)
    return Visit.model_validate(visits.get_own(operation, tenant, visit_id))


@api.post(f"{OWN_VISIT}/end", told("End one's own visit"), NEEDS, 204, is_for_people=True)
def end_own(operation: Operation, company: str, visit_id: str) -> None:
    """At once."""
    visits.end_own(operation, tenants.get_tenant(operation, company), visit_id)
