"""What a client may see and do for a person, in words that the person reads: scopes, and the nodes
of products' permission trees.

A product names its own nodes in whatever language it has registered. The names of our own products,
which the database has in English, are translated here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _

from idp.directory.catalog import Catalog, ProductView
from idp.directory.products import BUILT_IN
from idp.oidc.consent_scope import PERMISSION, RESOURCE

SCOPES: dict[str, tuple[Any, Any]] = {
    "openid": (_("Know that it is you"), _("A number that stands for you, and nothing else.")),
    "profile": (_("See your name"), _("Your name, language and time zone.")),
    "email": (_("See your e-mail address"), _("And whether it is confirmed.")),
    "offline_access": (
        _("Keep access while you are away"),
        _("Until you withdraw it on your account page or change your password."),
    ),
}
NODES: dict[str, Any] = {
    "company-view": _("Company view"),
    "administration": _("Administration"),
    "people.read": _("See people"),
    "people.manage": _("Manage people"),
    "roles.manage": _("Make and edit roles"),
    "policy.manage": _("Sign-in policy"),
    "domains.manage": _("Verified domains"),
    "branding.manage": _("Branding"),
    "identity_providers.manage": _("Company sign-in"),
    "audit.read": _("Audit log"),
    "access.request": _("Ask for access to another company"),
    "access.receive": _("Set up people from other companies"),
    "tenants.manage": _("Tenants"),
    "products.manage": _("Products and clients"),
    "keys.manage": _("Signing keys"),
    "operators.manage": _("Operators"),
    "access.decide": _("Cross-tenant requests"),
    "platform.audit": _("Platform audit"),
    "platform.health": _("Health"),
}


class Words(NamedTuple):
    title: Any
    description: Any


def words_of(word: str, product: ProductView | None, catalog: Catalog) -> Words:
    """Of a scope, or of a node of the client's `product`, which is also asked for as a scope, or of
    another product; a word that nobody has a name for stands for itself."""
    if word in SCOPES:
        return Words(*SCOPES[word])
    if word.startswith(RESOURCE):
        key, _colon, node = word.removeprefix(RESOURCE).partition(":")
        return words_of(PERMISSION + node, catalog.products.get(key), catalog)
    key = word.removeprefix(PERMISSION)
    if product is None or key not in product.permission_keys:
        return Words(key, "")
    if product.key in BUILT_IN and key in NODES:
        return Words(NODES[key], product.name)
    return Words(product.permission_names.get(key, key), product.name)


def place(word: str) -> tuple[int, str]:
    """The known scopes in their order, then the rest by name."""
    known = list(SCOPES)
    return (known.index(word) if word in known else len(known), word)
