"""Unlinking everything that somebody has enrolled (product.md M9; docs/decisions/0029).

It takes with it that they skipped it, ends their sessions and refresh tokens, and touches nobody
else; the next sign-in enrols anew where the policy demands it. Nobody does it to themselves, or to
somebody above them (security.md S79), and the admin has just proven a second factor of their own. A
person whose sign-in protects more than this company, since they are at home in another one or
operate the platform, is left to an operator who visits, and nobody else: else whoever administers
one company would come closer to what another one protects.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import audit
from idp.credentials import factors
from idp.database import Connection
from idp.directory import granting, homes, memberships, person, tenants, users
from idp.directory.acting import Administration, Forbidden, Mistake, Rights, rights_of
from idp.directory.memberships import Membership
from idp.directory.person import Member
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.errors import told
from idp.federation import linked_accounts
from idp.federation.linked_accounts import By
from idp.grants.reset_requests import PERMISSION
from idp.sessions import of_person

ENDED_BY = "an admin reset the second factors"


class Subject(NamedTuple):
    """Whose they are, and whether their sign-in protects more than this company."""

    someone: Member
    is_shared: bool


def may_unlink(admin: Administration, someone: Member) -> bool:
    """Whether to offer it: what the person is elsewhere comes up only when it is tried."""
    theirs = rights_of(admin.db, someone.id)
    return admin.may(PERMISSION) and _is_within(admin, admin.actor.rights, someone, theirs)


def subject(admin: Administration, membership_id: str) -> Subject:
    """Somebody whom the actor may reset, in the tenant's turn. Raises Forbidden,
    SecondFactorNeeded, NotFound, or Mistake."""
    admin.check(PERMISSION)
    someone = person.find_member(admin, membership_id)
    admin.check_second_factor()
    is_shared = _is_shared(admin, someone)
    rights = granting.in_turn(admin, PERMISSION)
    someone = person.find_member(admin, membership_id)
    if not _is_within(admin, rights, someone, rights_of(admin.db, membership_id)):
        raise Forbidden("oneself, somebody above, or somebody from another company")
    if is_shared and admin.actor.visit_id is None:
        raise Mistake(
            reset=told(
                "More than this company rests on their sign-in. Ask an operator to reset it."
            )
        )
    return Subject(someone, is_shared)


def unlink(admin: Administration, subject: Subject, **more: Any) -> None:
    """Also accounts at other providers, which whoever has to be kept out may have linked. `more` is
    told in the log, and to who reads it."""
    someone = subject.someone
    users.refuse_proofs(admin.db, someone.user_id, admin.now)  # whoever is enrolling comes before
    unlinked = factors.unlink_all(admin.db, someone.user_id)
    linked = _unlink_accounts(admin, someone.user_id)
    admin.get(Membership, someone.id).second_factor_skipped_at = None
    until = factors.last_proof(unlinked, admin.now)
    of_person.refuse_proofs(
        admin.db, someone.user_id, until, None, ENDED_BY, admin.now, admin.origin
    )
    about = person.about(someone)
    methods = [each.method for each in unlinked]
    admin.record("person.second_factors_reset", **about, factors=methods, linked=linked, **more)
    if subject.is_shared:
        _tell_the_others(admin, someone)


def _is_within(admin: Administration, rights: Rights, someone: Member, theirs: Rights) -> bool:
    """A visitor is who helps the last account admin, and so is below nobody here."""
    is_below = admin.actor.visit_id is not None or granting.may_act_on(rights, theirs)
    is_in = someone.is_home and someone.status != memberships.ENDED
    return is_below and is_in and someone.user_id != admin.actor.user_id


def _unlink_accounts(admin: Administration, user_id: str) -> list[str]:
    """At which providers, as this company may know them: its own, and the platform's."""
    by = By(admin.actor.user_id, admin.tenant.id)
    gone = linked_accounts.unlink_since(admin.db, user_id, 0.0, by, admin.now, admin.origin)
    return [each.provider_key for each in gone if each.company_id in ("", admin.tenant.id)]


def _is_shared(admin: Administration, someone: Member) -> bool:
    with admin.database.connection() as db:
        (operates,) = db.row(_OPERATES, user_id=someone.user_id) or (False,)
        return bool(operates) or bool(_other_homes(db, admin, someone))


def _tell_the_others(admin: Administration, someone: Member) -> None:
    with admin.database.connection() as db:
        others = _other_homes(db, admin, someone)
    for tenant_id in others:
        audit.record(
            admin.db,
            "person.second_factors_reset_elsewhere",
            admin.now,
            admin.origin,
            actor=admin.actor.user_id,
            tenant=tenant_id,
            person=someone.user_id,
        )


_HOMES = (
    sa.select(Membership.tenant_id)
    .join(Tenant, Tenant.id == Membership.tenant_id)
    .where(
        Membership.user_id == sa.bindparam("user_id"),
        *homes.IS_HOME,
        Tenant.status != sa.literal_column(f"'{tenants.ENDED}'"),
    )
)
_OPERATES = sa.select(User.is_operator).where(User.id == sa.bindparam("user_id"))


def _other_homes(db: Connection, admin: Administration, someone: Member) -> list[str]:
    """Asked on a connection that sees every company."""
    rows = db.rows(_HOMES, user_id=someone.user_id)
    return [tenant_id for (tenant_id,) in rows if tenant_id != admin.tenant.id]
