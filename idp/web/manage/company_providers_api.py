"""A company's own identity providers at the API. A client secret is sent, and never answered."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from idp.directory import company_provider_form, company_providers
from idp.directory.acting import Administration
from idp.directory.company_provider_form import Filled
from idp.directory.company_providers import Shown
from idp.directory.identity_providers import ACTIVE, DISABLED, return_uri
from idp.errors import told
from idp.grants import provider_changes
from idp.web.context import provider
from idp.web.manage.api import TENANT, Answer, Listing, Moment, Noun, listed
from idp.web.manage.json_reading import Sent

api = Noun("identity_providers", told("Identity providers"))

PROVIDERS = f"{TENANT}/identity-providers"
ONE = f"{PROVIDERS}/<provider_id>"
ROUTE = f"{TENANT}/domains/<domain_id>/identity-provider"
NEEDS = company_providers.PERMISSION
MOST_WORDS = company_provider_form.MAX_WORDS
WORDS = told("Values that tell of a second factor, which is then not asked for here.")


class ProviderTold(Answer):
    """`redirect_uri` is to be registered there. Of who is `left_out`, ids are those of people. A
    role that is gone, or administers by now, lets nobody in, and is null."""

    id: str
    name: str
    issuer: str
    client_id: str
    redirect_uri: str
    hosted_domain: str
    email_claim: str
    name_claim: str
    is_only_way: bool
    left_out: list[str]
    admits_role_id: str | None
    trusted_acr: list[str]
    trusted_amr: list[str]
    domains: list[str]
    status: str
    created_at: Moment


EXAMPLE: dict[str, Any] = {
    "name": "Northwind Entra",
    "issuer": "https://login.northwind.example/v2.0",
    "client_id": "latchkey",
    "client_secret": "what the provider gave",
    "trusted_amr": ["mfa"],
}
Word = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
Words = Annotated[list[Word], Field(max_length=company_provider_form.MAX_WORDS, description=WORDS)]


class NewProvider(Sent):
    """All of it. What is left out has its default."""

    example: ClassVar[dict[str, Any]] = EXAMPLE

    name: str = Field(max_length=company_provider_form.MAX_NAME)
    issuer: str = Field(max_length=512, description=told("As its ID tokens say it."))
    client_id: str = Field(max_length=512)
    client_secret: str = Field(max_length=512, description=told("Kept sealed, and never shown."))
    hosted_domain: str = Field(
        "",
        max_length=253,
        description=told("Of a Google Workspace; demanded of Google."),
    )
    email_claim: str = Field(company_provider_form.EMAIL_CLAIM, max_length=256)
    name_claim: str = Field(company_provider_form.NAME_CLAIM, max_length=256)
    is_only_way: bool = Field(False, description=told("Passwords and passkeys open nothing more."))
    left_out: list[str] = Field(
        [],
        max_length=company_provider_form.MAX_LEFT_OUT,
        description=told("Ids of people who may still come in by them."),
    )
    admits_role_id: str | None = Field(
        None, max_length=64, description=told("What newcomers get; null admits none.")
    )
    trusted_acr: list[Word] = Field([], max_length=MOST_WORDS, description=WORDS)
    trusted_amr: list[Word] = Field([], max_length=MOST_WORDS, description=WORDS)


class ChangedProvider(NewProvider):
    """All of it, but for the secret: left out, the one from before stays, unless it is another
    issuer's."""

    client_secret: str = Field("", max_length=512)


class Routing(Sent):
    example: ClassVar[dict[str, Any]] = {"provider_id": None}

    provider_id: str | None = Field(
        max_length=64, description=told("Whose addresses it signs in; null is nobody's.")
    )


class RoutingTold(Answer):
    provider_id: str | None


@api.get(PROVIDERS, told("List identity providers"), needs=NEEDS)
def listing(admin: Administration) -> Listing[ProviderTold]:
    return listed(ProviderTold, map(_told, company_providers.listing(admin)))


@api.post(PROVIDERS, told("Add an identity provider"), needs=NEEDS)
def add(admin: Administration, body: NewProvider) -> ProviderTold:
    added = company_providers.add(admin, provider().secret_keys, _filled(body))
    return show(admin, added.id)


@api.get(ONE, told("See an identity provider"), needs=NEEDS)
def show(admin: Administration, provider_id: str) -> ProviderTold:
    return _told(company_providers.get(admin, provider_id))


@api.put(ONE, told("Change an identity provider"), needs=NEEDS, current=show)
def change(admin: Administration, provider_id: str, body: ChangedProvider) -> ProviderTold:
    """Whoever is linked at another issuer is not any more."""
    keys, filled = provider().secret_keys, _filled(body)
    provider_changes.change(admin, keys, provider_id, _seen(admin, provider_id), filled)
    return show(admin, provider_id)


@api.post(f"{ONE}/disable", told("Disable an identity provider"), needs=NEEDS, status=204)
def disable(admin: Administration, provider_id: str) -> None:
    company_providers.set_status(admin, provider_id, _now(admin, provider_id), DISABLED)


@api.post(f"{ONE}/enable", told("Enable an identity provider again"), needs=NEEDS, status=204)
def enable(admin: Administration, provider_id: str) -> None:
    company_providers.set_status(admin, provider_id, _now(admin, provider_id), ACTIVE)


@api.delete(ONE, told("Remove an identity provider"), needs=NEEDS, current=show)
def remove(admin: Administration, provider_id: str) -> None:
    """With its routing, and the accounts that are linked there."""
    provider_changes.remove(admin, provider_id, _seen(admin, provider_id))


@api.get(ROUTE, told("See who signs a domain in"), needs=NEEDS)
def show_routing(admin: Administration, domain_id: str) -> RoutingTold:
    return RoutingTold(provider_id=company_providers.routing_of(admin, domain_id))


@api.put(ROUTE, told("Choose who signs a domain in"), needs=NEEDS, current=show_routing)
def route(admin: Administration, domain_id: str, body: Routing) -> RoutingTold:
    """A domain that is verified."""
    seen = company_providers.routing_of(admin, domain_id) or ""
    company_providers.route(admin, domain_id, seen, body.provider_id or "")
    return show_routing(admin, domain_id)


def _seen(admin: Administration, provider_id: str) -> str:
    """What If-Match has been held against, in the same transaction."""
    return company_providers.get(admin, provider_id).digest


def _now(admin: Administration, provider_id: str) -> str:
    """There is no If-Match with what is only switched: whatever it has come to be, in its turn."""
    company_providers.in_turn(admin, provider=provider_id)
    return company_providers.get(admin, provider_id).digest


def _filled(body: NewProvider) -> Filled:
    fields = {name: value for name, value in body if name in Filled._fields}
    words = {name: " ".join(fields[name]) for name in ("trusted_acr", "trusted_amr")}
    more = {"secret": body.client_secret, "admits_role_id": body.admits_role_id or ""}
    return Filled(**{**fields, **words, **more})


def _told(shown: Shown) -> ProviderTold:
    row = shown.provider
    return ProviderTold.model_validate(
        {
            **{name: getattr(row, name) for name in company_providers.TOLD},
            "id": row.id,
            "created_at": row.created_at,
            "redirect_uri": return_uri(provider().settings.issuer, row.id),
            "left_out": [each.id for each in shown.left_out],
            "admits_role_id": shown.admits and shown.admits.id,
            "trusted_acr": row.trusted_acr.split(),
            "trusted_amr": row.trusted_amr.split(),
            "domains": [domain.name for domain in shown.domains],
        }
    )
