"""Who may hand on what: the one rule behind giving roles, editing them, inviting and importing.

Rank is the ceiling of everything: nobody gives, takes away, makes, changes or deletes a role above
their own, nor acts on a person above them. Administration is handed on by those alone who have it:
a role with nodes of the console's is given by who holds these nodes. And nobody gives or takes
anything of their own (security.md S79; docs/decisions/0017).

A client hands on less than the person whose token it has: it stays below the account admin, and of
the console's nodes it gives those alone that the token carries. A visitor hands on none of them.

Changes of who may do what come one at a time in each tenant (`in_turn`), and are judged by what
the actor may do when their turn has come: whoever was demoted a moment ago changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp.database import Connection
from idp.directory import clients, memberships, operator_visits, users
from idp.directory.acting import (
    EVERYTHING,
    Administration,
    Forbidden,
    Mistake,
    Node,
    Rights,
    rights_of,
)
from idp.directory.clients import Client
from idp.directory.memberships import Membership
from idp.directory.products import CONSOLE, Permission
from idp.directory.roles import TOP_RANK, Role
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
    is_visit = admin.actor.visit_id is not None
    if not is_visit and not rights.holds(frozenset({(CONSOLE, permission)})):
        raise Forbidden(f"{permission} was taken away")
    return rights


def wait_for_turn(admin: Administration) -> None:
    """Whoever changes the tenant's people or roles in another transaction has finished."""
    wait_for_turn_of(admin.rows, admin.tenant.id)


def wait_for_turn_of(rows: Session, tenant_id: str) -> None:
    tenant = sa.select(Tenant.id).where(Tenant.id == tenant_id)
    rows.execute(tenant.with_for_update(key_share=True))


def _rights_now(admin: Administration) -> Rights:
    """Of the person, of the client and of the visit, each as it is now. Raises Forbidden for a
    visit that is over."""
    actor = admin.actor
    if actor.visit_id is not None:
        if not operator_visits.goes_on(admin.db, actor.visit_id, admin.now):
            raise Forbidden("the visit is over")
        return actor.rights
    rights = EVERYTHING
    if actor.user_id is not None:
        rights = rights_of_person(admin.rows, admin.db, actor.user_id, admin.now)
    if actor.client_id is None:
        return rights
    is_alone = actor.user_id is None
    registered = permissions_of_client(admin.rows, actor.client_id, is_alone=is_alone)
    return by_client(rights, actor.permissions & registered)


def rights_of_person(rows: Session, db: Connection, user_id: str, now: float) -> Rights:
    """What somebody has in the one tenant of the session, NOTHING if they are not, or no longer, in
    it."""
    membership_id = rows.scalar(
        sa.select(Membership.id)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.user_id == user_id,
            User.status == users.ACTIVE,
            memberships.STATUS_NOW == memberships.ACTIVE,
        ),
        {"now": now},
    )
    return rights_of(db, membership_id or "")


def permissions_of_client(rows: Session, client_id: str, *, is_alone: bool) -> frozenset[str]:
    """The most of the console's that a client may have now: what it is registered for where it acts
    alone, for anything where a person has given it a token, and nothing once it is disabled."""
    row = rows.execute(
        sa.select(Client.permissions).where(
            Client.client_id == client_id,
            Client.product_key == CONSOLE,
            Client.status == clients.ACTIVE,
        )
    ).first()
    if row is None:
        return frozenset()
    tree = sa.select(Permission.key).where(Permission.product_key == CONSOLE)
    return frozenset(row[0] if is_alone else rows.scalars(tree))


def by_client(rights: Rights, permissions: frozenset[str]) -> Rights:
    """What is left of somebody's rights in a client's hands; `permissions` are its token's."""
    return rights._replace(rank=min(rights.rank, TOP_RANK - 1), console=permissions)


def is_account_admin(admin: Administration) -> bool:
    """Whether the company's own account admin acts, at a page or by a client of theirs: for what
    makes nobody more than they are."""
    user_id = admin.actor.user_id
    if user_id is None or admin.actor.visit_id is not None:
        return False
    return rights_of_person(admin.rows, admin.db, user_id, admin.now).is_unlimited


def roles_named(admin: Administration, keys: Collection[str]) -> list[Role]:
    """Raises Mistake."""
    found = list(admin.rows.scalars(sa.select(Role).where(Role.key.in_(keys))))
    if {role.key for role in found} != set(keys):
        raise Mistake(roles=told("One of these roles is not there any more."))
    return found


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
