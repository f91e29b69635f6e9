"""How a company looks to its people: its name, one colour, a logo, and what it calls the products.

Everything of it is shown to people of the company and, once it is confirmed (`confirming`), to
whoever names the company at sign-in, so none of it is secret. A colour is six hexadecimal digits
that white letters can be read on; a name is one line of text; a logo is drawn anew (`pictures`).
Nothing else gets into a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, deferred, mapped_column

from idp.columns import JsonText
from idp.database import Base, Connection
from idp.directory import granting, tenants
from idp.directory.access_tree import products
from idp.directory.acting import Administration, Changed, Mistake
from idp.directory.colors import READABLE, contrast_with_white, is_color
from idp.directory.pictures import drawn_anew
from idp.directory.tenants import Tenant
from idp.directory.wording import one_line
from idp.errors import told
from idp.tenancy import TenantOwned

PERMISSION = "branding.manage"
MAX_NAME = 60
_NOT_A_NAME = told("Enter a name of at most 60 letters, or nothing.")


class Branding(TenantOwned, Base):
    """One row of a tenant that has chosen something. `product_names` maps keys to names; `logo` is
    a PNG, and `logo_digest` its address."""

    __tablename__ = "branding"

    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"), primary_key=True)
    display_name: Mapped[str] = mapped_column(default="")
    accent: Mapped[str] = mapped_column(default="")
    product_names: Mapped[dict[str, str]] = mapped_column(JsonText, default=dict)
    logo_digest: Mapped[str | None] = mapped_column(index=True)
    logo: Mapped[bytes | None] = deferred(mapped_column(sa.LargeBinary))


class Look(NamedTuple):
    """What a page shows of a company. `slug` is its address, `name` what it calls itself."""

    slug: str
    name: str
    accent: str
    logo_digest: str | None


class Wanted(NamedTuple):
    """A filled-in form. `logo` is the file that was sent, None for none."""

    display_name: str
    accent: str
    product_names: Mapping[str, str]
    logo: bytes | None = None
    drops_logo: bool = False


def name_of() -> sa.ColumnElement[str]:
    """What a tenant calls itself, where Branding is joined from outside."""
    return sa.func.coalesce(sa.func.nullif(Branding.display_name, ""), Tenant.name)


_LOOK = (
    sa.select(Tenant.slug, name_of(), sa.func.coalesce(Branding.accent, ""), Branding.logo_digest)
    .select_from(Tenant)
    .outerjoin(Branding, Branding.tenant_id == Tenant.id)
)
_LOOK_OF_SLUG = _LOOK.where(Tenant.slug == sa.bindparam("slug"), Tenant.status == tenants.ACTIVE)
_LOOK_FOR_VISITORS = _LOOK_OF_SLUG.where(Tenant.confirmed_at.is_not(None))
_LOOK_OF_ID = _LOOK.where(Tenant.id == sa.bindparam("tenant_id"), Tenant.status == tenants.ACTIVE)
_LOGO = sa.select(Branding.logo).where(Branding.logo_digest == sa.bindparam("digest")).limit(1)


def look_of_slug(db: Connection, slug: str) -> Look | None:
    row = db.row(_LOOK_OF_SLUG, slug=slug)
    return Look._make(row) if row else None


def look_for_visitors(db: Connection, slug: str) -> Look | None:
    """For those who have named it and are not known yet: of one that is confirmed."""
    row = db.row(_LOOK_FOR_VISITORS, slug=slug)
    return Look._make(row) if row else None


def look_of(db: Connection, tenant_id: str) -> Look | None:
    row = db.row(_LOOK_OF_ID, tenant_id=tenant_id)
    return Look._make(row) if row else None


def logo(db: Connection, digest: str) -> bytes | None:
    row = db.row(_LOGO, digest=digest)
    return bytes(row[0]) if row else None


def stored(admin: Administration) -> Branding:
    """What was chosen; an empty row, not kept, for nothing yet. Raises Forbidden."""
    admin.check(PERMISSION)
    return admin.rows.get(Branding, admin.tenant.id) or Branding(
        tenant_id=admin.tenant.id, display_name="", accent="", product_names={}, logo_digest=None
    )


def digest(row: Branding) -> str:
    state = [row.display_name, row.accent, sorted(row.product_names.items()), row.logo_digest]
    return sha256(orjson.dumps(state)).hexdigest()[:32]


def save(admin: Administration, seen: str, wanted: Wanted) -> None:
    """Raises Mistake, Changed, Forbidden."""
    granting.in_turn(admin, PERMISSION)
    row = stored(admin)
    if seen != digest(row):
        raise Changed("the branding")
    names, picture = _checked(admin, wanted)
    before = _told(row)
    row.display_name = one_line(wanted.display_name, MAX_NAME) or ""
    row.accent, row.product_names = wanted.accent.strip().lower(), names
    if picture is not None or wanted.drops_logo:
        row.logo = picture
        row.logo_digest = sha256(picture).hexdigest() if picture else None
    admin.rows.add(row)
    if _told(row) != before:
        admin.record("branding.changed", before=before, after=_told(row))


def _checked(admin: Administration, wanted: Wanted) -> tuple[dict[str, str], bytes | None]:
    """The products' names and the logo as they will be kept. Raises Mistake."""
    errors = {}
    if wanted.display_name.strip() and one_line(wanted.display_name, MAX_NAME) is None:
        errors["display_name"] = _NOT_A_NAME
    if wanted.accent.strip() and _why_not_color(wanted.accent.strip()):
        errors["accent"] = _why_not_color(wanted.accent.strip())
    names, known = {}, products(admin.rows)
    for key in set(wanted.product_names) - {product.key for product in known}:
        errors[f"product-{key}"] = told("There is no such product.")
    for product in known:
        typed = wanted.product_names.get(product.key, "").strip()
        name = one_line(typed, MAX_NAME)
        if typed and name is None:
            errors[f"product-{product.key}"] = _NOT_A_NAME
        elif name is not None and name != product.name:
            names[product.key] = name
    picture = drawn_anew(wanted.logo) if wanted.logo is not None else None
    if wanted.logo is not None and picture is None:
        errors["logo"] = told("Choose a PNG, JPEG or WebP of at most 48 kB and 2000 pixels a side.")
    if errors:
        raise Mistake(**errors)
    return names, picture


def _why_not_color(color: str) -> str:
    if not is_color(color):
        return told("Enter a colour as # and six digits, such as #0f6b5c.")
    if contrast_with_white(color) < READABLE:
        return told("White letters can't be read on this colour. Choose a darker one.")
    return ""


def _told(row: Branding) -> dict[str, Any]:
    return {
        "display_name": row.display_name,
        "accent": row.accent,
        "product_names": dict(row.product_names),
        "logo": row.logo_digest,
    }
