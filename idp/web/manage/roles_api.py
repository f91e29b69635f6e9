"""Roles, and what they select, at the API."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from idp.directory import access_tree, granting, role_editing, role_listing
from idp.directory.access_tree import TreeNode
from idp.directory.acting import Administration
from idp.directory.roles import RANK, Role
from idp.errors import told
from idp.web.manage.api import TENANT, Answer, Listing, Moment, Noun, listed
from idp.web.manage.json_reading import Sent

api = Noun("roles", told("Roles"))

ROLES = f"{TENANT}/roles"
ROLE = f"{ROLES}/<role>"
NEEDS = role_editing.PERMISSION

Selected = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,31}/[a-z][a-z0-9._:-]*$")]


class RoleTold(Answer):
    """`permissions` are `product/permission`; the account admin has all, also of what is to come.
    `may_change` says whether the token may."""

    id: str
    key: str
    name: str
    description: str
    rank: int
    permissions: list[str]
    has_all: bool
    may_change: bool
    created_at: Moment


class RoleLine(Answer):
    """`people` counts up to a thousand; `opens` names products."""

    id: str
    key: str
    name: str
    description: str
    rank: int
    people: int
    opens: list[str]
    has_all: bool
    may_change: bool


class Loss(Answer):
    """`products` are those that nothing else opens for the person, by name."""

    name: str
    email: str
    products: list[str]


class Deletion(Answer):
    """The first fifty who have the role, and how many there are, counted up to a thousand."""

    people: list[Loss]
    people_count: int
    has_more: bool


class NewRole(Sent):
    example: ClassVar[dict[str, Any]] = {
        "name": "Auditor",
        "description": "Looks at loans and changes nothing",
        "permissions": ["lms/loans.read"],
    }

    name: str = Field(max_length=200)
    description: str = Field("", max_length=1000)
    rank: int = Field(RANK, ge=1, le=99, description=told("Nobody gives a role above their own."))
    permissions: list[Selected] = Field(default=[], max_length=1000)


class ChangedRole(Sent):
    example: ClassVar[dict[str, Any]] = {"permissions": ["lms/loans.read", "lms/reports.read"]}

    name: str | None = Field(None, max_length=200)
    description: str | None = Field(None, max_length=1000)
    rank: int | None = Field(None, ge=1, le=99)
    permissions: list[Selected] | None = Field(None, max_length=1000)


class PermissionTold(Answer):
    """`is_held` says whether the token may select it."""

    value: str
    name: str
    description: str
    parent: str | None
    is_held: bool


@api.get(ROLES, told("List roles"), needs=NEEDS)
def listing(admin: Administration) -> Listing[RoleLine]:
    return listed(RoleLine, role_listing.roles(admin))


@api.post(ROLES, told("Make a role"), needs=NEEDS)
def make(admin: Administration, body: NewRole) -> RoleTold:
    with admin.rows.begin_nested():  # all of it or nothing
        role = role_editing.make(admin, _general(body.name, body.description, body.rank))
        if body.permissions:
            role_editing.select(admin, role.id, role_editing.digest(role), body.permissions)
    return _told(admin, role)


@api.get(ROLE, told("See a role"), needs=NEEDS)
def show(admin: Administration, role: str) -> RoleTold:
    return _told(admin, admin.get(Role, role))


@api.patch(ROLE, told("Change a role"), needs=NEEDS, current=show)
def change(admin: Administration, role: str, body: ChangedRole) -> RoleTold:
    stored = admin.get(Role, role)
    new = {name: value for name, value in body if value is not None}
    with admin.rows.begin_nested():
        if new.keys() - {"permissions"}:
            general = _general(
                new.get("name", stored.name),
                new.get("description", stored.description),
                new.get("rank", stored.rank),
            )
            role_editing.change(admin, role, role_editing.digest(stored), general)
        if body.permissions is not None:
            role_editing.select(admin, role, role_editing.digest(stored), body.permissions)
    return _told(admin, stored)


@api.delete(ROLE, told("Delete a role"), needs=NEEDS, current=show)
def delete(admin: Administration, role: str) -> None:
    role_editing.delete(admin, role, role_editing.digest(admin.get(Role, role)))


@api.get(f"{ROLE}/deletion", told("See what deleting a role would do"), needs=NEEDS)
def deletion(admin: Administration, role: str) -> Deletion:
    found = role_listing.deletion(admin, admin.get(Role, role))
    return Deletion.model_validate(found)


@api.get(f"{TENANT}/permissions", told("List what roles can select"), needs=NEEDS)
def permissions(admin: Administration) -> Listing[PermissionTold]:
    branches = access_tree.branches(admin.rows, admin.actor.rights, ())
    items = [each for branch in branches for node in branch.nodes for each in _below(node, None)]
    return listed(PermissionTold, items)


def _below(node: TreeNode, parent: str | None) -> list[PermissionTold]:
    told_node = PermissionTold(
        value=node.value,
        name=node.name,
        description=node.description,
        parent=parent,
        is_held=not node.is_fixed,
    )
    return [told_node, *(each for child in node.children for each in _below(child, node.value))]


def _general(name: str, description: str, rank: int) -> dict[str, str]:
    return {"name": name, "description": description, "rank": str(rank)}


def _told(admin: Administration, role: Role) -> RoleTold:
    return RoleTold.model_validate(
        {
            **{name: getattr(role, name) for name in ("id", "key", "name", "description", "rank")},
            "permissions": sorted("/".join(node) for node in granting.nodes_of(role)),
            "has_all": role.all_permissions,
            "may_change": granting.may_change(admin.actor.rights, role),
            "created_at": role.created_at,
        }
    )
