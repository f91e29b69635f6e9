"""Tenants, their policies and their roles, made like the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp.directory import tenants
from idp.directory.domain_holders import SIGN_UP_SINCE
from idp.directory.products import PLATFORM, Permission
from idp.directory.roles import ACCOUNT_ADMIN, TOP_RANK, Role, RolePermission
from idp.directory.tenants import Tenant
from idp.errors import FormMistake
from idp.policies import belonging, password_age
from idp.policies.second_factor_terms import BY_KIND, BY_PRODUCT, turned
from idp.registration.changes import Change, Edit
from idp.registration.tenant_form import KindForm, RoleForm, TenantForm
from idp.secret_values import new_id

Node = tuple[str, str]

BUILT_IN = RoleForm(
    key=ACCOUNT_ADMIN, name="Account admin", description="Every permission of every product."
)


def apply_tenants(session: Session, forms: Iterable[TenantForm], now: float) -> list[Change]:
    """Roles select nodes of trees that exist, so products come first."""
    nodes = {(key, node) for key, node in session.execute(_NODES)}
    return [change for form in forms for change in _apply(session, form, nodes, now)]


_NODES = sa.select(Permission.product_key, Permission.key).where(Permission.product_key != PLATFORM)


def find_tenant(session: Session, slug: str) -> Tenant | None:
    """Raises FormMistake for one that has ended: nothing of it comes back, nor does its slug."""
    tenant = session.scalar(sa.select(Tenant).where(Tenant.slug == slug))
    if tenant is not None and tenant.status == tenants.ENDED:
        raise FormMistake(f"tenant {slug}", "slug", "this tenant has ended, and its slug with it.")
    return tenant


def make(session: Session, form: TenantForm, now: float) -> Tenant:
    """One that is new, whatever there is: the database refuses a slug that is or was another's, by
    an IntegrityError. It has its account admin's role and no other."""
    tenant = Tenant(id=new_id(), slug=form.slug, policy={}, created_at=now)
    _make_like(session, tenant, form, set(), now, is_new=True)
    return tenant


def _apply(session: Session, form: TenantForm, nodes: set[Node], now: float) -> list[Change]:
    found = find_tenant(session, form.slug)
    tenant = found or Tenant(id=new_id(), slug=form.slug, policy={}, created_at=now)
    return _make_like(session, tenant, form, nodes, now, is_new=found is None)


def _make_like(
    session: Session,
    tenant: Tenant,
    form: TenantForm,
    nodes: set[Node],
    now: float,
    *,
    is_new: bool,
) -> list[Change]:
    edit = Edit("tenant", form.slug, tenant, is_new=is_new)
    for column, value in form.stated(("name", "status"), edit.is_new).items():
        edit.set(column, value)
    _set_confirmed(edit, tenant, form, now)
    _set_policy(edit, tenant, form, {key for key, _ in nodes}, now)
    session.add(tenant)
    session.flush()
    changes = edit.changes()
    for role in _roles(form, edit.is_new):
        changes += _apply_role(session, tenant, role, nodes, now)
    return changes


def _set_confirmed(edit: Edit, tenant: Tenant, form: TenantForm, now: float) -> None:
    """One that is confirmed stays so: what it was let do since can't be called back."""
    if not form.stated(("confirmed",), edit.is_new):
        return
    was = tenant.confirmed_at is not None
    if was and not form.confirmed:
        raise FormMistake(f"tenant {form.slug}", "confirmed", "this tenant is confirmed already.")
    if form.confirmed != was:
        tenant.confirmed_at, tenant.founded_from = now, None
    edit.note("confirmed", None if edit.is_new else was, form.confirmed)


def _set_policy(
    edit: Edit, tenant: Tenant, form: TenantForm, products: set[str], now: float
) -> None:
    """Only what the file states; null goes back to the platform's."""
    policy: dict[str, Any] = dict(tenant.policy)
    for name in form.policy.model_fields_set:
        policy[name] = getattr(form.policy, name)
    if form.policy.second_factor is not None:
        kinds = form.policy.second_factor
        policy[BY_KIND] = _kinds(tenant.policy.get(BY_KIND, {}), kinds, now)
    for key in sorted((form.policy.second_factor_products or {}).keys() - products):
        raise FormMistake(f"tenant {form.slug}", BY_PRODUCT, f"there is no product {key}.")
    policy = {name: value for name, value in policy.items() if value is not None}
    policy = password_age.dated(policy, tenant.policy, now)
    policy = belonging.dated(policy, tenant.policy, now)
    for name in policy.keys() & {password_age.SINCE, SIGN_UP_SINCE}:
        exact = getattr(form.policy, name)
        policy[name] = policy[name] if exact is None else exact
    if policy != tenant.policy:
        edit.set("policy", policy)


def _kinds(
    before: Mapping[str, Mapping[str, Any]], forms: Mapping[Any, KindForm], now: float
) -> dict[str, dict[str, Any]]:
    """What says nothing is not stored: never turned on again, and not on before."""
    told = turned(before, {kind: each.mode for kind, each in forms.items()}, now)
    for kind, form in forms.items():
        entry = {**told.get(kind, {}), **form.model_dump(exclude_none=True)}
        told[kind] = {name: value for name, value in entry.items() if value}
    return told


def _roles(form: TenantForm, is_new: bool) -> list[RoleForm]:
    """A new tenant has its account admin, named in the file or not."""
    is_named = any(role.key == ACCOUNT_ADMIN for role in form.roles)
    return [*([BUILT_IN] if is_new and not is_named else []), *form.roles]


def _apply_role(
    session: Session, tenant: Tenant, form: RoleForm, nodes: set[Node], now: float
) -> list[Change]:
    found = session.scalar(sa.select(Role).where(Role.tenant_id == tenant.id, Role.key == form.key))
    role = found or Role(id=new_id(), tenant_id=tenant.id, key=form.key, created_at=now)
    edit = Edit("role", f"{tenant.slug}/{form.key}", role, is_new=found is None)
    for column, value in form.stated(("name", "description", "rank"), edit.is_new).items():
        edit.set(column, value)
    if form.key == ACCOUNT_ADMIN:
        role.all_permissions, role.rank = True, TOP_RANK
    elif edit.is_new or "permissions" in form.model_fields_set:
        _set_permissions(edit, role, form, nodes)
    session.add(role)
    session.flush()
    return edit.changes()


def _set_permissions(edit: Edit, role: Role, form: RoleForm, nodes: set[Node]) -> None:
    wanted = {(product, key) for product, keys in form.permissions.items() for key in keys}
    for product, key in sorted(wanted - nodes):
        raise FormMistake(
            f"role {edit.name}", "permissions", f"{key} is not in the tree of {product}."
        )
    stored = {(row.product_key, row.permission_key): row for row in role.permissions}
    edit.note("permissions", None if edit.is_new else _told(stored), _told(wanted))
    for node in stored.keys() - wanted:
        role.permissions.remove(stored[node])
    for product, key in sorted(wanted - stored.keys()):
        role.permissions.append(RolePermission(product_key=product, permission_key=key))


def _told(nodes: Iterable[Node]) -> list[str]:
    return [f"{product}/{key}" for product, key in sorted(nodes)]
