"""The directory as a set-up file: everything but secrets and what has ended, in a stable
order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
import yaml
from sqlalchemy.orm import Session

from idp import tenancy
from idp.directory import memberships, tenants
from idp.directory.clients import Client
from idp.directory.identity_providers import IdentityProvider
from idp.directory.memberships import Membership
from idp.directory.products import BUILT_IN, Permission, Product
from idp.directory.roles import ACCOUNT_ADMIN, Role
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.policies.second_factor_terms import BY_KIND
from idp.provider import Provider
from idp.registration import clients, identity_providers, products
from idp.registration.tenant_form import PolicyForm
from idp.setup import users

MAY_BE_EMPTY = ("description", "hosted_domain", "given_name", "family_name")
_HEAD = "# yaml-language-server: $schema=setup.schema.json\n"


def export(provider: Provider) -> dict[str, Any]:
    """Applied to the same database it changes nothing, and to an empty one it makes the same
    directory; passwords and client secrets are then new or missing."""
    with tenancy.every_tenant(provider.database) as session:
        slugs = {tenant.id: tenant.slug for tenant in session.scalars(_TENANTS)}
        return {
            "identity_providers": [
                _columns(row, ("key", *identity_providers.PLAIN))
                for row in session.scalars(_IDENTITY_PROVIDERS)
            ],
            "products": [_product(row) for row in session.scalars(_PRODUCTS)],
            "clients": [_client(row, slugs) for row in session.scalars(_CLIENTS)],
            "tenants": _tenants(session),
            "users": _users(session, slugs),
        }


_IDENTITY_PROVIDERS = sa.select(IdentityProvider).order_by(IdentityProvider.key)
_PRODUCTS = (
    sa.select(Product).where(Product.key.not_in(BUILT_IN)).order_by(Product.position, Product.key)
)
_CLIENTS = (
    sa.select(Client)
    .outerjoin(Tenant, Tenant.id == Client.tenant_id)
    .where(sa.or_(Client.tenant_id.is_(None), Tenant.status != tenants.ENDED))
    .order_by(Client.client_id)
)
_TENANTS = sa.select(Tenant).where(Tenant.status != tenants.ENDED).order_by(Tenant.slug)
_ROLES = sa.select(Role).order_by(Role.key)
_MEMBERSHIPS = (
    sa.select(Membership)
    .join(Tenant, Tenant.id == Membership.tenant_id)
    .where(
        Tenant.status != tenants.ENDED,
        Membership.status != memberships.ENDED,
        Membership.source == memberships.HOME,
    )
)


def to_yaml(directory: dict[str, Any]) -> str:
    """With `${` written so that it is no placeholder when it is read again."""
    return _HEAD + yaml.safe_dump(
        _escaped(directory), sort_keys=False, allow_unicode=True, width=100
    )


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub(r"\$\{", "$${", value)
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    if isinstance(value, dict):
        return {name: _escaped(each) for name, each in value.items()}
    return value


def _columns(row: Any, names: Iterable[str]) -> dict[str, Any]:
    stated = {name: getattr(row, name) for name in names}
    return {name: value for name, value in stated.items() if value or name not in MAY_BE_EMPTY}


def _without_nulls(stated: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in stated.items() if value is not None}


def _product(row: Product) -> dict[str, Any]:
    return _without_nulls(
        {
            "key": row.key,
            **_columns(row, products.PLAIN),
            "resource": row.resource,
            "launch_client": row.launch_client_id,
            "position": row.position,
            "password_max_age_days": row.password_max_age_days,
            "password_max_age_since": row.password_max_age_since,
            "identity_providers": row.identity_providers.split(),
            "permissions": _tree(row.permissions, None),
            "authorization_details_types": row.authorization_details_types,
        }
    )


def _tree(nodes: list[Permission], parent_key: str | None) -> list[dict[str, Any]]:
    return [
        {
            **_columns(node, ("key", "name", "description")),
            **({"children": children} if (children := _tree(nodes, node.key)) else {}),
        }
        for node in nodes
        if node.parent_key == parent_key
    ]


def _client(row: Client, slugs: dict[str, str]) -> dict[str, Any]:
    return _without_nulls(
        {
            "client_id": row.client_id,
            "product": row.product_key,
            "tenant": slugs.get(row.tenant_id or ""),
            **_columns(row, clients.PLAIN),
            "jwks": row.jwks,
        }
    )


def _tenants(session: Session) -> list[dict[str, Any]]:
    roles: dict[str, list[dict[str, Any]]] = {}
    for role in session.scalars(_ROLES):
        roles.setdefault(role.tenant_id, []).append(_role(role))
    return [
        {
            **_columns(tenant, ("slug", "name", "status")),
            **({"confirmed": False} if tenant.confirmed_at is None else {}),
            "policy": _policy(tenant),
            "roles": roles.get(tenant.id, []),
        }
        for tenant in session.scalars(_TENANTS)
    ]


def _policy(tenant: Tenant) -> dict[str, Any]:
    """With when each kind's mode was last turned on, also where that is never: left out, it would
    follow from what is stored where the file is applied."""
    stated = {n: v for n, v in tenant.policy.items() if n in PolicyForm.model_fields}
    kinds = stated.get(BY_KIND, {}).items()
    exact = {kind: {"since": 0.0, "was_on": False, **entry} for kind, entry in kinds}
    return {**stated, BY_KIND: exact} if exact else stated


def _role(role: Role) -> dict[str, Any]:
    stated = _columns(role, ("key", "name", "description"))
    if role.key == ACCOUNT_ADMIN:
        return stated
    stated["rank"] = role.rank
    permissions: dict[str, list[str]] = {}
    for node in sorted(role.permissions, key=lambda row: (row.product_key, row.permission_key)):
        permissions.setdefault(node.product_key, []).append(node.permission_key)
    return {**stated, "permissions": permissions}


def _users(session: Session, slugs: dict[str, str]) -> list[dict[str, Any]]:
    keys = {role.id: role.key for role in session.scalars(_ROLES)}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in session.scalars(_MEMBERSHIPS):
        roles = sorted(keys[each.role_id] for each in row.roles)
        stated = {"tenant": slugs[row.tenant_id], "kind": row.kind, "status": row.status}
        selected = {"second_factor_selected": True} if row.second_factor_selected else {}
        found.setdefault(row.user_id, []).append({**stated, "roles": roles, **selected})
    return [
        {
            **_columns(user, ("email", *users.PLAIN)),
            "operator": user.is_operator,
            "email_verified": user.email_verified_at is not None,
            "memberships": sorted(found.get(user.id, []), key=lambda each: each["tenant"]),
        }
        for user in session.scalars(sa.select(User).order_by(User.email_canonical))
    ]
