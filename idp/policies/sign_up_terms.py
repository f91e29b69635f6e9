"""Who may open an account with an address of a company's verified domains, as its admins see and
change it (product.md S5). What it comes to is decided in `belonging.py`.

A change is a conditional write: whoever saves after somebody else is told.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from idp.directory import domain_holders, granting
from idp.directory.acting import Administration, Changed, Forbidden, Mistake
from idp.directory.domain_holders import SIGN_UP, SIGN_UP_ROLE
from idp.directory.domains import Domain
from idp.directory.products import CONSOLE
from idp.directory.roles import Role
from idp.directory.tenants import Tenant
from idp.errors import told
from idp.policies.belonging import ADMITTED, STATEMENTS

PERMISSION = "policy.manage"
NAMES = (SIGN_UP, SIGN_UP_ROLE)


class Terms(NamedTuple):
    """`stated` is one of STATEMENTS, `role` a key, empty if none was chosen; `is_role_fit` says
    whether it still can be given. `domains` are the verified ones. `seen` is a digest."""

    stated: str
    role: str
    is_role_fit: bool
    domains: list[str]
    seen: str


def terms(admin: Administration) -> Terms:
    """Raises Forbidden."""
    admin.check(PERMISSION)
    policy = _tenant(admin).policy
    key = policy.get(SIGN_UP_ROLE) or ""
    verified = sa.select(Domain).where(Domain.verified_at.is_not(None)).order_by(Domain.name)
    domains = [domain.shown for domain in admin.rows.scalars(verified)]
    is_fit = _is_fit(admin, key)
    return Terms(policy.get(SIGN_UP) or STATEMENTS[0], key, is_fit, domains, _digest(policy))


def roles(admin: Administration) -> list[Role]:
    """Those that somebody can be admitted with, and that the actor may give."""
    every = admin.rows.scalars(sa.select(Role).order_by(Role.name))
    return [
        role
        for role in every
        if not _administers(role) and granting.may_grant(admin.actor.rights, role, is_own=False)
    ]


def change(admin: Administration, seen: str, claimed: dict[str, str]) -> None:
    """State both anew. Whoever admits people by a role has to be able to give it. Raises Mistake,
    Changed, Forbidden."""
    rights = granting.in_turn(admin, PERMISSION)
    admin.check_recent()
    tenant = _tenant(admin)
    if seen != _digest(tenant.policy):
        raise Changed("the policy")
    stated = _stated(admin, claimed)
    before = {name: tenant.policy.get(name) for name in NAMES}
    if stated == before:
        return
    if role_key := stated[SIGN_UP_ROLE]:
        [role] = granting.roles_named(admin, [role_key])
        if not granting.may_grant(rights, role, is_own=False):
            raise Forbidden(f"may not give the role {role.key}")
    whole = {**tenant.policy, **stated}
    tenant.policy = {name: value for name, value in whole.items() if value is not None}
    admin.record("policy.changed", before=before, after=stated)


def _stated(admin: Administration, claimed: dict[str, str]) -> dict[str, str | None]:
    """What is shipped is not stated, and a role is for who is admitted alone."""
    way, role = claimed.get(SIGN_UP, ""), claimed.get(SIGN_UP_ROLE, "").strip()
    if way not in STATEMENTS:
        raise Mistake(**{SIGN_UP: told("Choose one of the three.")})
    if way == ADMITTED and not _is_fit(admin, role):
        sentence = told("Choose a role of yours that opens products, and administers nothing.")
        raise Mistake(**{SIGN_UP_ROLE: sentence})
    return {
        SIGN_UP: None if way == STATEMENTS[0] else way,
        SIGN_UP_ROLE: role if way == ADMITTED else None,
    }


def _is_fit(admin: Administration, key: str) -> bool:
    role = domain_holders.find_role(admin.db, admin.tenant.id, key)
    return role is not None and not role.administers


def _administers(role: Role) -> bool:
    return role.all_permissions or any(product == CONSOLE for product, _ in granting.nodes_of(role))


def _tenant(admin: Administration) -> Tenant:
    return admin.rows.get_one(Tenant, admin.tenant.id)


def _digest(policy: dict[str, Any]) -> str:
    return sha256(orjson.dumps([policy.get(name) for name in NAMES])).hexdigest()[:32]
