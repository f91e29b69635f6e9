"""The worker's part of an import: each line by itself, as the admin would do it by hand.

Trying a line does it and takes it back, so that the report of the trial can say nothing else than
what the rules will say. A line is done in the transaction that writes down its outcome: whoever is
killed in the middle leaves it to be done once, by the next.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from idp.audit import NOWHERE
from idp.database import Connection, Database
from idp.directory import invitations, memberships, person
from idp.directory.acting import (
    NAMED,
    NOTHING,
    Actor,
    Administration,
    Forbidden,
    Mistake,
    administration,
    named,
    rights_of,
)
from idp.directory.catalog import Catalog
from idp.directory.imports import (
    CHANGE,
    CHECKED,
    CHECKING,
    DONE,
    INVITE,
    REFUSE,
    RUNNING,
    SAME,
    ImportLine,
    PeopleImport,
)
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.products import CONSOLE
from idp.directory.roles import Role
from idp.directory.tenants import Tenant
from idp.directory.users import User, canonical_email
from idp.errors import told
from idp.secret_values import SecretKeys

BATCH = 50
CLAIM_SECONDS = 60.0

NOT_ALLOWED = told("You may not give or take one of these roles.")
OTHER_KIND = told("Somebody with this address is here already, as another kind of person.")

_TABLE: Any = PeopleImport.__table__
_NOW = sa.bindparam("now", type_=sa.Double)
_DUE = (
    sa.select(_TABLE.c.id)
    .where(_TABLE.c.state.in_([CHECKING, RUNNING]), _TABLE.c.locked_until <= _NOW)
    .order_by(_TABLE.c.locked_until)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_COLUMNS = [_TABLE.c[name] for name in ("id", "tenant_id", "started_by", "locale", "state")]


def work(database: Database, catalog: Catalog, keys: SecretKeys, now: float) -> bool:
    """One batch of the import that has waited longest; False if there is none to do."""
    with database.engine.begin() as connection:
        due = connection.execute(
            sa.update(_TABLE)
            .where(_TABLE.c.id.in_(_DUE.scalar_subquery()))
            .values(locked_until=_NOW + CLAIM_SECONDS)
            .returning(*_COLUMNS),
            {"now": now},
        ).first()
    if due is None:
        return False
    is_trial = due.state == CHECKING
    numbers = _next(database, due.id, is_trial)
    for number in numbers:
        _do(database, catalog, keys, due, number, is_trial, now)
    ended = {"state": CHECKED if is_trial else DONE} if len(numbers) < BATCH else {}
    with database.engine.begin() as connection:
        connection.execute(
            sa.update(_TABLE)
            .where(_TABLE.c.id == due.id, _TABLE.c.state == due.state)
            .values(locked_until=now, **ended)
        )
    return True


def _next(database: Database, import_id: str, is_trial: bool) -> list[int]:
    lines: Any = ImportLine.__table__
    waiting = lines.c.plan.is_(None) if is_trial else lines.c.outcome.is_(None)
    with database.engine.connect() as connection:
        found = sa.select(lines.c.number).where(lines.c.import_id == import_id, waiting)
        return list(connection.scalars(found.order_by(lines.c.number).limit(BATCH)))


def _do(
    database: Database,
    catalog: Catalog,
    keys: SecretKeys,
    due: Any,
    number: int,
    is_trial: bool,
    now: float,
) -> None:
    """One line, and what came of it."""
    with _acting(database, catalog, due, now) as admin:
        line = admin.rows.get_one(ImportLine, (due.id, number))
        _write_down(admin, line, is_trial, _come_to(admin, keys, line, due.locale, is_trial))


def _write_down(
    admin: Administration, line: ImportLine, is_trial: bool, came_to: tuple[str, str | None]
) -> None:
    field = {"plan": came_to[0]} if is_trial else {"outcome": came_to[0]}
    admin.rows.execute(
        sa.update(ImportLine)
        .where(ImportLine.import_id == line.import_id, ImportLine.number == line.number)
        .values(**field, reason=came_to[1])
    )
    if not is_trial:
        admin.record(
            "import.line_done", **{"import": line.import_id}, line=line.number, to=came_to[0]
        )


def _acting(database: Database, catalog: Catalog, due: Any, now: float) -> Any:
    """As whoever started it, by what they may do now."""
    with database.connection() as db:
        tenant = db.row(_TENANT, tenant_id=due.tenant_id)
        actor = _actor(db, catalog, due, now)
    assert tenant
    return administration(database, catalog, named(tenant), actor, now, NOWHERE)


_TENANT = sa.select(*NAMED).where(Tenant.id == sa.bindparam("tenant_id"))


def _actor(db: Connection, catalog: Catalog, due: Any, now: float) -> Actor:
    for standing in memberships.standings(db, due.started_by, CONSOLE, now):
        if standing.tenant_id == due.tenant_id:
            held = frozenset(standing.permissions(catalog.products[CONSOLE]))
            rights = rights_of(db, standing.membership_id)
            return Actor(due.started_by, None, None, held, rights)
    return Actor(due.started_by, None, None, frozenset(), NOTHING)


def _come_to(
    admin: Administration, keys: SecretKeys, line: ImportLine, locale: str, is_trial: bool
) -> tuple[str, str | None]:
    """What the line came to, and why it was refused; what a trial or a refusal had written is taken
    back. What the trial refused is not tried again."""
    if line.plan == REFUSE:
        return REFUSE, line.reason
    savepoint = admin.rows.begin_nested()
    try:
        came_to = _as_by_hand(admin, keys, line, locale)
    except Mistake as mistake:
        savepoint.rollback()
        return REFUSE, next(iter(mistake.errors.values()))
    except Forbidden:
        savepoint.rollback()
        return REFUSE, NOT_ALLOWED
    if is_trial:
        savepoint.rollback()
    else:
        savepoint.commit()
    return came_to, None


def _as_by_hand(admin: Administration, keys: SecretKeys, line: ImportLine, locale: str) -> str:
    wanted = set(line.roles.split())
    canonical = canonical_email(line.email)
    found = _find_member(admin, canonical) if canonical else None
    if found is None:
        if canonical and invitations.find_waiting(admin, canonical):
            return SAME
        invitations.invite(admin, keys, line.email, line.kind, wanted, locale)
        return INVITE
    membership_id, kind = found
    if kind != line.kind:
        raise Mistake(kind=OTHER_KIND)
    held = _held(admin, membership_id)
    changed = person.change_roles(admin, membership_id, wanted - held, held - wanted)
    return CHANGE if changed else SAME


def _find_member(admin: Administration, canonical: str) -> tuple[str, str] | None:
    row = admin.rows.execute(
        sa.select(Membership.id, Membership.kind)
        .join(User, User.id == Membership.user_id)
        .where(
            User.email_canonical == canonical,
            Membership.tenant_id == admin.tenant.id,
            memberships.STATUS_NOW != memberships.ENDED,
        ),
        {"now": admin.now},
    ).first()
    return None if row is None else (row[0], row[1])


def _held(admin: Administration, membership_id: str) -> set[str]:
    return set(
        admin.rows.scalars(
            sa.select(Role.key)
            .join(MembershipRole, MembershipRole.role_id == Role.id)
            .where(MembershipRole.membership_id == membership_id)
        )
    )
