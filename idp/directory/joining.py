"""How somebody comes into a tenant: a membership with its roles, found in lists from then on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from idp.database import Connection
from idp.directory import memberships, person_words, users
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.roles import Role
from idp.directory.users import User
from idp.secret_values import new_id
from idp.statements import Upsert

_USERS: Any = User.__table__
_MEMBERS: Any = Membership.__table__
_LINKS: Any = MembershipRole.__table__
UNINVITED = "staff"  # the kind of who comes in without an invitation, which would say another
_USER_COLUMNS = ("id", "email", "email_canonical", "email_verified_at", "name", "locale")
_MAKE_USER = Upsert(
    lambda insert: (
        insert(_USERS)
        .values(
            {name: sa.bindparam(name) for name in (*_USER_COLUMNS, "created_at", "updated_at")}
            | {"given_name": "", "family_name": "", "zoneinfo": "UTC"}
            | {"status": users.ACTIVE, "is_operator": sa.false(), "sessions_valid_after": 0.0}
        )
        .on_conflict_do_nothing(index_elements=["email_canonical"])
        .returning(_USERS.c.id)
    )
)
_JOIN = Upsert(
    lambda insert: (
        insert(_MEMBERS)
        .values(
            {name: sa.bindparam(name) for name in ("id", "user_id", "tenant_id", "kind")}
            | {"status": memberships.ACTIVE, "source": memberships.HOME}
            | {"sort_name": "", "created_at": sa.bindparam("created_at")}
        )
        .on_conflict_do_nothing(
            index_elements=["user_id", "tenant_id"], index_where=memberships.IS_NOT_ENDED
        )
        .returning(_MEMBERS.c.id)
    )
)
_CLOSE = (
    sa.update(_MEMBERS)
    .where(
        _MEMBERS.c.user_id == sa.bindparam("user_id"),
        _MEMBERS.c.tenant_id == sa.bindparam("tenant_id"),
        _MEMBERS.c.ends_at <= sa.bindparam("now", type_=sa.Double),
        memberships.HAS_NOT_ENDED,
    )
    .values(status=memberships.ENDED)
)
_ROLE = sa.select(Role.id).where(
    Role.id == sa.bindparam("role_id"), Role.tenant_id == sa.bindparam("tenant_id")
)
_GIVE = sa.insert(_LINKS).values(
    {name: sa.bindparam(name) for name in ("membership_id", "role_id", "tenant_id")}
)


def make_user(
    db: Connection,
    email: str,
    canonical: str,
    name: str,
    locale: str,
    now: float,
    *,
    verified_at: float | None,
) -> str | None:
    """The new person's id; None if somebody has the address already."""
    row = db.row(
        _MAKE_USER,
        id=new_id(),
        email=email,
        email_canonical=canonical,
        email_verified_at=verified_at,
        name=name,
        locale=locale,
        created_at=now,
        updated_at=now,
    )
    return None if row is None else str(row[0])


def join(
    db: Connection,
    user_id: str,
    tenant_id: str,
    kind: str,
    role_ids: Iterable[str],
    now: float,
) -> str | None:
    """The new membership's id; None if the person is a member already, who is left as they are. One
    that has ended, or that its date has ended, stays behind with its roles, grants and consents
    (security.md S77). A role that is gone is not given."""
    db.run(_CLOSE, user_id=user_id, tenant_id=tenant_id, now=now)
    membership_id = new_id()
    joined = db.row(
        _JOIN, id=membership_id, user_id=user_id, tenant_id=tenant_id, kind=kind, created_at=now
    )
    if joined is None:
        return None
    for role_id in role_ids:
        if db.row(_ROLE, role_id=role_id, tenant_id=tenant_id):
            db.run(_GIVE, membership_id=membership_id, role_id=role_id, tenant_id=tenant_id)
    person_words.keep(db, user_id)
    return membership_id
