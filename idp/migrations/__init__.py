"""The schema's history (Alembic), inside the package so that a wheel can upgrade a database."""

from __future__ import annotations

from idp import (
    answered_once,
    audit_chain,
    ephemeral,
    limits,
    outbox,
    resealing,
    restorations,
    schema_version,
    senders,
    used_once,
)
from idp.credentials import (
    code_destinations,
    passkeys,
    password,
    password_links,
    recovery_codes,
    second_factor_tries,
    sent_code,
    sign_up_links,
    temporary_passwords,
    totp,
    unlocking,
)
from idp.database import Base, Database
from idp.directory import (
    access_requests,
    branding,
    catalog_version,
    client_logos,
    clients,
    documents,
    domains,
    former_addresses,
    identity_providers,
    imports,
    invitations,
    join_requests,
    memberships,
    operator_visits,
    person_words,
    products,
    registrations,
    roles,
    tenants,
    users,
)
from idp.federation import linked_accounts
from idp.grants import consent, decoupled, grant_row, reset_requests, sign_outs
from idp.login import email_move, password_reminders
from idp.migrations.steps import changing, check_foreign_keys, upgrade, upgrade_within
from idp.operators import winding_up
from idp.schema_version import HEAD, check_schema, current_revision
from idp.sessions import browser
from idp.sessions import clients as client_sessions
from idp.tokens import signing_keys

__all__ = [
    "HEAD",
    "TABLES",
    "changing",
    "check_foreign_keys",
    "check_schema",
    "current_revision",
    "differences",
    "upgrade",
    "upgrade_within",
]

TABLES = (
    *(answered_once, audit_chain, ephemeral, limits, outbox, senders, used_once, password),
    *(code_destinations, passkeys, recovery_codes, second_factor_tries, sent_code, totp),
    *(password_links, password_reminders, temporary_passwords, unlocking),
    *(access_requests, documents, resealing, restorations, schema_version),
    *(branding, catalog_version, clients, client_logos, domains, imports, registrations),
    *(former_addresses, invitations, join_requests, memberships, person_words, sign_up_links),
    *(products, roles, tenants, users),
    *(consent, decoupled, grant_row, reset_requests, browser, client_sessions, signing_keys),
    *(sign_outs, winding_up, operator_visits, email_move, identity_providers, linked_accounts),
)


def differences(database: Database) -> list[object]:
    """What the models have and the database has not, or the reverse."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))
