"""A schema is upgraded while versions serve it: which may, who waits for whom, and what is left of
an upgrade that was cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from idp import migrations
from idp.database import Database
from idp.errors import SetupMistake
from idp.migrations import steps
from idp.migrations.steps import FIRST_BESIDE_SERVERS
from idp.schema_version import HEAD, Schema, check_schema, schema_of
from tests.machine.next_version import next_version, revision_after, versions_of
from tests.machine.noted_statements import noted
from tests.machine.postgres import Postgres

COLUMN = 'op.add_column("users", sa.Column("shoe_size", sa.Integer()))'
INDEX = 'add_index("ix_shoe", "users", ["locale"], where="status = \'active\'")'
TWO_INDEXES = 'add_index("ix_first", "users", ["name"]); ' + INDEX
RAISED = "end_older_versions(revision)"
MAY_SERVE = {
    "its own": (Schema("0060"), True),
    "its own, whatever it says of others": (Schema("0060", "0061"), True),
    "a newer one that lets it": (Schema("0062", "0060"), True),
    "a newer one that lets older ones": (Schema("0062", "0057"), True),
    "a newer one that ended it": (Schema("0062", "0061"), False),
    "a newer one that ended all before": (Schema("0062", "0062"), False),
    "a newer one that does not say": (Schema("0062"), False),
    "a newer one that says nothing": (Schema("0062", ""), False),
    "a newer one that says what is no revision": (Schema("0062", "0057x"), False),
    "what is no revision": (Schema("next", "0057"), False),
    "an older one": (Schema("0059", "0057"), False),
    "nothing": (Schema(None), False),
}


@pytest.mark.parametrize("of", MAY_SERVE)
def test_a_version_serves_its_own_revision_and_newer_ones_that_let_it(of: str) -> None:
    schema, may = MAY_SERVE[of]
    assert (schema.fault("0060") is None) is may
    asks = "run `idp db upgrade`" in (schema.fault("0060") or "")
    assert asks is ((schema.revision or "") < "0060")


@pytest.fixture
def upgraded(database: Database, tmp_path: Path) -> Callable[..., None]:
    """Upgrades the database to a next version of these migrations."""

    def upgrade(*bodies: str) -> None:
        folder = tmp_path / f"next {len(list(tmp_path.iterdir()))}"
        migrations.upgrade(database, versions_of(next_version(folder, *bodies)))

    return upgrade


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No try takes long."""
    monkeypatch.setattr(steps, "PAUSE", 0.01)
    monkeypatch.setattr(steps, "LOCK_TIMEOUT", 0.05)


def test_a_version_before_serves_what_the_next_has_added_and_upgrades_nothing(
    database: Database, upgraded: Callable[..., None]
) -> None:
    upgraded(COLUMN, INDEX)
    assert schema_of(database) == (revision_after(2), FIRST_BESIDE_SERVERS)
    check_schema(database)
    migrations.upgrade(database)
    assert schema_of(database).revision == revision_after(2)


def test_a_migration_that_ends_older_versions_ends_this_one(
    database: Database, upgraded: Callable[..., None]
) -> None:
    upgraded(COLUMN, RAISED)
    for refused in (check_schema, migrations.upgrade):
        with pytest.raises(SetupMistake, match=f"only versions that know {revision_after(2)} may"):
            refused(database)
    upgraded(COLUMN, RAISED)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM oldest_version", "does not say which versions"),
        ("DROP TABLE oldest_version", "does not say which versions"),
        ("INSERT INTO oldest_version VALUES ('0001')", "says several things"),
        ("INSERT INTO alembic_version VALUES ('0001')", "says several things"),
    ],
)
def test_a_newer_database_that_can_not_be_read_is_not_served(
    database: Database, damage: str, said: str
) -> None:
    change(database, f"UPDATE alembic_version SET version_num = '{revision_after(1)}'")
    check_schema(database)
    change(database, damage)
    with pytest.raises(SetupMistake, match=said):
        check_schema(database)


def change(database: Database, statement: str) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql(statement)


@pytest.fixture
def postgres_database(
    postgres_original: str, postgres_url: Callable[..., str]
) -> Iterator[Database]:
    with closing(Database(postgres_url(copy_of=postgres_original))) as opened:
        yield opened


Beside = Callable[..., list[str]]


@pytest.fixture
def beside(postgres_database: Database, tmp_path: Path) -> Beside:
    """Upgrades it, as if others served, and gives the statements that it made."""

    def upgrade(*bodies: str) -> list[str]:
        folder = tmp_path / f"next {len(list(tmp_path.iterdir()))}"
        with noted(postgres_database.engine) as said:
            migrations.upgrade(postgres_database, versions_of(next_version(folder, *bodies)))
        return said

    return upgrade


def seen(database: Database, question: str) -> Any:
    with database.engine.connect() as connection:
        return connection.exec_driver_sql(question).scalar()


IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_shoe')"


def test_an_upgrade_lets_go_of_a_queue_that_it_makes_and_tries_again(
    postgres_database: Database, beside: Beside, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody reads the table for long, as a backup does: others are not kept waiting for it."""
    with postgres_database.engine.connect() as backup:
        backup.exec_driver_sql("SELECT 1 FROM users")
        monkeypatch.setattr(steps, "sleep", lambda _: backup.rollback())
        beside(COLUMN)
    assert schema_of(postgres_database).revision == revision_after(1)


SIZE = 'op.add_column("products", sa.Column("size", sa.Integer()))'
HAT_AND_SHOE = f"{SIZE.replace('size', 'hat_size')}; {COLUMN}"


def test_an_upgrade_that_never_gets_a_table_says_so_and_leaves_what_was_done(
    postgres_database: Database, beside: Beside, quick: None
) -> None:
    with postgres_database.engine.connect() as backup:
        backup.exec_driver_sql("SELECT 1 FROM users")
        with pytest.raises(SetupMistake, match=f"{revision_after(2)} could not be reached"):
            beside(SIZE, HAT_AND_SHOE)
    assert schema_of(postgres_database).revision == revision_after(1)
    check_schema(postgres_database)
    hats = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'hat_size'"
    assert seen(postgres_database, hats) == 0
    beside(SIZE, HAT_AND_SHOE)
    assert seen(postgres_database, hats) == 1


def test_an_index_is_made_beside_those_who_write(
    postgres_database: Database, beside: Beside
) -> None:
    made = [each for each in beside(INDEX) if "ix_shoe" in each and "CREATE" in each]
    assert len(made) == 1
    assert made[0].startswith("CREATE INDEX CONCURRENTLY ix_shoe ON users (locale) WHERE status")
    assert seen(postgres_database, IS_VALID)


def test_an_index_that_was_left_invalid_is_made_anew_and_a_whole_one_kept(
    postgres: Postgres, postgres_database: Database, beside: Beside
) -> None:
    """A revision whose upgrade was cut off between its indexes, or within one, is done again."""
    numbers = "SELECT array['ix_first'::regclass::oid::int, 'ix_shoe'::regclass::oid::int]"
    beside(TWO_INDEXES)
    kept, lost = seen(postgres_database, numbers)
    change(postgres_database, f"UPDATE alembic_version SET version_num = '{HEAD}'")
    with postgres.as_superuser(postgres_database.url.render_as_string(False)) as superuser:
        superuser.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_shoe'::regclass"
        )
    beside(TWO_INDEXES)
    assert seen(postgres_database, IS_VALID)
    [first, second] = seen(postgres_database, numbers)
    assert first == kept
    assert second != lost


def test_an_index_goes_beside_those_who_write_unless_it_refuses_something(
    postgres_database: Database, beside: Beside
) -> None:
    """A revision that was cut off is done again, though the index is gone."""
    mere, refusing = 'drop_index("ix_grants_user_id")', 'drop_index("uq_roles_id_tenant")'
    for _ in range(2):
        gone = [each.strip() for each in beside(mere) if "DROP" in each]
        assert gone == ["DROP INDEX CONCURRENTLY IF EXISTS ix_grants_user_id"]
        change(postgres_database, f"UPDATE alembic_version SET version_num = '{HEAD}'")
    with pytest.raises(ValueError, match="uq_roles_id_tenant refuses"):
        beside(mere, refusing)
    assert schema_of(postgres_database).revision == revision_after(1)
    assert seen(postgres_database, "SELECT to_regclass('uq_roles_id_tenant')::text")


def test_one_upgrades_and_whoever_waits_for_it_asks_again_and_again(
    postgres_database: Database, beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To wait in a statement would keep an index of the other waiting, and so both for good."""
    asked: list[float] = []
    with postgres_database.engine.connect() as other:
        other.exec_driver_sql(f"SELECT pg_advisory_lock({steps.LOCK})")

        def wait(seconds: float) -> None:
            asked.append(seconds)
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            assert other.exec_driver_sql(waiting).scalar() == 0
            if len(asked) == 2:
                other.exec_driver_sql(f"SELECT pg_advisory_unlock({steps.LOCK})")

        monkeypatch.setattr(steps, "sleep", wait)
        beside(COLUMN)
    assert len(asked) == 2
    ours = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    held = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {ours}"
    assert seen(postgres_database, held) == 0
    assert seen(postgres_database, "SHOW lock_timeout") == "0"


def test_where_nobody_serves_all_is_one_transaction_indexes_too(
    postgres_url: Callable[..., str], tmp_path: Path
) -> None:
    versions = versions_of(next_version(tmp_path / "next", INDEX, 'raise ValueError("no more")'))
    with closing(Database(postgres_url())) as database:
        with pytest.raises(ValueError, match="no more"):
            migrations.upgrade(database, versions)
        with database.engine.connect() as connection:
            assert sa.inspect(connection).get_table_names() == []
