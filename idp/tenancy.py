"""The one way to a tenant's rows: a session that names its tenants.

A model marked `TenantOwned` is read, changed and deleted only in a session that was opened for
tenants, and there only the rows of those tenants exist: every statement gets the condition, and
every flush is checked. A session that was opened for none raises `Unscoped`, so that forgetting is
an error and not a leak. On PostgreSQL row-level security says the same once more
(`migrations/row_security.py`), also for statements that go round the models (security.md S76).

The protocol endpoints don't come this way: they read single rows by unguessable keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.sql import visitors
from sqlalchemy.sql.base import ExecutableOption

from idp.database import Base, Database

TENANTS = "latchkey.tenants"
EVERY = "*"
KEPT = 1024  # conditions, each for one model and some tenants


class TenantOwned:
    """Marks a model whose rows belong to the tenant in its column `tenant_id`. A row between two
    tenants names both in `tenant_columns`: a session of either finds it, and only a session of both
    flushes it, so that each side changes its part by statements that say what may change."""

    tenant_columns: ClassVar[tuple[str, ...]] = ("tenant_id",)
    tenant_id: Any


class Unscoped(Exception):
    """A tenant's rows were asked for without saying whose: a fault of ours, never an answer."""


@contextmanager
def session(database: Database, *tenant_ids: str, read_only: bool = False) -> Iterator[Session]:
    """A transaction in which nothing exists but these tenants' rows. One that is `read_only` keeps
    no writer waiting (SQLite)."""
    if not tenant_ids or EVERY in tenant_ids:
        raise Unscoped("a session of no tenant")
    with database.session(read_only) as opened:
        _enter(database, opened, frozenset(tenant_ids))
        yield opened


def go_on(database: Database, opened: Session) -> None:
    """In another transaction, with the same tenants' rows, after the first was committed."""
    _enter(database, opened, opened.info[TENANTS])


@contextmanager
def every_tenant(database: Database, *, read_only: bool = False) -> Iterator[Session]:
    """For what is nobody's own: set-up files, operators, the platform's counts."""
    with database.session(read_only) as opened:
        _enter(database, opened, frozenset({EVERY}))
        yield opened


def _enter(database: Database, opened: Session, tenants: frozenset[str]) -> None:
    opened.info[TENANTS] = tenants
    if not database.is_sqlite:
        named = ",".join(sorted(tenants))
        opened.execute(sa.select(sa.func.set_config(TENANTS, named, sa.true())))


@sa.event.listens_for(Session, "do_orm_execute")
def _keep_within(state: ORMExecuteState) -> None:
    if EVERY in state.session.info.get(TENANTS, ()):
        return
    by_model, by_table = _owned_tables_in(state.statement)
    if by_model or by_table:
        tenants = _tenants_of(state.session)
        _check_is_by_models(state, by_table - by_model)
        state.statement = state.statement.options(
            *(_only(_owned_models()[key], tenants) for key in sorted(by_model | by_table))
        )
    elif isinstance(state.statement, sa.TextClause) and TENANTS in state.session.info:
        raise Unscoped("a statement in plain SQL")


@lru_cache(KEPT)
def _only(model: type[TenantOwned], tenants: frozenset[str]) -> ExecutableOption:
    is_theirs = sa.or_(*(getattr(model, column).in_(tenants) for column in model.tenant_columns))
    return with_loader_criteria(model, is_theirs, include_aliases=True)


@sa.event.listens_for(Session, "before_flush")
def _keep_writes_within(opened: Session, _context: object, _instances: object) -> None:
    for row in (*opened.new, *opened.dirty, *opened.deleted):
        if isinstance(row, TenantOwned):
            tenants = _tenants_of(opened)
            if EVERY not in tenants and _tenants_named_by(row) - tenants:
                raise Unscoped(f"{type(row).__name__} of another tenant")


def _tenants_of(opened: Session) -> frozenset[str]:
    tenants: frozenset[str] | None = opened.info.get(TENANTS)
    if tenants is None:
        raise Unscoped("a tenant's rows, in a session of no tenant")
    return tenants


def _tenants_named_by(row: TenantOwned) -> set[str]:
    """The tenants that the row was and will be of; one that its parent gives it has none yet."""
    attributes = sa.inspect(row).attrs
    histories = [attributes[column].history for column in row.tenant_columns]
    named = (each for history in histories for each in (*history.sum(), *history.deleted))
    return {each for each in named if each is not None}


def _owned_tables_in(statement: Any) -> tuple[set[str], set[str]]:
    """The tenants' tables that a statement touches anywhere: by their models, whose columns carry a
    mark, and by themselves."""
    by_model, by_table, owned = set[str](), set[str](), _owned_models()
    for element in visitors.iterate(statement):
        table = element if isinstance(element, sa.Table) else getattr(element, "table", None)
        key = getattr(table, "key", None)
        if key in owned:
            marked = "parententity" in element._annotations  # noqa: SLF001 - it is kept nowhere else
            (by_model if marked else by_table).add(key)
    return by_model, by_table


def _check_is_by_models(state: ORMExecuteState, bare: set[str]) -> None:
    """Raises Unscoped where a table is named without its model, since no condition would be added.
    What the ORM makes itself (`get`, a relationship's load) has its model among the statement's."""
    if isinstance(state.statement, sa.Insert):
        raise Unscoped("rows are added to the session, one by one")
    bare = bare - {mapper.local_table.key for mapper in state.all_mappers}  # type: ignore[attr-defined]
    if bare:
        raise Unscoped(f"{', '.join(bare)}: by the table and not by its model")


@cache
def _owned_models() -> dict[str, Any]:
    return {
        mapper.local_table.key: mapper.class_  # type: ignore[attr-defined]
        for mapper in Base.registry.mappers
        if issubclass(mapper.class_, TenantOwned)
    }
