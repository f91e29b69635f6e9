"""Make the directory like a set-up file: all of it or nothing, and twice is as good as once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp import audit, tenancy
from idp.audit import NOWHERE
from idp.database import Connection, Database
from idp.directory import catalog_version, tenants, users
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.errors import SetupMistake
from idp.grants import sign_outs
from idp.provider import Provider
from idp.registration.changes import Applied, Change, clients_of
from idp.registration.client_secrets import SecretKeeper
from idp.registration.clients import apply_clients
from idp.registration.identity_providers import apply_identity_providers
from idp.registration.products import apply_products, check_launch_clients
from idp.registration.tenants import apply_tenants
from idp.sessions import logout
from idp.sessions.browser import SsoSession
from idp.setup import invitations
from idp.setup.form import SetupFile
from idp.setup.users import apply_users, hash_new_passwords

LOCK = 0x5E7B
_SESSIONS_OF_THE_DISABLED = (
    sa.select(SsoSession.id)
    .join(User, User.id == SsoSession.user_id)
    .where(User.status == sa.literal_column(f"'{users.DISABLED}'"), SsoSession.ended_at.is_(None))
)
FELL, ROSE = (tenants.ACTIVE, tenants.SUSPENDED), (tenants.SUSPENDED, tenants.ACTIVE)
IN_CATALOG = frozenset({"identity_provider", "product", "client", "tenant"})


def apply(
    provider: Provider,
    setup_file: SetupFile,
    now: float,
    *,
    base_dir: Path,
    dry_run: bool = False,
) -> Applied:
    """What changed. Names of files are relative to `base_dir`. A dry run comes to the same
    differences and writes nothing. Raises SetupMistake, having changed nothing.

    A disabled person's sessions and tokens end at once, and products hear of a suspended tenant and
    of a disabled membership. A person with `invitation` who has no
    password gets one by mail, unless one is under way.
    """
    _check_issuer(provider, setup_file)
    hashes = {} if dry_run else hash_new_passwords(provider, setup_file.users)
    keeper = SecretKeeper(base_dir)
    with _all_or_nothing(provider.database) as session:
        db = Connection.of(provider.database, session)
        changes = [
            *apply_identity_providers(
                session, db, provider.secret_keys, setup_file.identity_providers
            ),
            *apply_products(session, setup_file.products, now),
            *apply_tenants(session, setup_file.tenants, now),
            *apply_clients(session, setup_file.clients, keeper, now),
            *apply_users(session, db, setup_file.users, hashes, now, dry_run=dry_run),
            *invitations.send_missing(session, db, provider.secret_keys, setup_file.users, now),
        ]
        check_launch_clients(
            session,
            {product.key for product in setup_file.products},
            {client.client_id for client in setup_file.clients},
        )
        if dry_run:
            session.rollback()
            return Applied(changes, {})
        if changes:
            session.flush()
            _end_sessions_of_the_disabled(db, now)
            _sign_the_suspended_out(session, db, changes, now)
            _record(db, changes, now)
        keeper.write_files()
    return Applied(changes, keeper.to_show)


def _check_issuer(provider: Provider, setup_file: SetupFile) -> None:
    if setup_file.issuer not in (None, provider.settings.issuer):
        raise SetupMistake(
            f"The file is for {setup_file.issuer}, and this is {provider.settings.issuer}."
        )


@contextmanager
def _all_or_nothing(database: Database) -> Iterator[Session]:
    """One run at a time. Unlike elsewhere, a refusal takes everything back too."""
    try:
        with tenancy.every_tenant(database) as session:
            try:
                if not database.is_sqlite:
                    session.execute(sa.text(f"SELECT pg_advisory_xact_lock({LOCK})"))
                yield session
            except BaseException:
                session.rollback()
                raise
    except sa.exc.IntegrityError:
        # Its message would repeat what was to be written, hashes included.
        raise SetupMistake("Somebody changed the directory meanwhile: apply it again.") from None


def _end_sessions_of_the_disabled(db: Connection, now: float) -> None:
    """Their tokens are dead already; this tells the products (product.md S8)."""
    for (session_id,) in db.rows(_SESSIONS_OF_THE_DISABLED):
        logout.end(db, session_id, "the person was disabled", now, NOWHERE)


def _sign_the_suspended_out(
    session: Session, db: Connection, changes: list[Change], now: float
) -> None:
    moved = {each.name: each.fields.get("status") for each in changes if each.kind == "tenant"}
    for move, follow in ((FELL, sign_outs.begin), (ROSE, sign_outs.refuse_earlier)):
        slugs = [slug for slug, status in moved.items() if status == move]
        for tenant_id in session.scalars(sa.select(Tenant.id).where(Tenant.slug.in_(slugs))):
            follow(db, tenant_id, now)


def _record(db: Connection, changes: list[Change], now: float) -> None:
    if any(change.kind in IN_CATALOG for change in changes):
        catalog_version.touch(db, clients_of(changes))
    audit.record(db, "setup.applied", now, changes=[change.as_json() for change in changes])
