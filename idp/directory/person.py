"""One member of a tenant: who they are here, and their roles."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa

from idp.directory import account_admins, granting, guests, memberships
from idp.directory.access_requests import AccessRequest
from idp.directory.acting import Administration, Forbidden, NotFound, rights_of
from idp.directory.memberships import STATUS_NOW, Membership, MembershipRole
from idp.directory.roles import Role
from idp.directory.users import User


class Member(NamedTuple):
    """`id` is the membership's; times are seconds since 1970."""

    id: str
    user_id: str
    name: str
    email: str
    locale: str
    email_verified_at: float | None
    user_status: str
    kind: str
    status: str
    source: str
    only_products: str | None
    ends_at: float | None
    created_at: float

    @property
    def is_home(self) -> bool:
        return self.source == memberships.HOME

    @property
    def managed_by(self) -> str:
        """The permission that looks after them (docs/console.md)."""
        return "people.manage" if self.is_home else "access.receive"


class OfferedRole(NamedTuple):
    """A role of the tenant: whether the member `has` it, and whether the actor may change that."""

    key: str
    name: str
    description: str
    has: bool
    may_change: bool


def member(admin: Administration, membership_id: str) -> Member:
    """Raises Forbidden, or NotFound."""
    admin.check("people.read")
    return find_member(admin, membership_id)


def find_member(admin: Administration, membership_id: str) -> Member:
    """For rules, which check what they need themselves. Raises NotFound."""
    row = admin.rows.execute(
        sa.select(
            *(Membership.id, Membership.user_id, User.name, User.email, User.locale),
            *(User.email_verified_at, User.status, Membership.kind, STATUS_NOW, Membership.source),
            *(Membership.only_products, Membership.ends_at, Membership.created_at),
        )
        .join(User, User.id == Membership.user_id)
        .where(Membership.id == membership_id),
        {"now": admin.now},
    ).first()
    if row is None:
        raise NotFound("no such member of this tenant")
    return Member._make(row)


def offered_roles(admin: Administration, someone: Member) -> list[OfferedRole]:
    """All roles of the tenant, the highest first."""
    held = _held(admin, someone.id)
    is_own = someone.user_id == admin.actor.user_id
    may_manage = admin.may(someone.managed_by) and granting.may_act_on(
        admin.actor.rights, rights_of(admin.db, someone.id)
    )
    return [
        OfferedRole(
            *(role.key, role.name, role.description, role.key in held),
            may_manage
            and granting.may_grant(admin.actor.rights, role, is_own=is_own)
            and (someone.is_home or not role.all_permissions),
        )
        for role in admin.rows.scalars(sa.select(Role).order_by(Role.rank.desc(), Role.name))
    ]


def change_roles(
    admin: Administration, membership_id: str, give: Collection[str], take: Collection[str]
) -> bool:
    """Give and take away roles, by key; False if that changes nothing. The member is told. Raises
    Forbidden, RecentSignInNeeded, NotFound, or Mistake."""
    someone = find_member(admin, membership_id)
    admin.check(someone.managed_by)
    admin.check_recent()
    rights = granting.in_turn(admin, someone.managed_by)
    if not granting.may_act_on(rights, rights_of(admin.db, membership_id)):
        raise Forbidden("a person above them")
    roles = {role.key: role for role in granting.roles_named(admin, {*give, *take})}
    held = _held(admin, membership_id)
    given = [role for key, role in roles.items() if key in give and key not in held]
    taken = [role for key, role in roles.items() if key in take and key in held]
    if not someone.is_home:
        guests.check_may_give(admin, _access_of(admin, membership_id), given)
    granting.check_may_grant(admin, rights, [*given, *taken], someone.user_id)
    if any(role.all_permissions for role in taken):
        account_admins.check_one_remains(admin, without=membership_id)
    if not given and not taken:
        return False
    row = admin.get(Membership, membership_id)
    row.roles = [each for each in row.roles if each.role_id not in {role.id for role in taken}]
    row.roles += [MembershipRole(role_id=role.id, tenant_id=admin.tenant.id) for role in given]
    admin.rows.flush()
    after = (held | {role.key for role in given}) - {role.key for role in taken}
    admin.record("person.roles_changed", **about(someone), before=sorted(held), after=sorted(after))
    return True


def _access_of(admin: Administration, membership_id: str) -> AccessRequest:
    """What let somebody from another company in. Raises NotFound."""
    row = admin.get(Membership, membership_id)
    return admin.get(AccessRequest, row.access_request_id or "")


def about(someone: Member) -> dict[str, str]:
    """Whom an audit event concerns, besides who acted."""
    return {"person": someone.user_id, "membership": someone.id}


def _held(admin: Administration, membership_id: str) -> set[str]:
    return set(
        admin.rows.scalars(
            sa.select(Role.key)
            .join(MembershipRole, MembershipRole.role_id == Role.id)
            .where(MembershipRole.membership_id == membership_id)
        )
    )
