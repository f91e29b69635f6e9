"""Tenants, as operators look after them, at the API."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from flask import Response
from pydantic import Field

from idp.directory.operating import Operation
from idp.directory.tenants import Tenant
from idp.errors import told
from idp.operators import ending, founders, tenants
from idp.operators.tenants import Invited, Wanted
from idp.web.context import provider
from idp.web.manage import ending_evidence
from idp.web.manage.api import (
    LOCALE,
    PLATFORM,
    Answer,
    Download,
    Listing,
    Moment,
    Noun,
    Part,
    listed,
)
from idp.web.manage.json_reading import Sent

api = Noun("tenants", told("Companies"))

TENANTS = f"{PLATFORM}/tenants"
TENANT = f"{TENANTS}/<company>"
NEEDS = "tenants.manage"
Evidence = Annotated[Response, Download((ending_evidence.MEDIA_TYPE,))]


class TenantsWanted(Part):
    search: str = Field("", max_length=120, description=told("The beginning of a name or slug."))
    status: Literal["active", "unconfirmed", "suspended", "ended"] | None = None


class TenantLine(Answer):
    id: str
    slug: str
    name: str
    status: str
    created_at: Moment
    confirmed_at: Moment | None


class OtherTold(Answer):
    slug: str
    name: str


class AddressTold(Answer):
    """`verified_by` is another company, which has verified the domain of the address."""

    email: str
    verified_by: OtherTold | None


class TenantTold(TenantLine):
    """How many active people it has, how many are signed in (1001 is more than 1,000), and how
    many clients. `founded_with` is the address with which somebody founded it by opening an
    account; an account admin's may have been changed since."""

    people: int
    signed_in: int
    clients: int
    founded_with: AddressTold | None
    account_admins: list[AddressTold]


class NewTenant(Sent):
    example: ClassVar[dict[str, Any]] = {"slug": "pinewood", "name": "Pinewood Homes"}

    slug: str = Field(pattern=r"^[a-z][a-z0-9-]{1,62}$", description=told("It never changes."))
    name: str = Field(min_length=1, max_length=120)
    account_admin: str | None = Field(
        None, max_length=320, description=told("The address of who is invited to look after it.")
    )
    locale: str = Field("en", pattern=LOCALE)


class FirstAdmin(Sent):
    example: ClassVar[dict[str, Any]] = {"email": "first@pinewood.example"}

    email: str = Field(max_length=320)
    locale: str = Field("en", pattern=LOCALE)


class Confirmed(Sent):
    example: ClassVar[dict[str, Any]] = {"confirm": "pinewood"}

    confirm: str = Field(max_length=120, description=told("The name or slug once more."))


@api.get(TENANTS, told("List companies"), needs=NEEDS)
def listing(operation: Operation, query: TenantsWanted) -> Listing[TenantLine]:
    wanted, keys = Wanted(query.search, query.status or ""), provider().secret_keys
    page = tenants.find_tenants(operation, keys, wanted, query.cursor, query.limit)
    return listed(TenantLine, page.tenants, page.next)


@api.post(TENANTS, told("Make a company"), needs=NEEDS)
def create(operation: Operation, body: NewTenant) -> TenantTold:
    email, keys = body.account_admin, provider().secret_keys
    invited = None if email is None else Invited(keys, email, body.locale)
    return _told(operation, tenants.create(operation, body.slug, body.name, invited))


@api.get(TENANT, told("See a company"), needs=NEEDS)
def show(operation: Operation, company: str) -> TenantTold:
    return _told(operation, tenants.get_tenant(operation, company))


@api.post(f"{TENANT}/confirm", told("Confirm a company"), needs=NEEDS, status=200)
def confirm(operation: Operation, company: str) -> TenantTold:
    """One that somebody founded by opening an account."""
    tenant = tenants.get_tenant(operation, company)
    tenants.confirm(operation, tenant)
    return _told(operation, tenant)


@api.post(f"{TENANT}/suspend", told("Suspend a company"), needs=NEEDS, status=200)
def suspend(operation: Operation, company: str) -> TenantTold:
    tenant = tenants.get_tenant(operation, company)
    tenants.suspend(operation, tenant)
    return _told(operation, tenant)


@api.post(f"{TENANT}/resume", told("Let a suspended company go on"), needs=NEEDS, status=200)
def resume(operation: Operation, company: str) -> TenantTold:
    tenant = tenants.get_tenant(operation, company)
    tenants.resume(operation, tenant)
    return _told(operation, tenant)


@api.post(f"{TENANT}/end", told("End a company, for good"), needs=NEEDS, status=200)
def end(operation: Operation, company: str, body: Confirmed) -> TenantTold:
    tenant = tenants.get_tenant(operation, company)
    ending.end(operation, tenant, body.confirm)
    return _told(operation, tenant)


@api.post(f"{TENANT}/evidence", told("Take the evidence of its end"), needs=NEEDS, status=200)
def take_evidence(operation: Operation, company: str) -> Evidence:
    """By POST, since it is written down who took it."""
    return ending_evidence.download(operation, company)


@api.post(f"{TENANT}/invite", told("Invite an account admin"), needs=NEEDS, status=204)
def invite(operation: Operation, company: str, body: FirstAdmin) -> None:
    """Where nobody is one who can sign in."""
    tenant = tenants.get_tenant(operation, company)
    invited = Invited(provider().secret_keys, body.email, body.locale)
    tenants.invite_account_admin(operation, tenant, invited)


def _told(operation: Operation, tenant: Tenant) -> TenantTold:
    operation.rows.refresh(tenant)
    facts = tenants.facts(operation, tenant)
    seen = founders.find(operation, tenant)
    line = TenantLine.model_validate(tenant)
    told = {**line.model_dump(), **facts._asdict(), **seen._asdict()}
    return TenantTold.model_validate(told)
