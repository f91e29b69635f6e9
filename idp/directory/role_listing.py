"""What roles there are, who has them, and what their people would lose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from idp.directory import access_tree, granting, role_editing
from idp.directory.acting import Administration, Forbidden, Node, Rights
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.products import Product
from idp.directory.roles import Role, RolePermission
from idp.directory.users import User

COUNTED = 1000  # people of a role are counted up to here
SHOWN = 50  # people that are named before a role is deleted


class RoleLine(NamedTuple):
    """`people` is at most COUNTED, and `opens` names products, in their order."""

    id: str
    key: str
    name: str
    description: str
    rank: int
    people: int
    has_more: bool
    opens: Sequence[str]
    has_all: bool
    may_change: bool


class Loss(NamedTuple):
    """Somebody who has the role, and the products that nothing else opens for them."""

    name: str
    email: str
    products: Sequence[str]


class Deletion(NamedTuple):
    """What deleting a role does: to the `people` who are shown, and to how many it has."""

    people: Sequence[Loss]
    people_count: int
    has_more: bool


def roles(admin: Administration) -> list[RoleLine]:
    """By rank, then by name. Raises Forbidden."""
    admin.check(role_editing.PERMISSION)
    known = access_tree.products(admin.rows)
    found = admin.rows.scalars(sa.select(Role).order_by(Role.rank.desc(), Role.name, Role.id))
    return [_line(admin.actor.rights, role, known, _people(admin, role.id)) for role in found]


def _line(rights: Rights, role: Role, known: Iterable[Product], people: int) -> RoleLine:
    nodes = granting.nodes_of(role)
    return RoleLine(
        id=role.id,
        key=role.key,
        name=role.name,
        description=role.description,
        rank=role.rank,
        people=min(people, COUNTED),
        has_more=people > COUNTED,
        opens=[product.name for product in known if _opens(product, nodes)],
        has_all=role.all_permissions,
        may_change=granting.may_change(rights, role),
    )


def _opens(product: Product, nodes: frozenset[Node]) -> bool:
    return any((product.key, node.key) in nodes for node in product.permissions)


def _people(admin: Administration, role_id: str) -> int:
    """How many have the role; one above COUNTED says that there are more."""
    counted = (
        sa.select(MembershipRole.membership_id)
        .where(MembershipRole.role_id == role_id)
        .limit(COUNTED + 1)
        .subquery()
    )
    return admin.rows.scalar(sa.select(sa.func.count()).select_from(counted)) or 0


def deletion(admin: Administration, role: Role) -> Deletion:
    """What its people lose, for who may delete it. Raises Forbidden."""
    admin.check(role_editing.PERMISSION)
    if not granting.may_change(admin.actor.rights, role):
        raise Forbidden(f"may not delete the role {role.key}")
    people = admin.rows.execute(
        sa.select(Membership.id, User.name, User.email)
        .join(MembershipRole, MembershipRole.membership_id == Membership.id)
        .join(User, User.id == Membership.user_id)
        .where(MembershipRole.role_id == role.id)
        .order_by(MembershipRole.membership_id)
        .limit(SHOWN)
    ).all()
    known = access_tree.products(admin.rows)
    given = granting.nodes_of(role)
    kept = _kept(admin, role, [membership_id for membership_id, _, _ in people])
    count = _people(admin, role.id)
    losses = [Loss(name, email, _lost(known, given, kept[key])) for key, name, email in people]
    return Deletion(losses, min(count, COUNTED), count > COUNTED)


def _kept(admin: Administration, role: Role, memberships: list[str]) -> dict[str, Rights]:
    """What each membership has by its other roles."""
    kept = {key: Rights(0, False, frozenset()) for key in memberships}
    others = (
        sa.select(
            MembershipRole.membership_id,
            Role.all_permissions,
            RolePermission.product_key,
            RolePermission.permission_key,
        )
        .join(Role, Role.id == MembershipRole.role_id)
        .outerjoin(RolePermission, RolePermission.role_id == Role.id)
        .where(MembershipRole.membership_id.in_(memberships), Role.id != role.id)
    )
    for key, has_all, product, node in admin.rows.execute(others):
        nodes = kept[key].nodes | ({(product, node)} if product else frozenset())
        kept[key] = Rights(0, kept[key].has_all or has_all, nodes)
    return kept


def _lost(known: Iterable[Product], given: frozenset[Node], kept: Rights) -> list[str]:
    return [
        product.name
        for product in known
        if _opens(product, given) and not (kept.has_all or _opens(product, kept.nodes))
    ]
