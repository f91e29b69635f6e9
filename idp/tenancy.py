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
from functools import cache
from typing import Any, ClassVar, cast

import sqlalchemy as sa
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.sql import visitors

from idp.database import Base, Database

TENANTS = "latchkey.tenants"
EVERY = "*"


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
    owned = _owned_models(state.statement)
    if owned:
        tenants = _tenants_of(state.session)
        _check_is_by_models(state)
        state.statement = state.statement.options(
            *(
                with_loader_criteria(model, _is_of(model, tenants), include_aliases=True)
                for model in owned
            )
        )
    elif isinstance(state.statement, sa.TextClause) and TENANTS in state.session.info:
        raise Unscoped("a statement in plain SQL")


def _is_of(model: type[TenantOwned], tenants: frozenset[str]) -> sa.ColumnElement[bool]:
    return sa.or_(*(getattr(model, column).in_(tenants) for column in model.tenant_columns))


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


def _owned_models(statement: Any) -> list[Any]:
    """The tenant-owned models that a statement touches anywhere, by model or by table."""
    tables = _owned_tables()
    touched = {getattr(_table_of(element), "key", None) for element in visitors.iterate(statement)}
    return [model for key, model in sorted(tables.items()) if key in touched]


def _check_is_by_models(state: ORMExecuteState) -> None:
    """Raises Unscoped where a table is named without its model, since no condition would be added.
    A column of a model carries a mark; what the ORM makes itself (`get`, a relationship's load) has
    its model among the statement's."""
    if isinstance(state.statement, sa.Insert):
        raise Unscoped("rows are added to the session, one by one")
    modelled = {mapper.local_table.key for mapper in state.all_mappers}  # type: ignore[attr-defined]
    bare = set()
    for element in visitors.iterate(cast(Any, state.statement)):
        key = getattr(_table_of(element), "key", None)
        if "parententity" in element._annotations:  # noqa: SLF001 - the mark is kept nowhere else
            modelled.add(key)
        elif key in _owned_tables():
            bare.add(key)
    if bare - modelled:
        raise Unscoped(f"{', '.join(bare - modelled)}: by the table and not by its model")


def _table_of(element: Any) -> Any:
    return element if isinstance(element, sa.Table) else getattr(element, "table", None)


@cache
def _owned_tables() -> dict[str, Any]:
    return {
        mapper.local_table.key: mapper.class_  # type: ignore[attr-defined]
        for mapper in Base.registry.mappers
        if issubclass(mapper.class_, TenantOwned)
    }
