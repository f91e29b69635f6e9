"""The company that is entered: it gives the roles, and may end it at any time (product.md T7)."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from idp.directory import guests, memberships
from idp.directory.access_requests import AccessRequest, Action, Side
from idp.directory.access_steps import check_mistakes, get_received, person_of, take
from idp.directory.acting import Administration
from idp.directory.granting import check_may_grant, in_turn
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.products import BUILT_IN
from idp.directory.roles import Role
from idp.errors import told


def set_up(
    admin: Administration, request_id: str, kind: str, role_ids: Sequence[str]
) -> AccessRequest:
    """Give the roles: from then on the access is open. Raises Mistake, Forbidden, Moved."""
    rights = in_turn(admin, "access.receive")
    admin.check_recent()
    who, request = person_of(admin), get_received(admin, request_id)
    roles, errors = _roles(admin, role_ids), dict[str, str]()
    guests.check_may_give(admin, request, roles)
    if kind not in memberships.KINDS:
        errors["kind"] = told("Choose what kind of person they are here.")
    _check_roles(request, roles, role_ids, errors)
    check_mistakes(errors)
    check_may_grant(admin, rights, roles, request.user_id)
    changed = {"configured_by": who, "configured_at": admin.now}
    names = sorted(role.key for role in roles)
    take(admin, request, Action.SET_UP, "access.set_up", changed, kind=kind, roles=names)
    membership = admin.get(Membership, request.membership_id or "")
    membership.kind = kind
    membership.roles[:] = [MembershipRole(role_id=role.id) for role in roles]
    return request


def assignable(admin: Administration) -> list[Role]:
    """The roles that somebody from another company can be given here."""
    wanted = sa.select(Role).where(Role.all_permissions.is_(sa.false())).order_by(Role.name)
    return [role for role in admin.rows.scalars(wanted) if _products_of(role)]


def _roles(admin: Administration, role_ids: Sequence[str]) -> list[Role]:
    return list(admin.rows.scalars(sa.select(Role).where(Role.id.in_(role_ids))))


def _check_roles(
    request: AccessRequest, roles: list[Role], role_ids: Sequence[str], errors: dict[str, str]
) -> None:
    """One of them opens something that was asked for."""
    opened = {product for role in roles for product in _products_of(role)}
    if not roles or len(roles) != len(set(role_ids)):
        errors["roles"] = told("Choose at least one role.")
    elif not opened & set(request.products.split()):
        errors["roles"] = told("None of these roles opens a product that was asked for.")


def _products_of(role: Role) -> set[str]:
    return {row.product_key for row in role.permissions} - set(BUILT_IN)


def end(admin: Administration, request_id: str) -> AccessRequest:
    """The access of somebody from another company to this one."""
    admin.check("access.receive")
    admin.check_recent()
    who, request = person_of(admin), get_received(admin, request_id)
    changed = {"ended_by": who, "ended_at": admin.now, "ended_side": Side.RECEIVING}
    take(admin, request, Action.END, "access.ended", changed)
    return request
