"""The schema's history (Alembic), inside the package so that a wheel can upgrade a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from idp import (
    answered_once,
    audit_chain,
    ephemeral,
    limits,
    outbox,
    resealing,
    restorations,
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
from idp.database import Base, Database, Seal
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
from idp.errors import SetupMistake
from idp.federation import linked_accounts
from idp.grants import consent, decoupled, grant_row, reset_requests
from idp.login import email_move, password_reminders
from idp.operators import ending
from idp.schema_version import HEAD, check_current, current_revision, usable
from idp.sessions import browser
from idp.sessions import clients as client_sessions
from idp.tokens import signing_keys

__all__ = ["HEAD", "TABLES", "check_current", "current_revision", "differences", "upgrade"]

TABLES = (
    *(answered_once, audit_chain, ephemeral, limits, outbox, senders, used_once, password),
    *(code_destinations, passkeys, recovery_codes, second_factor_tries, sent_code, totp),
    *(password_links, password_reminders, temporary_passwords, unlocking),
    *(access_requests, documents, resealing, restorations),
    *(branding, catalog_version, clients, client_logos, domains, imports, registrations),
    *(former_addresses, invitations, join_requests, memberships, person_words, sign_up_links),
    *(products, roles, tenants, users),
    *(consent, decoupled, grant_row, reset_requests, browser, client_sessions, signing_keys),
    *(ending, operator_visits, email_move, identity_providers, linked_accounts),
)
LOCK = 0x1A7C

# Alembic is imported where it is used: a start with the newest schema does without it.
if TYPE_CHECKING:
    from alembic.config import Config


def upgrade(database: Database) -> None:
    """To the newest schema. Several processes may ask at once: one does the work."""
    with changing(database) as connection:
        if current_revision(connection) != HEAD:
            upgrade_within(connection, database.seal)
            check_foreign_keys(database, connection)


@contextmanager
def changing(database: Database) -> Iterator[sa.Connection]:
    """A transaction for changes of the schema, of which there is one at a time."""
    with (
        usable(database),
        database.engine.connect() as connection,
        _without_foreign_keys(database, connection),
        connection.begin(),
    ):
        if not database.is_sqlite:
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        yield connection


@contextmanager
def _without_foreign_keys(database: Database, connection: sa.Connection) -> Iterator[None]:
    """SQLite changes a table by copying it and dropping the old one, which would take along all
    rows that refer to it. The switch is deaf inside a transaction."""
    driver: Any = connection.connection.dbapi_connection
    if database.is_sqlite:
        driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        if database.is_sqlite:
            driver.execute("PRAGMA foreign_keys = ON")


def upgrade_within(connection: sa.Connection, seal: Seal, revision: str = "head") -> None:
    """To that revision, in the transaction that the connection is in."""
    from alembic import command

    config = _config()
    config.attributes.update(connection=connection, seal=seal)
    command.upgrade(config, revision)


def check_foreign_keys(database: Database, connection: sa.Connection) -> None:
    """Raises SetupMistake for a row that refers to nothing, and so undoes the upgrade."""
    if database.is_sqlite:
        lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if lost:
            raise SetupMistake(f"{len(lost)} rows refer to what is not there; nothing was changed.")


def differences(database: Database) -> list[object]:
    """What the models have and the database has not, or the reverse."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
