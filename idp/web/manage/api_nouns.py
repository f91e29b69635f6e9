"""Which nouns the management API has, in the order in which its document tells of them."""

from __future__ import annotations

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from idp.web.manage import (
    access_api,
    access_queue_api,
    api_pages,
    audit_api,
    branding_api,
    clients_api,
    company_providers_api,
    domains_api,
    factor_resets_api,
    health_api,
    imports_api,
    invitations_api,
    join_requests_api,
    keys_api,
    nodes_api,
    operators_api,
    overview,
    password_policy_api,
    people_api,
    policy_api,
    products_api,
    registration_tokens_api,
    roles_api,
    second_factor_api,
    tenants_api,
    visits_api,
)

NOUNS = (
    overview.api,
    people_api.api,
    factor_resets_api.api,
    invitations_api.api,
    join_requests_api.api,
    imports_api.api,
    roles_api.api,
    policy_api.api,
    password_policy_api.api,
    second_factor_api.api,
    company_providers_api.api,
    domains_api.api,
    branding_api.api,
    access_api.api,
    visits_api.api,
    tenants_api.api,
    products_api.api,
    nodes_api.api,
    clients_api.api,
    registration_tokens_api.api,
    keys_api.api,
    operators_api.api,
    access_queue_api.api,
    health_api.api,
    audit_api.api,
)


def install(app: Flask, csrf: CSRFProtect) -> None:
    """No form reaches the API, whose only authority is a bearer token: there is nothing to forge
    (security.md S64)."""
    for noun in NOUNS:
        csrf.exempt(noun.blueprint)
        app.register_blueprint(noun.blueprint)
    app.register_blueprint(api_pages.blueprint_for(NOUNS))
