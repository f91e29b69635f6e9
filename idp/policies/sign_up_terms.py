"""Who may open an account with an address of a company's verified domains, as its admins see and
change it (product.md S5). What it comes to is decided in `belonging.py`.

Letting people in by themselves takes the right to manage people, as inviting does, and a role that
one may give. It is said for the domains and the role that are there then: what comes later waits
until somebody who may has saved it again, and has seen it.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp.directory import domain_holders, granting, letting_in
from idp.directory.acting import Administration, Forbidden, Mistake
from idp.directory.domain_holders import ADMINISTERS, SIGN_UP, SIGN_UP_ROLE, SIGN_UP_SINCE, Stated
from idp.directory.domains import Domain, Doubt
from idp.directory.roles import Role
from idp.errors import told
from idp.policies import belonging, stating
from idp.policies.belonging import ADMITTED, STATEMENTS

PERMISSION = stating.PERMISSION
ADMITS = letting_in.PERMISSION  # needed as well, to let people in by themselves
NAMES = (SIGN_UP, SIGN_UP_ROLE)
DATED = (*NAMES, SIGN_UP_SINCE)


class TermsDomain(NamedTuple):
    """A verified one. `admits` is whether its people come in by themselves; `doubt`, why they would
    not whatever is stated."""

    name: str
    admits: bool
    doubt: Doubt | None


class Terms(NamedTuple):
    """`stated` is one of STATEMENTS, `role` a key, empty if none was chosen; `is_role_fit` says
    whether it still can be given. `seen` is a digest."""

    stated: str
    role: str
    is_role_fit: bool
    domains: list[TermsDomain]
    seen: str

    @property
    def waiting_domains(self) -> list[str]:
        """Those whose people would come in if the same were stated again."""
        is_stated = self.stated == ADMITTED and self.is_role_fit
        return [d.name for d in self.domains if is_stated and not (d.admits or d.doubt)]


def terms(admin: Administration) -> Terms:
    """Raises Forbidden."""
    admin.check(PERMISSION)
    policy = stating.policy_of(admin)
    stated = domain_holders.what_is_stated(admin.db, admin.tenant.id, policy)
    verified = sa.select(Domain).where(Domain.verified_at.is_not(None)).order_by(Domain.name)
    rows = list(admin.rows.scalars(verified))
    shown = [policy.get(name) for name in DATED], [(row.id, row.verified_at) for row in rows]
    return Terms(
        policy.get(SIGN_UP) or STATEMENTS[0],
        policy.get(SIGN_UP_ROLE) or "",
        belonging.is_role_fit(stated),
        [_domain(each, stated) for each in rows],
        stating.digest(shown),
    )


def _domain(row: Domain, stated: Stated) -> TermsDomain:
    admits = belonging.admits(stated, row.verified_at, row.doubt)
    return TermsDomain(row.shown, admits, row.doubt)


def roles(admin: Administration) -> list[Role]:
    """Those that somebody can be admitted with, and that the actor may give."""
    every = admin.rows.scalars(sa.select(Role).where(~ADMINISTERS).order_by(Role.name))
    return [role for role in every if granting.may_grant(admin.actor.rights, role, is_own=False)]


def change(admin: Administration, seen: str, claimed: dict[str, str]) -> None:
    """State both anew, for all domains that are verified now. Raises Mistake, Changed,
    Forbidden."""
    stating.check_seen(admin, seen, lambda: terms(admin).seen)
    found, before = terms(admin), stating.policy_of(admin)
    stated = _stated(admin, claimed)
    is_as_before = all(value == before.get(name) for name, value in stated.items())
    if is_as_before and found.is_role_fit and not found.waiting_domains:
        return
    since = admin.now if stated[SIGN_UP] == ADMITTED else None
    stating.state(admin, {**stated, SIGN_UP_SINCE: since})


def _stated(admin: Administration, claimed: dict[str, str]) -> dict[str, str | None]:
    """What is shipped is not stated, and a role is for who is admitted alone."""
    way, role = claimed.get(SIGN_UP, ""), claimed.get(SIGN_UP_ROLE, "").strip()
    if way not in STATEMENTS:
        raise Mistake(**{SIGN_UP: told("Choose one of the three.")})
    if way == ADMITTED:
        _check_may_admit(admin, role)
    return {
        SIGN_UP: None if way == STATEMENTS[0] else way,
        SIGN_UP_ROLE: role if way == ADMITTED else None,
    }


def _check_may_admit(admin: Administration, key: str) -> None:
    """In the tenant's turn. Raises Mistake, Forbidden."""
    rights = granting.in_turn(admin, ADMITS)
    role = admin.rows.scalar(sa.select(Role).where(Role.key == key, ~ADMINISTERS))
    if role is None:
        sentence = told("Choose a role of yours that opens products, and administers nothing.")
        raise Mistake(**{SIGN_UP_ROLE: sentence})
    if not granting.may_grant(rights, role, is_own=False):
        raise Forbidden(f"may not give the role {role.key}")
