"""The account admins of a company: its own people who have everything there and can sign in.
Somebody who was let in from another company is never one, whatever role they have.

A company keeps at least one; and where its own identity provider is the only way in, at least one
of those whom the provider leaves out: else nobody could come in while it is down, or change it.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from idp.directory import identity_providers, memberships, users
from idp.directory.acting import Administration, Mistake
from idp.directory.identity_providers import CompanyProvider
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.roles import Role
from idp.directory.users import User
from idp.errors import told

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


def check_one_remains(admin: Administration, without: str) -> None:
    """Besides the membership `without`. Ask it in one's turn and before the change. Raises
    Mistake."""
    if not _is_one(admin, Membership.id != without):
        raise Mistake(roles=told("A company keeps at least one account admin."))
    only_ways = sa.select(CompanyProvider.left_out).where(
        CompanyProvider.is_only_way, CompanyProvider.status == identity_providers.ACTIVE
    )
    for left_out in admin.rows.scalars(only_ways):
        if not is_one_among(admin, left_out.split(), without):
            raise Mistake(
                roles=told(
                    "They are the last account admin who does not need the company's identity"
                    " provider to sign in. Let it leave out another one first."
                )
            )


def is_one_among(admin: Administration, user_ids: Collection[str], without: str = "") -> bool:
    """Whether an account admin is one of these people."""
    return _is_one(admin, User.id.in_(user_ids), Membership.id != without)


def _is_one(admin: Administration, *conditions: sa.ColumnElement[bool]) -> bool:
    found = IN_FORCE.where(*conditions).limit(1)
    return admin.rows.scalar(found, {"now": admin.now}) is not None
