"""A tenant as it is described: its policy and its roles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    model_validator,
)

from idp.directory.claim_names import RESERVED_NAMES
from idp.directory.roles import ACCOUNT_ADMIN, RANK, TOP_RANK
from idp.policies.password_rules import HISTORY, MIN_ALNUM, MIN_LENGTH
from idp.policies.sessions import ABSOLUTE, IDLE
from idp.registration.form import (
    Form,
    FreshMinutes,
    Line,
    PasswordAgeForm,
    PermissionKey,
    ProductKey,
    Slug,
    Words,
)


def _role_key(key: str) -> str:
    if key in RESERVED_NAMES:
        raise ValueError("this is the name of a claim, so no role can have it")
    return key


RoleKey = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,62}$"), AfterValidator(_role_key)
]


class KindForm(Form):
    """`since` is when the mode was last turned on again, and `was_on` remembers of one that is off
    that it was on before. Left out, both follow from what is stored."""

    mode: Literal["off", "selected", "optional", "required"]
    since: float | None = Field(default=None, ge=0)
    was_on: bool | None = None


class PolicyForm(PasswordAgeForm):
    """What a tenant demands beyond the platform."""

    session_idle_minutes: int | None = Field(default=None, ge=IDLE.least, le=IDLE.most)
    session_absolute_hours: int | None = Field(default=None, ge=ABSOLUTE.least, le=ABSOLUTE.most)
    second_factor: dict[Literal["staff", "customer", "organization"], KindForm] | None = Field(
        default=None, description="By kind of membership. Kinds that are left out stay."
    )
    second_factor_methods: list[Literal["passkey", "totp", "sms", "email"]] | None = Field(
        default=None, description="Those that count; passkey always does."
    )
    second_factor_products: dict[ProductKey, FreshMinutes | None] | None = Field(
        default=None, description="Products that demand one, and the minutes that it stays fresh."
    )
    password_after_enrolment: bool | None = Field(
        default=None, description="Ask customers for the password again once they have enrolled."
    )
    reset_needs_second_admin: bool | None = Field(
        default=None, description="Another admin has to approve a reset of second factors."
    )
    password_min_alnum: int | None = Field(
        default=None, ge=MIN_ALNUM.least, le=MIN_ALNUM.most, description="Letters or digits."
    )
    password_min_length: int | None = Field(
        default=None, ge=MIN_LENGTH.least, le=MIN_LENGTH.most, description="Characters of any kind."
    )
    password_history: int | None = Field(
        default=None,
        ge=HISTORY.least,
        le=HISTORY.most,
        description="How many are not had again, the current one included.",
    )
    password_reset: Literal["temporary_password", "link"] | None = Field(
        default=None, description="What the letter for a forgotten password leads to."
    )
    sign_up: Literal["approval", "admitted", "closed"] | None = Field(
        default=None, description="Who opens an account with an address of a verified domain."
    )
    sign_up_role: RoleKey | None = Field(
        default=None, description="What those who are admitted get; without it, none is."
    )
    sign_up_since: float | None = Field(
        default=None, description="Domains verified by then admit; stated now if left out."
    )


class RoleForm(Form):
    """`permissions` maps a product's key to nodes of its tree. The built-in account admin has
    all of them, so there it is not given."""

    key: RoleKey
    name: Line
    description: Words = ""
    rank: int = Field(
        default=RANK, ge=1, lt=TOP_RANK, description="Nobody gives a role above their own."
    )
    permissions: dict[ProductKey, list[PermissionKey]] = Field(default={})

    @model_validator(mode="after")
    def _built_in(self) -> RoleForm:
        if self.key == ACCOUNT_ADMIN and {"permissions", "rank"} & self.model_fields_set:
            raise ValueError(f"{ACCOUNT_ADMIN} is built in: every permission, and the top rank")
        return self


class TenantForm(Form):
    slug: Slug
    name: Line
    status: Literal["active", "suspended"] = "active"
    confirmed: bool = Field(
        default=True, description="False for one that somebody founded and nobody has confirmed."
    )
    policy: PolicyForm = PolicyForm()
    roles: list[RoleForm] = Field(default=[])
