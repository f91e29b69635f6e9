"""A tenant of thousands among others: each list and search goes by an index, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import sqlalchemy as sa

from idp import migrations
from idp.audit import NOWHERE
from idp.commands.seed import seed as seed_command
from idp.database import Database
from idp.directory import people
from idp.directory.acting import EVERYTHING, Actor, Administration, TenantName, administration
from idp.directory.catalog import load_catalog
from idp.directory.people import Wanted
from idp.directory.upstream_providers import IdentityProviders
from idp.errors import SetupMistake
from idp.secret_values import SecretKeys
from idp.setup import seeding
from tests.world import START

PEOPLE, COMPANIES = 20_000, 50
KEYS = SecretKeys(*(bytes(32) for each in fields(SecretKeys) if not each.kw_only))
SEARCHES = {
    "everybody": Wanted(),
    "disabled": Wanted(status="disabled"),
    "ended": Wanted(status="ended"),
    "customers": Wanted(kind="customer"),
    "a common name": Wanted(search="amara"),
    "a rare address": Wanted(search="amara.garcia.10"),
    "two words": Wanted(search="ama gar"),
    "the domain": Wanted(search="large.example"),
    "a role": Wanted(role="agent"),
    "a rare role": Wanted(role="account_admin"),
    "all at once": Wanted("a", "active", "staff", "agent"),
    "nobody": Wanted(search="zzz"),
}


@pytest.fixture(scope="module")
def sqlite_of_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    yield from filled(f"sqlite:///{tmp_path_factory.mktemp('many') / 'latchkey.db'}")


@pytest.fixture(scope="module")
def postgres_of_many(postgres: Any) -> Iterator[Database]:
    yield from filled(postgres.new_database())


def filled(url: str) -> Iterator[Database]:
    database = Database(url)
    migrations.upgrade(database)
    seeding.seed(database, PEOPLE, COMPANIES, START, lambda _: None)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def large(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(f"{request.param}_of_many")
    return found


def administering(database: Database) -> Any:
    with database.engine.connect() as connection:
        tenant = connection.execute(
            sa.text("SELECT id, slug, name, true FROM tenants WHERE slug = 'company-0'")
        ).one()
    actor = Actor(None, "a-test", None, frozenset({"people.read"}), EVERYTHING)
    name, catalog = TenantName._make(tenant), load_catalog(database, IdentityProviders())
    return administration(database, catalog, name, actor, START, NOWHERE, read_only=True)


def plans(admin: Administration, wanted: Wanted, cursor: str) -> list[str]:
    """How the database goes about each statement of a page."""
    sent: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        sent.append((statement, values))

    engine = admin.database.engine
    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        people.people(admin, KEYS, wanted, cursor)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    told = []
    for statement, values in sent:
        rows = admin.rows.connection().exec_driver_sql(explain + statement, tuple(values))
        told.append("\n".join(str(row[-1]) for row in rows))
    return told


@pytest.mark.parametrize("what", SEARCHES)
def test_no_page_of_people_reads_a_table_from_end_to_end(large: Database, what: str) -> None:
    with administering(large) as admin:
        first = people.people(admin, KEYS, SEARCHES[what])
        for cursor in {"", first.next or ""}:
            for plan in plans(admin, SEARCHES[what], cursor):
                for big in ("memberships", "person_words", "users", "membership_roles"):
                    assert f"Seq Scan on {big}" not in plan, plan
                    assert not any(
                        line.startswith(f"SCAN {big}") and "INDEX" not in line
                        for line in plan.splitlines()
                    ), plan


def test_who_was_found_by_one_word_is_looked_up_for_the_next(large: Database) -> None:
    """And nobody else: another word may have a hundred thousand."""
    with administering(large) as admin:
        of_the_page = plans(admin, SEARCHES["two words"], "")[-2]
    assert "ix_person_words_member" in of_the_page, of_the_page


def test_the_largest_tenant_has_a_tenth_of_the_people(large: Database) -> None:
    with administering(large) as admin:
        names, cursor, pages = 0, "", 0
        while True:
            page = people.people(admin, KEYS, Wanted(), cursor, size=500)
            names, pages = names + len(page.people), pages + 1
            if page.next is None:
                break
            cursor = page.next
    assert (names, pages) == (PEOPLE // 10, 4)


def test_made_up_people_are_for_an_empty_database(large: Database) -> None:
    with pytest.raises(SetupMistake, match="holds people"):
        seeding.seed(large, 1, 1, START, lambda _: None)
    assert seed_command.name == "seed"
