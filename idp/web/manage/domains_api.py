"""Verified domains at the API."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from idp.directory import domain_looks, domains
from idp.directory.acting import Administration
from idp.directory.domains import Doubt
from idp.errors import told
from idp.web.context import provider
from idp.web.manage.api import TENANT, Answer, Listing, Moment, Noun, listed
from idp.web.manage.json_reading import Sent

api = Noun("domains", told("Domains"))

DOMAINS = f"{TENANT}/domains"
DOMAIN = f"{DOMAINS}/<domain_id>"
NEEDS = "domains.manage"


class DomainTold(Answer):
    """`record_text` belongs into a TXT record at `record_name`. `doubt` says that a verified domain
    admits nobody by itself at present, and why: its record is `gone`, or its nameservers left the
    last look `unanswered`."""

    id: str
    name: str
    record_name: str
    record_text: str
    outcome: str | None
    created_at: Moment
    checked_at: Moment | None
    verified_at: Moment | None
    doubt: Doubt | None


class NewDomain(Sent):
    example: ClassVar[dict[str, Any]] = {"name": "northwind.example"}

    name: str = Field(max_length=300)


@api.get(DOMAINS, told("List domains"), needs=NEEDS)
def listing(admin: Administration) -> Listing[DomainTold]:
    return listed(DomainTold, domains.listing(admin))


@api.post(DOMAINS, told("Claim a domain"), needs=NEEDS)
def add(admin: Administration, body: NewDomain) -> DomainTold:
    return DomainTold.model_validate(domains.add(admin, body.name))


@api.get(DOMAIN, told("See a domain"), needs=NEEDS)
def show(admin: Administration, domain_id: str) -> DomainTold:
    return DomainTold.model_validate(domains.get(admin, domain_id))


@api.post(f"{DOMAIN}/check", told("Look for a domain's record now"), needs=NEEDS, status=200)
def check(admin: Administration, domain_id: str) -> DomainTold:
    domain_looks.check(admin, provider().settings, provider().clock, domain_id)
    return DomainTold.model_validate(domains.get(admin, domain_id))


@api.delete(DOMAIN, told("Remove a domain"), needs=NEEDS)
def remove(admin: Administration, domain_id: str) -> None:
    domains.remove(admin, domain_id)
