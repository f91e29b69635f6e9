"""The form of a set-up file. docs/setup.schema.json is made from it, for editors.

What describes products, clients and tenants is in `registration/`; here are the people, and
the file as a whole.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from idp.credentials import blocklist
from idp.credentials.password import (
    MAX_PASSWORD_BYTES,
    is_too_long,
)
from idp.directory.users import canonical_email
from idp.policies.password_rules import MIN_ALNUM, has_letters
from idp.registration.client_form import ClientForm
from idp.registration.form import Form, Line, Slug, Words
from idp.registration.identity_provider_form import IdentityProviderForm
from idp.registration.product_form import ProductForm, nodes
from idp.registration.tenant_form import RoleKey, TenantForm


def _email(claimed: str) -> str:
    if canonical_email(claimed) is None:
        raise ValueError("this is not an e-mail address")
    return claimed.strip()


def _zone(name: str) -> str:
    try:
        if name != "UTC":
            ZoneInfo(name)
    except (LookupError, ValueError, OSError) as problem:
        raise ValueError("this is no time zone of the IANA's, like America/Chicago") from problem
    return name


def _password(secret: SecretStr) -> SecretStr:
    if not has_letters(secret.get_secret_value(), MIN_ALNUM.shipped):
        raise ValueError(f"a password has at least {MIN_ALNUM.shipped} letters or digits")
    if is_too_long(secret.get_secret_value()):
        raise ValueError(f"a password has at most {MAX_PASSWORD_BYTES} bytes")
    if blocklist.is_listed(secret.get_secret_value()):
        raise ValueError("this password is on a list of stolen ones")
    return secret


Email = Annotated[str, AfterValidator(_email)]
Password = Annotated[SecretStr, AfterValidator(_password)]


class MembershipForm(Form):
    tenant: Slug
    kind: Literal["staff", "customer", "organization"] = "staff"
    status: Literal["active", "disabled"] = "active"
    roles: list[RoleKey] = Field(default=[])
    second_factor_selected: bool = Field(
        default=False, description="Must enrol one where the policy is for selected people."
    )


class UserForm(Form):
    """`password` and `invitation` matter only to a person who has no password yet.
    `email_verified` can be said, and is never taken back."""

    email: Email
    name: Line
    given_name: Words = ""
    family_name: Words = ""
    locale: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    zoneinfo: Annotated[str, AfterValidator(_zone)] = "UTC"
    status: Literal["active", "disabled"] = "active"
    operator: bool = False
    email_verified: bool = False
    password: Password | None = None
    invitation: bool = False
    memberships: list[MembershipForm] = Field(default=[])

    @model_validator(mode="after")
    def _one_way_in(self) -> UserForm:
        if self.password is not None and self.invitation:
            raise ValueError("give password or invitation, not both")
        if self.invitation and not self.memberships:
            raise ValueError("an invitation needs a membership that it is to")
        return self


class SetupFile(Form):
    """Everything but the lists that are needed may be left out. With `issuer`, the file is for
    that provider alone."""

    model_config = ConfigDict(title="Latchkey set-up file")

    schema_hint: str | None = Field(default=None, alias="$schema")
    issuer: str | None = None
    identity_providers: list[IdentityProviderForm] = Field(default=[])
    products: list[ProductForm] = Field(default=[])
    clients: list[ClientForm] = Field(default=[])
    tenants: list[TenantForm] = Field(default=[])
    users: list[UserForm] = Field(default=[])

    @model_validator(mode="after")
    def _named_once(self) -> SetupFile:
        for what, names in _names(self):
            repeated = _first_repeated(names)
            if repeated is not None:
                raise ValueError(f"{what} {repeated!r} is named twice")
        return self


def _names(file: SetupFile) -> Iterator[tuple[str, Iterable[Hashable]]]:
    yield "identity provider", (each.key for each in file.identity_providers)
    yield "product", (product.key for product in file.products)
    yield "client", (client.client_id for client in file.clients)
    files = (client.client_secret_file for client in file.clients)
    yield "client_secret_file", (name for name in files if name is not None)
    yield "tenant", (tenant.slug for tenant in file.tenants)
    yield "user", (canonical_email(user.email) for user in file.users)
    for product in file.products:
        yield f"permission of {product.key}", (node.key for node in nodes(product.permissions))
    for tenant in file.tenants:
        yield f"role of {tenant.slug}", (role.key for role in tenant.roles)
    for user in file.users:
        yield f"membership of {user.email}", (each.tenant for each in user.memberships)


def _first_repeated(names: Iterable[Hashable]) -> Hashable | None:
    seen: set[Hashable] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
