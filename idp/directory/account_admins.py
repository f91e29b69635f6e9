"""The account admins of a company: its own people who have everything there and can sign in.
Somebody who was let in from another company is never one, whatever role they have."""

from __future__ import annotations

import sqlalchemy as sa

from idp.directory import memberships, users
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.roles import Role
from idp.directory.users import User

IN_FORCE = (
    sa.select(User.id, User.email, User.name, User.locale)
    .select_from(Role)
    .join(MembershipRole, MembershipRole.role_id == Role.id)
    .join(Membership, Membership.id == MembershipRole.membership_id)
    .join(User, User.id == Membership.user_id)
    .where(
        Role.all_permissions.is_(sa.true()),
        Membership.source == memberships.HOME,
        memberships.STATUS_NOW == memberships.ACTIVE,
        User.status == users.ACTIVE,
    )
    .distinct()
)
"""Of every tenant that the session reaches. It wants `now`."""
