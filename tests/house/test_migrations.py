"""A migration only adds, so that the version before goes on serving; or it says that it can't."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from idp import migrations
from idp.database import Database
from idp.migrations.steps import FIRST_BESIDE_SERVERS, alone, upgrade_within
from idp.schema_version import VERSIONS, revisions
from tests.machine.noted_statements import noted

ENDS_OLDER = re.compile(r"UPDATE oldest_version SET revision = ")
MADE = re.compile(r"CREATE TABLE (\w+) \(")
ALTERED = re.compile(r"ALTER TABLE (\w+) ")
INDEX = ("CREATE INDEX CONCURRENTLY ", "DROP INDEX CONCURRENTLY IF EXISTS ")
COLUMN = (
    r"ALTER TABLE \w+ ADD COLUMN \w+ (?:TEXT|INTEGER|BIGINT|BOOLEAN|JSON|DOUBLE PRECISION)"
    r"(?: DEFAULT (?:'[^']*'|-?\d+(?:\.\d+)?|true|false)(?: NOT NULL)?)?"
)
OF_ALEMBIC = r"SELECT .*|SET lock_timeout = 0|UPDATE alembic_version SET .*"
HARMLESS = re.compile(f"{OF_ALEMBIC}|CREATE TABLE .*|(?:{'|'.join(INDEX)}).*|{COLUMN}")
OF_TABLE = r"(?:ALTER TABLE|INSERT INTO|CREATE (?:UNIQUE )?INDEX \w+ ON|CREATE POLICY \w+ ON) {}\b"


def faults(statements: list[str]) -> Iterator[str]:
    """What an older version can't live with, or waits for too long."""
    said = [" ".join(each.split()).rstrip("; ") for each in statements]
    if any(ENDS_OLDER.match(each) for each in said):
        return
    made = {found[1] for each in said if (found := MADE.match(each))}
    for each in said:
        is_of_new = any(re.match(OF_TABLE.format(table), each) for table in made)
        if not is_of_new and (not HARMLESS.fullmatch(each) or ";" in each):
            yield f"not a mere addition: {each}"
    altered = {found[1] for each in said if (found := ALTERED.match(each))} - made
    if len(altered) > 1:
        yield f"one table is kept while others are waited for: {sorted(altered)}"
    changes = [each for each in said if not each.startswith(("SELECT ", "SET ", "UPDATE alembic"))]
    if any(each.startswith(INDEX) for each in changes) and len(changes) != _indexes(changes):
        yield "what is beside an index is done again when its upgrade was cut off"


def _indexes(statements: list[str]) -> int:
    return sum(each.startswith(INDEX) for each in statements)


def test_every_migration_only_adds_or_ends_older_versions(postgres_url: Callable[..., str]) -> None:
    wrong: list[str] = []
    with closing(Database(postgres_url())) as database, alone(database) as connection:
        upgrade_within(connection, database.seal, FIRST_BESIDE_SERVERS)
        for revision in (each for each in revisions(VERSIONS) if each > FIRST_BESIDE_SERVERS):
            with noted(connection) as said:
                upgrade_within(connection, database.seal, revision, beside_servers=True)
            wrong += [f"{revision}: {fault}" for fault in faults(said)]
    assert wrong == []
    assert migrations.HEAD >= FIRST_BESIDE_SERVERS


SHOES = 'op.create_table("shoes", sa.Column("size", sa.Integer(), primary_key=True))'
BOTH = 'op.add_column("{}", sa.Column("size", sa.Integer()))'
ADDITIONS = {
    "a table with what belongs to it": f"""{SHOES}
op.create_index("ix", "shoes", ["size"], unique=True)
op.execute("INSERT INTO shoes (size) VALUES (42)")
op.execute("ALTER TABLE shoes ENABLE ROW LEVEL SECURITY")
op.execute("CREATE POLICY own ON shoes USING (size = 1)")""",
    "a column that may be empty": BOTH.format("users"),
    "a column with a default": """
op.add_column("users", sa.Column("a", sa.Integer(), nullable=False, server_default="42"))
op.add_column("users", sa.Column("b", sa.Boolean(), nullable=False, server_default=sa.false()))
op.add_column("users", sa.Column("c", sa.Text(), nullable=False, server_default=""))""",
    "indexes": """
op.create_index("ix", "users", ["name"], postgresql_concurrently=True)
op.create_index("iy", "users", ["locale"], postgresql_concurrently=True)""",
    "an index that goes": 'op.drop_index("ix", postgresql_concurrently=True, if_exists=True)',
    "whatever ends older versions": """
op.drop_table("users")
op.execute("UPDATE oldest_version SET revision = '0099' WHERE revision < '0099'")""",
}
REFUSED = {
    "a table that goes": 'op.drop_table("users")',
    "a column that goes": 'op.drop_column("users", "name")',
    "a table with another name": 'op.rename_table("users", "people")',
    "a column with another name": 'op.alter_column("users", "name", new_column_name="called")',
    "another type": 'op.alter_column("users", "name", type_=sa.Integer())',
    "a column that may be empty no more": 'op.alter_column("users", "name", nullable=False)',
    "a column without a default": """
op.add_column("users", sa.Column("a", sa.Integer(), nullable=False))""",
    "a default that is worked out for each row": """
op.add_column("users", sa.Column("a", sa.Text(), server_default=sa.text("gen_random_uuid()")))""",
    "a column that refers to a table": """
op.execute("ALTER TABLE users ADD COLUMN a TEXT REFERENCES tenants (id)")""",
    "a rule for rows that are there": 'op.create_check_constraint("ck", "users", "1 = 1")',
    "a foreign key": 'op.create_foreign_key("fk", "users", "tenants", ["a"], ["id"])',
    "an index that writers wait for": 'op.create_index("ix", "users", ["name"])',
    "an index that refuses what was allowed": """
op.create_index("ix", "users", ["name"], unique=True, postgresql_concurrently=True)""",
    "an index that goes while writers wait": 'op.drop_index("ix_users_name", "users")',
    "an index beside something else": f"""{BOTH.format("users")}
op.create_index("ix", "users", ["size"], postgresql_concurrently=True)""",
    "two tables": f"{BOTH.format('users')}; {BOTH.format('tenants')}",
    "rows that change": "op.execute(\"UPDATE users SET name = ''\")",
    "rows that go": 'op.execute("DELETE FROM users")',
    "a trigger": 'op.execute("CREATE TRIGGER t BEFORE INSERT ON users EXECUTE FUNCTION f()")',
    "two statements in one": 'op.execute("CREATE TABLE a (b TEXT); DROP TABLE users")',
    "another's rows beside a new table": f"""{SHOES}
op.execute("INSERT INTO users SELECT * FROM shoes")""",
}


@pytest.mark.parametrize("what", ADDITIONS)
def test_an_addition_is_taken(what: str) -> None:
    assert list(faults(sql_of(ADDITIONS[what]))) == []


@pytest.mark.parametrize("what", REFUSED)
def test_what_an_older_version_can_not_live_with_is_seen(what: str) -> None:
    assert len(list(faults(sql_of(REFUSED[what])))) == 1


def sql_of(body: str) -> list[str]:
    """What Alembic would say to PostgreSQL."""
    said = io.StringIO()
    options = {"as_sql": True, "output_buffer": said}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    exec(textwrap.dedent(body), {"op": Operations(context), "sa": sa})
    return [each for each in said.getvalue().split(";\n\n") if each.strip()]
