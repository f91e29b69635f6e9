"""A product as it is described: its tree of permissions, its types of authorization details."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    model_validator,
)

from idp.registration.form import (
    ClientId,
    DetailsTypeName,
    Form,
    FreshMinutes,
    Line,
    PasswordAgeForm,
    PermissionKey,
    ProductKey,
    ProviderKey,
    Uri,
    Words,
)


class PermissionForm(Form):
    """A node of a product's tree."""

    key: PermissionKey
    name: Line
    description: Words = ""
    children: list[PermissionForm] = Field(default=[])


class DetailsFieldForm(Form):
    """What one authorization detail says, in one place of it."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    title: Line = Field(description="As people read it.")
    kind: Literal["text", "amount", "list"] = Field(
        default="text", description="An amount is like 100.00; a list is of texts."
    )
    required: bool = True
    choices: list[Line] = Field(default=[], max_length=50, description="Of a text: one of these.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.name == "type":
            raise ValueError("every type has this field already")
        if self.choices and self.kind != "text":
            raise ValueError("choices are given for a text")
        return self


class DetailsTypeForm(Form):
    """A type of authorization details (RFC 9396), which people allow one by one."""

    type: DetailsTypeName
    title: Line
    sentence: Words = Field(description="For people, with {name} where a required field goes.")
    fields: list[DetailsFieldForm] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise ValueError("two fields have one name")
        named = {field.name for field in self.fields if field.required and field.kind != "list"}
        if not set(re.findall(r"\{([^{}]*)\}", self.sentence)) <= named:
            raise ValueError("sentence names what is no required text or amount")
        if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", self.sentence)):
            raise ValueError("sentence has a brace that names nothing")
        return self


class ProductForm(PasswordAgeForm):
    key: ProductKey
    name: Line
    description: Words = ""
    color: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")] = Field(
        default="#475569", description="#rrggbb"
    )
    icon: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")] = Field(
        default="apps", description="The name of a Tabler icon."
    )
    resource: Uri | None = Field(
        default=None, description="The `aud` of its access tokens; urn:product:<key> if left out."
    )
    launch_client: ClientId | None = Field(default=None, description="Opens it from the menu.")
    position: int = Field(default=0, ge=0, le=10_000, description="Its place; new ones come last.")
    second_factor: bool = Field(default=False, description="True asks everybody for one.")
    second_factor_minutes: FreshMinutes | None = Field(
        default=None, description="How old it may be; no limit if left out."
    )
    sign_up: bool = Field(
        default=False, description="True lets people open an account on their way to it."
    )
    identity_providers: list[ProviderKey] = Field(
        default=[], description="Those that its sign-in offers beside a password, by key."
    )
    refuses_federated: bool = Field(
        default=False, description="True asks who came by another provider for a proof of our own."
    )
    access_token_format: Literal["jwt", "opaque"] = Field(
        default="jwt",
        description="Opaque ones can be read by nobody but us.",
    )
    permissions: list[PermissionForm] = Field(default=[])
    authorization_details_types: list[DetailsTypeForm] = Field(
        default=[], max_length=20, description="What people allow one by one."
    )

    @model_validator(mode="after")
    def _types_apart(self) -> Self:
        names = [each.type for each in self.authorization_details_types]
        if len(set(names)) != len(names):
            raise ValueError("authorization_details_types has a type twice")
        return self


def nodes(tree: Iterable[PermissionForm]) -> Iterator[PermissionForm]:
    """Every node, parents before their children."""
    for node in tree:
        yield node
        yield from nodes(node.children)
