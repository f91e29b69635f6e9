"""What every page of the console has around it: the tenant's name, the navigation, the menu."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import render_template, request
from flask_babel import gettext
from flask_babel import lazy_gettext as _

from idp.directory.acting import Administration, Mistake
from idp.directory.operating import Operation
from idp.web import brands, menu
from idp.web.context import current_session


class Entry(NamedTuple):
    """`path` follows the tenant's or the operators'; shown to who holds one of `permissions`."""

    path: str
    label: Any
    icon: str
    permissions: tuple[str, ...]


TENANT_PAGES: tuple[Entry, ...] = (
    Entry("/people", _("People"), "users", ("people.read",)),
    Entry("/roles", _("Roles"), "id-badge-2", ("roles.manage",)),
    Entry("/audit", _("Audit log"), "history", ("audit.read",)),
    Entry("/visits", _("Visits of operators"), "eye", ("audit.read",)),
    Entry("/branding", _("Branding"), "palette", ("branding.manage",)),
    Entry("/domains", _("Verified domains"), "world", ("domains.manage",)),
    Entry("/policy", _("Sign-in policy"), "shield-lock", ("policy.manage",)),
    Entry(
        *("/access", _("Other companies"), "arrows-exchange"),
        ("access.request", "access.receive"),
    ),
)
OPERATOR_PAGES: tuple[Entry, ...] = (
    Entry("/tenants", _("Tenants"), "building", ("tenants.manage",)),
    Entry("/products", _("Products"), "apps", ("products.manage",)),
    Entry("/clients", _("Clients"), "plug-connected", ("products.manage",)),
    Entry("/keys", _("Signing keys"), "key", ("keys.manage",)),
    Entry("/operators", _("Operators"), "shield", ("operators.manage",)),
    Entry("/audit", _("Audit log"), "history", ("platform.audit",)),
    Entry("/health", _("Health"), "activity", ("platform.health",)),
    Entry("/access", _("Access requests"), "arrows-exchange", ("access.decide",)),
)


def errors_of(mistake: Mistake) -> dict[str, str]:
    """Its sentences in the person's language, by field."""
    return {field: gettext(sentence) for field, sentence in mistake.errors.items()}


def tenant_page(admin: Administration, template: str, **values: Any) -> str:
    base = f"/manage/{admin.tenant.slug}"
    brands.name_the_tenant(tenant_id=admin.tenant.id)
    return _page(base, TENANT_PAGES, admin, template, tenant=admin.tenant, **values)


def operator_page(operation: Operation, template: str, **values: Any) -> str:
    return _page("/operate", OPERATOR_PAGES, operation, template, tenant=None, **values)


def _page(
    base: str,
    entries: tuple[Entry, ...],
    admin: Administration | Operation,
    template: str,
    **values: Any,
) -> str:
    session = current_session()
    assert session
    shown = [
        {
            "url": base + entry.path,
            "label": entry.label,
            "icon": entry.icon,
            "current": _is_at(base + entry.path, base),
        }
        for entry in entries
        if any(admin.may(permission) for permission in entry.permissions)
    ]
    return render_template(
        template,
        menu=menu.of(session, menu.openings(session)),
        navigation=shown,
        base=base,
        admin=admin,
        **values,
    )


def _is_at(url: str, base: str) -> bool:
    """The page itself or one below it; the overview is only itself."""
    return request.path == url or (url != base and request.path.startswith(f"{url}/"))
