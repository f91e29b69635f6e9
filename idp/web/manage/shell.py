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
    """`path` follows the tenant's or the operators'; shown to who holds one of `permissions`.
    What is `within` belongs to it too, at addresses of its own."""

    path: str
    label: Any
    about: Any
    icon: str
    permissions: tuple[str, ...]
    within: tuple[str, ...] = ()


TENANT_PAGES: tuple[Entry, ...] = (
    Entry(
        *("/people", _("People"), _("Who is here, their roles and sessions; invite and import")),
        *("users", ("people.read",), ("/invitations", "/imports", "/join-requests")),
    ),
    Entry(
        *("/factor-resets", _("Resets"), _("Resets of second factors that need another admin")),
        *("user-question", ("people.manage",)),
    ),
    Entry(
        *("/roles", _("Roles"), _("What people can open, and do there")),
        *("id-badge-2", ("roles.manage",)),
    ),
    Entry(
        *("/access", _("Other companies"), _("Your people elsewhere, and people from elsewhere")),
        *("arrows-exchange", ("access.request", "access.receive")),
    ),
    Entry(
        *("/settings", _("Settings"), _("User authentication: who needs a second factor")),
        *("settings", ("policy.manage",), ("/multi-factor", "/password-policy", "/sign-up")),
    ),
    Entry(
        *("/policy", _("Sign-in policy"), _("How long a sign-in is good")),
        *("shield-lock", ("policy.manage",)),
    ),
    Entry(
        *("/identity-providers", _("Identity providers"), _("Sign in with the company's own")),
        *("login-2", ("identity_providers.manage",)),
    ),
    Entry(
        *("/domains", _("Verified domains"), _("Domains that are proven to be this company's")),
        *("world", ("domains.manage",)),
    ),
    Entry(
        *("/branding", _("Branding"), _("Name, colour, logo, names of products")),
        *("palette", ("branding.manage",)),
    ),
    Entry(
        *("/visits", _("Visits of operators"), _("Who of the platform acted here, and why")),
        *("eye", ("audit.read",)),
    ),
    Entry(
        *("/audit", _("Audit log"), _("Who did what and when; search and export")),
        *("history", ("audit.read",)),
    ),
)
OPERATOR_PAGES: tuple[Entry, ...] = (
    Entry(
        *("/tenants", _("Tenants"), _("The companies: make, visit, suspend, end")),
        *("building", ("tenants.manage",)),
    ),
    Entry(
        *("/access", _("Access requests"), _("Who asks to enter another company; decide")),
        *("arrows-exchange", ("access.decide",)),
    ),
    Entry(
        *("/products", _("Products"), _("What is opened, and what roles select from")),
        *("apps", ("products.manage",)),
    ),
    Entry(
        *("/clients", _("Clients"), _("What signs people in or calls as a machine")),
        *("plug-connected", ("products.manage",), ("/registration-tokens",)),
    ),
    Entry(
        *("/keys", _("Signing keys"), _("What tokens are signed by; rotate and revoke")),
        *("key", ("keys.manage",)),
    ),
    Entry(
        *("/operators", _("Operators"), _("Who looks after the platform")),
        *("shield", ("operators.manage",)),
    ),
    Entry(
        *("/health", _("Health"), _("Whether the platform is well")),
        *("activity", ("platform.health",)),
    ),
    Entry(
        *("/audit", _("Audit log"), _("Who did what and when; search and export")),
        *("history", ("platform.audit",)),
    ),
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
            "path": entry.path,
            "url": base + entry.path,
            "label": entry.label,
            "about": entry.about,
            "icon": entry.icon,
            "current": any(_is_at(f"{base}{path}") for path in (entry.path, *entry.within)),
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


def _is_at(url: str) -> bool:
    """The page itself or one below it."""
    return request.path == url or request.path.startswith(f"{url}/")
