"""Who may hand on what: the one rule behind giving roles, editing them, inviting and importing.

Rank is the ceiling of everything: nobody gives, takes away, makes, changes or deletes a role above
their own, nor acts on a person above them. Administration is handed on by those alone who have it:
a role with nodes of the console's is given by who holds these nodes. And nobody gives or takes
anything of their own (security.md S79; docs/decisions/0017).

Changes of who may do what come one at a time in each tenant (`in_turn`), and are judged by what
the actor may do when their turn has come: whoever was demoted a moment ago changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from idp.directory import memberships, users
from idp.directory.acting import Administration, Forbidden, Mistake, Node, Rights, rights_of
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.products import CONSOLE
from idp.directory.roles import Role
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.errors import told


def in_turn(admin: Administration, permission: str) -> Rights:
    """Wait for the tenant's turn, and tell what the actor may do now. Call it before anything is
    read that the change rests on. Raises Forbidden for who has not, or no longer, the console's
    `permission`."""
    admin.check(permission)
    wait_for_turn(admin)
    rights = _rights_now(admin)
    if not rights.holds(frozenset({(CONSOLE, permission)})):
        raise Forbidden(f"{permission} was taken away")
    return rights


def wait_for_turn(admin: Administration) -> None:
    """Whoever changes the tenant's people or roles in another transaction has finished."""
    tenant = sa.select(Tenant.id).where(Tenant.id == admin.tenant.id)
    admin.rows.execute(tenant.with_for_update(key_share=True))


def _rights_now(admin: Administration) -> Rights:
    """A client, and an operator on a visit, have no membership to look up again."""
    actor = admin.actor
    if actor.user_id is None or actor.visit_id is not None:
        return actor.rights
    membership_id = admin.rows.scalar(
        sa.select(Membership.id)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.user_id == actor.user_id,
            User.status == users.ACTIVE,
            memberships.STATUS_NOW == memberships.ACTIVE,
        ),
        {"now": admin.now},
    )
    return rights_of(admin.db, membership_id or "")


def nodes_of(role: Role) -> frozenset[Node]:
    """What the role selects; everything, if it has `all_permissions`, is not among it."""
    return frozenset((row.product_key, row.permission_key) for row in role.permissions)


def may_grant(rights: Rights, role: Role, *, is_own: bool) -> bool:
    """Whether somebody with these rights may give the role, or take it away. `is_own` says that it
    would be to or from themselves."""
    administration = frozenset(node for node in nodes_of(role) if node[0] == CONSOLE)
    return (
        not is_own
        and role.rank <= rights.rank
        and (rights.is_unlimited or not role.all_permissions)
        and rights.holds(administration)
    )


def may_change(rights: Rights, role: Role) -> bool:
    """Whether they may edit or delete the role: by rank, and never the built-in account admin."""
    return role.rank <= rights.rank and not role.all_permissions


def may_act_on(rights: Rights, other: Rights) -> bool:
    """Whether they may disable, sign out or reset somebody who has `other`."""
    return other.rank <= rights.rank and (rights.is_unlimited or not other.has_all)


def check_may_grant(
    admin: Administration, rights: Rights, roles: Iterable[Role], user_id: str | None
) -> None:
    """`user_id` is whose roles they will be or were, None for somebody who is not here yet. Raises
    Forbidden."""
    is_own = user_id is not None and user_id == admin.actor.user_id
    for role in roles:
        if not may_grant(rights, role, is_own=is_own):
            raise Forbidden(f"may not give or take the role {role.key}")


def check_an_account_admin_remains(admin: Administration, without: str) -> None:
    """Somebody active has everything here, besides the membership `without`. Ask it in one's turn
    and before the change. Raises Mistake."""
    another = (
        sa.select(Membership.id)
        .join(User, User.id == Membership.user_id)
        .join(MembershipRole, MembershipRole.membership_id == Membership.id)
        .join(Role, Role.id == MembershipRole.role_id)
        .where(
            Role.all_permissions.is_(sa.true()),
            Membership.id != without,
            Membership.source == memberships.HOME,
            User.status == users.ACTIVE,
            memberships.STATUS_NOW == memberships.ACTIVE,
        )
        .limit(1)
    )
    if admin.rows.scalar(another, {"now": admin.now}) is None:
        raise Mistake(roles=told("A company keeps at least one account admin."))
