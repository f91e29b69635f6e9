"""The product switcher: what a person may open, in which tenants (product.md S6, N7).

One answer for the menu in every product, the account page and the home page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
import sqlalchemy as sa

from idp.columns import joined_by_line
from idp.database import Connection
from idp.directory import branding, memberships, tenants
from idp.directory.branding import Branding
from idp.directory.catalog import Catalog, ProductView
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.products import CONSOLE
from idp.directory.reach import Reach
from idp.directory.roles import Role, RolePermission
from idp.directory.tenants import Tenant

FirstStep = Callable[[ProductView, str], str | None]


class Opening(NamedTuple):
    """An active membership and the products that its roles select something of."""

    tenant_id: str
    tenant: str
    tenant_name: str
    kind: str
    role_names: str | None
    has_all_permissions: int | None
    granted: str | None
    only_products: str | None
    is_confirmed: bool | int
    logo_digest: str | None
    product_names: str | None

    def called(self, product: ProductView) -> str:
        """What the tenant calls the product."""
        if not self.product_names or self.product_names == "{}":
            return product.name
        return str(orjson.loads(self.product_names).get(product.key, product.name))

    def opens(self, product: ProductView) -> bool:
        pairs = [line.split(" ") for line in (self.granted or "").splitlines()]
        granted = [permission for key, permission in pairs if key == product.key]
        bounds = (bool(self.has_all_permissions), self.only_products, bool(self.is_confirmed))
        return bool(Reach(*bounds).selected(product, granted))


_GRANTED = (
    sa.select(
        joined_by_line(
            RolePermission.product_key + sa.literal_column("' '") + RolePermission.permission_key
        )
    )
    .select_from(MembershipRole)
    .join(RolePermission, RolePermission.role_id == MembershipRole.role_id)
    .where(MembershipRole.membership_id == Membership.id)
    .correlate(Membership)
    .scalar_subquery()
)
_OPENINGS = (
    sa.select(
        Tenant.id,
        Tenant.slug,
        branding.name_of(),
        Membership.kind,
        memberships.of_roles(joined_by_line(Role.name)),
        memberships.of_roles(sa.func.max(sa.cast(Role.all_permissions, sa.Integer))),
        _GRANTED,
        Membership.only_products,
        Tenant.confirmed_at.is_not(None),
        Branding.logo_digest,
        sa.type_coerce(Branding.product_names, sa.Text),
    )
    .select_from(Membership)
    .join(Tenant, Tenant.id == Membership.tenant_id)
    .outerjoin(Branding, Branding.tenant_id == Tenant.id)
    .where(
        Membership.user_id == sa.bindparam("user_id"),
        memberships.HAS_NOT_ENDED,
        memberships.STATUS_IN_FORCE == memberships.ACTIVE,
        Tenant.status == tenants.ACTIVE,
    )
    .order_by(Tenant.name, Tenant.slug)
)


def openings(db: Connection, user_id: str, now: float) -> list[Opening]:
    return [Opening._make(row) for row in db.rows(_OPENINGS, user_id=user_id, now=now)]


def menu(
    catalog: Catalog,
    opened: Sequence[Opening],
    issuer: str,
    *,
    name: str,
    email: str,
    tenant_id: str | None,
    product_key: str | None,
    has_skipped: bool,
    first_step: FirstStep,
) -> dict[str, Any]:
    """The switcher's JSON; docs/integrate.md describes it. `url` is where to send the browser. Who
    `has_skipped` a second factor may think again (`skipping`; product.md M4); `first_step` is what
    a product asks first in the tenant of that slug (N7)."""
    current = next((o for o in opened if o.tenant_id == tenant_id), None)
    here = catalog.products.get(product_key or "")
    return {
        "person": {"name": name, "email": email},
        "tenant": _tenant(current),
        "products": [
            {
                **_product(catalog, product, issuer, current, product is here),
                "step": first_step(product, current.tenant),
            }
            for product in catalog.products.values()
            if current and current.opens(product) and catalog.launch_uri(product)
        ],
        "tenants": [
            {
                "slug": opening.tenant,
                "name": opening.tenant_name,
                "current": opening is current,
                "url": launch_url(catalog, here, issuer, opening.tenant) if here else None,
                "logo_url": _logo_url(issuer, opening),
            }
            for opening in opened
            if here is None or opening.opens(here)
        ],
        "console_url": _console_url(catalog, issuer, current),
        "account_url": f"{issuer}/account",
        "enable_mfa_url": f"{issuer}/account/enable" if has_skipped else None,
        "end_session_endpoint": f"{issuer}/logout",
    }


def _logo_url(issuer: str, opening: Opening) -> str | None:
    return f"{issuer}/logos/{opening.logo_digest}.png" if opening.logo_digest else None


def _console_url(catalog: Catalog, issuer: str, opening: Opening | None) -> str | None:
    """Where the person may administer this tenant, if they may."""
    if opening is None or not opening.opens(catalog.products[CONSOLE]):
        return None
    return f"{issuer}/manage/{opening.tenant}"


def _tenant(opening: Opening | None) -> dict[str, str] | None:
    if opening is None:
        return None
    return {"id": opening.tenant_id, "slug": opening.tenant, "name": opening.tenant_name}


def _product(
    catalog: Catalog, product: ProductView, issuer: str, opening: Opening, is_current: bool
) -> dict[str, Any]:
    return {
        "key": product.key,
        "name": opening.called(product),
        "description": product.description,
        "color": product.color,
        "icon": product.icon,
        "url": launch_url(catalog, product, issuer, opening.tenant),
        "current": is_current,
    }


def launch_url(
    catalog: Catalog, product: ProductView, issuer: str, tenant: str | None
) -> str | None:
    """Third-party-initiated login (OpenID Connect Core section 4), with the tenant named."""
    launch_uri = catalog.launch_uri(product)
    if launch_uri is None:
        return None
    named = {"iss": issuer} | ({"tenant": tenant} if tenant else {})
    return f"{launch_uri}{'&' if '?' in launch_uri else '?'}{urlencode(named)}"
