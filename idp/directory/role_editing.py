"""Making, changing and deleting roles: what they are called, how high they are, what they select.

Who edits is bounded by `granting`: nothing above one's own rank, no node that one does not hold.
Nodes that the editor does not hold stay as they are, ticked or not. Each form carries a digest of
what it showed (`seen`): whoever saves after somebody else is told, and changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from idp.directory import access_tree, granting
from idp.directory.acting import Administration, Changed, Forbidden, Mistake, Node, Rights
from idp.directory.claim_names import RESERVED_NAMES
from idp.directory.roles import TOP_RANK, Role, RolePermission
from idp.directory.wording import one_line
from idp.errors import told
from idp.secret_values import new_id

PERMISSION = "roles.manage"
MAX_NAME = 80
MAX_DESCRIPTION = 300
MAX_ROLES = 200


class General(NamedTuple):
    """What is filled in on the first page, checked."""

    name: str
    description: str
    rank: int


def make(admin: Administration, claimed: dict[str, str]) -> Role:
    """A role that selects nothing yet. `claimed` has name, description and rank. Raises Mistake."""
    rights = _in_turn(admin)
    general = _general(admin, rights, claimed, None)
    if (admin.rows.scalar(sa.select(sa.func.count()).select_from(Role)) or 0) >= MAX_ROLES:
        raise Mistake(name=told("A company has at most 200 roles."))
    role = Role(
        id=new_id(),
        tenant_id=admin.tenant.id,
        key=_free_key(admin, general.name),
        all_permissions=False,
        created_at=admin.now,
        **general._asdict(),
    )
    admin.rows.add(role)
    admin.record("role.made", role=role.id, key=role.key, after=general._asdict())
    return role


def change(admin: Administration, role_id: str, seen: str, claimed: dict[str, str]) -> Role:
    """Its name, description and rank; the key stays, since products know it. Raises Mistake,
    Forbidden, Changed, NotFound."""
    rights = _in_turn(admin)
    role = _changeable(admin, rights, role_id, seen)
    general = _general(admin, rights, claimed, role)
    before = General(role.name, role.description, role.rank)
    if general != before:
        role.name, role.description, role.rank = general
        _record_change(admin, role, before._asdict(), general._asdict())
    return role


def select(admin: Administration, role_id: str, seen: str, claimed: Iterable[str]) -> Role:
    """The nodes that the role selects from now on, as values of `access_tree`. Raises Mistake,
    Forbidden, Changed, NotFound."""
    rights = _in_turn(admin)
    role = _changeable(admin, rights, role_id, seen)
    before = granting.nodes_of(role)
    after = _selection(admin, rights, before, access_tree.parsed(claimed))
    role.permissions = [row for row in role.permissions if _pair(row) in after]
    for product, key in sorted(after - before):
        role.permissions.append(RolePermission(product_key=product, permission_key=key))
    if after != before:
        _record_change(admin, role, {"nodes": _told(before)}, {"nodes": _told(after)})
    return role


def delete(admin: Administration, role_id: str, seen: str) -> Role:
    """Whoever has it has it no more. Raises Forbidden, Changed, NotFound."""
    rights = _in_turn(admin)
    role = _changeable(admin, rights, role_id, seen)
    before = {"name": role.name, "rank": role.rank, "nodes": _told(granting.nodes_of(role))}
    admin.rows.delete(role)
    admin.record("role.deleted", role=role.id, key=role.key, before=before)
    return role


def digest(role: Role) -> str:
    """Of everything about a role that somebody can change."""
    state: Any = [role.name, role.description, role.rank, sorted(granting.nodes_of(role))]
    return sha256(orjson.dumps(state)).hexdigest()[:32]


def highest_rank(rights: Rights) -> int:
    """The highest that somebody can set; the built-in account admin alone is above all."""
    return min(rights.rank, TOP_RANK - 1)


def _in_turn(admin: Administration) -> Rights:
    rights = granting.in_turn(admin, PERMISSION)
    admin.check_recent()
    return rights


def _changeable(admin: Administration, rights: Rights, role_id: str, seen: str) -> Role:
    role = admin.get(Role, role_id)
    if not granting.may_change(rights, role):
        raise Forbidden(f"may not change the role {role.key}")
    if seen != digest(role):
        raise Changed(f"the role {role.key}")
    return role


def _general(
    admin: Administration, rights: Rights, claimed: dict[str, str], role: Role | None
) -> General:
    errors = {}
    name = one_line(claimed.get("name", ""), MAX_NAME)
    described = claimed.get("description", "").strip()
    description = one_line(described, MAX_DESCRIPTION) if described else ""
    rank = int(claimed["rank"]) if re.fullmatch(r"[0-9]{1,3}", claimed.get("rank", "")) else 0
    if name is None:
        errors["name"] = told("Enter a name of at most 80 letters.")
    elif _is_taken(admin, name, role):
        errors["name"] = told("There is a role with this name already.")
    if description is None:
        errors["description"] = told("Describe it in at most 300 letters, on one line.")
    if not 1 <= rank <= highest_rank(rights):
        errors["rank"] = told("Enter a rank from 1 up to your own, and at most 99.")
    if errors or name is None or description is None:
        raise Mistake(**errors)
    return General(name, description, rank)


def _is_taken(admin: Administration, name: str, role: Role | None) -> bool:
    """Letters that differ in case alone would be read as the same role."""
    named = {
        found.casefold()
        for role_id, found in admin.rows.execute(sa.select(Role.id, Role.name))
        if role is None or role_id != role.id
    }
    return name.casefold() in named


def _free_key(admin: Administration, name: str) -> str:
    """Made from the name: small letters, digits and underscores, and never a claim's."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "_", plain).strip("_0123456789")[:40] or "role"
    base = base if len(base) > 1 else f"role_{base}"
    taken = RESERVED_NAMES | set(admin.rows.scalars(sa.select(Role.key)))
    numbered = (f"{base}_{number}" for number in range(2, MAX_ROLES + 3))
    return base if base not in taken else next(key for key in numbered if key not in taken)


def _selection(
    admin: Administration, rights: Rights, before: frozenset[Node], wanted: frozenset[Node]
) -> frozenset[Node]:
    tree = access_tree.every_node(admin.rows)
    if wanted - tree - before:
        raise Mistake(nodes=told("Something that you ticked is not there any more. Look again."))
    editable = frozenset(node for node in tree if rights.holds(frozenset({node})))
    if wanted - before - editable:
        raise Forbidden("a node that the editor does not hold")
    return (wanted & editable) | (before - editable)


def _record_change(
    admin: Administration, role: Role, before: dict[str, Any], after: dict[str, Any]
) -> None:
    admin.record("role.changed", role=role.id, key=role.key, before=before, after=after)


def _pair(row: RolePermission) -> Node:
    return row.product_key, row.permission_key


def _told(nodes: Iterable[Node]) -> list[str]:
    return sorted("/".join(node) for node in nodes)
