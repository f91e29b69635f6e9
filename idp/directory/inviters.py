"""By what right an invitation was made, asked again when it is accepted: whoever may not invite any
more, or not with these roles, has invited nobody (security.md S62, S79)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp.database import Connection
from idp.directory import account_admins, clients, granting, operator_visits
from idp.directory.acting import EVERYTHING, NOTHING, Rights
from idp.directory.clients import Client
from idp.directory.invitations import FILE, OPERATOR, VISIT, Invitation
from idp.directory.products import CONSOLE, PLATFORM
from idp.directory.roles import Role

INVITES = frozenset({(CONSOLE, "people.manage")})


def may_still_invite(rows: Session, db: Connection, invitation: Invitation, now: float) -> bool:
    """In a session of its tenant alone. A set-up file's gives no roles, and is its owner's; an
    operator's is for a company that has no account admin."""
    if invitation.source == FILE:
        return not invitation.role_ids
    if invitation.source == OPERATOR:
        has_one = rows.execute(account_admins.IN_FORCE.limit(1), {"now": now}).first() is not None
        return not has_one and _looks_after_tenants(rows, db, invitation)
    rights = _rights(rows, db, invitation, now)
    roles = rows.scalars(sa.select(Role).where(Role.id.in_(invitation.role_ids)))
    return rights is not None and all(
        granting.may_grant(rights, role, is_own=False) for role in roles
    )


def _looks_after_tenants(rows: Session, db: Connection, invitation: Invitation) -> bool:
    if invitation.invited_by is not None:
        return operator_visits.operates(db, invitation.invited_by)
    permissions = rows.scalar(
        sa.select(Client.permissions).where(
            Client.client_id == invitation.client_id,
            Client.product_key == PLATFORM,
            Client.status == clients.ACTIVE,
        )
    )
    return "tenants.manage" in (permissions or ())


def _rights(rows: Session, db: Connection, invitation: Invitation, now: float) -> Rights | None:
    """Of whoever invited, as they are now; None if they invite nobody any more."""
    who, client_id = invitation.invited_by, invitation.client_id
    if invitation.source == VISIT:
        is_one = who is not None and operator_visits.operates(db, who)
        return operator_visits.VISITOR if is_one else None
    rights = NOTHING
    if who is not None:
        rights = granting.rights_of_person(rows, db, who, now)
    elif client_id is not None:
        rights = EVERYTHING
    if client_id is not None:
        permissions = granting.permissions_of_client(rows, client_id, is_alone=who is None)
        rights = granting.by_client(rights, permissions)
    return rights if rights.holds(INVITES) else None
