"""The schema's history leads from nothing to what the models say, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import cycle
from typing import Any

import pytest
import sqlalchemy as sa

from idp import audit_inspection, migrations
from idp.audit import TAGS
from idp.audit_chain import BROKEN, STARTED, AuditEvent
from idp.database import Base, Database
from idp.directory import lost_addresses
from idp.errors import SetupMistake
from tests.storage.crew import KEYS, PROCESSES, Crew, Prepared

NOW = 1_795_000_000.0
DRIFT = {
    "a column too many": "ALTER TABLE users ADD COLUMN shoe_size INTEGER",
    "a column too few": "ALTER TABLE users DROP COLUMN zoneinfo",
    "a table too many": "CREATE TABLE shoes (size INTEGER)",
    "a table too few": "DROP TABLE used_names",
    "an index too few": "DROP INDEX ix_outbox_due",
}


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url)) as database:
        yield database


def test_an_empty_database_becomes_what_the_models_say(empty: Database) -> None:
    migrations.upgrade(empty)
    assert migrations.differences(empty) == []
    with empty.engine.connect() as connection:
        assert set(Base.metadata.tables) | {"alembic_version"} == set(
            sa.inspect(connection).get_table_names()
        )


def test_upgrading_again_changes_nothing_and_keeps_everything(database: Database) -> None:
    change(database, "INSERT INTO used_names (name_hash, expires_at) VALUES ('a', 1)")
    migrations.upgrade(database)
    with database.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT name_hash FROM used_names")) == "a"
        assert connection.scalar(sa.text("SELECT count(*) FROM alembic_version")) == 1


def test_every_model_is_known_to_the_migrations() -> None:
    known = {model.__table__.name for module in migrations.TABLES for model in models(module)}
    assert known == set(Base.metadata.tables)


def models(module: object) -> list[Any]:
    return [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Base) and each is not Base
    ]


@pytest.mark.parametrize("drift", DRIFT)
def test_a_schema_that_drifted_is_seen(database: Database, drift: str) -> None:
    change(database, DRIFT[drift])
    assert migrations.differences(database) != []


def test_an_empty_database_is_not_served(empty: Database) -> None:
    with pytest.raises(SetupMistake, match=r"revision none.*idp db upgrade"):
        migrations.check_schema(empty)


def test_a_database_of_an_older_version_is_not_served_until_it_is_upgraded(
    database: Database,
) -> None:
    migrations.check_schema(database)
    change(database, "UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(SetupMistake, match="revision 0000"):
        migrations.check_schema(database)


def test_of_many_processes_one_upgrades_and_all_find_it_done(
    empty: Database, database_url: str, crew: Crew
) -> None:
    outcomes = crew.race(upgrader, database_url, threads=2)
    assert outcomes == ["current"] * (2 * PROCESSES)
    assert migrations.differences(empty) == []


def upgrader(kept: ExitStack, url: str) -> Prepared:
    database = Database(url)
    kept.callback(database.close)

    def deed(number: int) -> str:
        migrations.upgrade(database)
        migrations.check_schema(database)
        return "current"

    return partial(migrations.differences, database), deed


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(empty: Database) -> None:
    change(empty, "CREATE TABLE users (in_the_way INTEGER)")
    with pytest.raises((SetupMistake, sa.exc.DBAPIError), match="users"):
        migrations.upgrade(empty)
    with empty.engine.connect() as connection:
        tables = set(sa.inspect(connection).get_table_names()) - {"alembic_version"}
        assert tables == {"users"}
        assert migrations.current_revision(connection) is None


# No log of before the migration has one that begins so.
YOUNGER_TAGS = (
    *("account.", "person.account_", "person.admitted", "sign_in.federated"),
    *(
        "backchannel_request.",
        "console.refused",
        "device.",
        "device_code.",
        "email.",
        "factor.",
        "join.",
        "passkey.",
        "password.",
        "profile.",
    ),
    *(
        "recovery_codes.",
        "second_factor.",
        "sign_in.unlocked",
        "sign_in.new_device",
        "sign_up.",
        "token.exchanged",
        "person.second_factors_reset",
    ),
)


def test_an_audit_log_that_was_there_is_chained_in_its_order(database_url: str) -> None:
    """Of every tag, and in the histories of those whom the events are about."""
    with closing(Database(database_url, seal=KEYS.seal)) as database:
        at_revision(database, "0009")
        tenants = ["NULL", "'a'", "'b'", "'a'", "NULL"] * 450  # more than a batch
        tags = cycle(
            sorted(
                tag
                for tag in TAGS
                if tag not in (STARTED, BROKEN) and not tag.startswith(YOUNGER_TAGS)
            )
        )
        for number, tenant in enumerate(tenants):
            change(
                database,
                "INSERT INTO audit_events (at, tag, actor_id, tenant_id, address, request_id,"
                f" detail) VALUES ({NOW + number / 7!r}, '{next(tags)}', 'amara', {tenant}, '', '',"
                f""" '{{"z"\\:{number}.0,"person"\\:"ben","a"\\:[1e3, "é\\:\\u0000"]}}')""",
            )
        migrations.upgrade(database)
        reports = {report.chain: report for report in audit_inspection.inspect_all(database)}
        assert {chain: report.events for chain, report in reports.items()} == {
            "a": 900,
            "b": 450,
            "platform": 902,
        }
        assert [report.faults for report in reports.values()] == [[], [], []]
        with database.session() as session:
            events = list(session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)))
            assert [event.detail["z"] for event in events[:2250]] == list(range(2250))
            assert [event.detail["chain"] for event in events[2250:]] == ["a", "b"]
            about = {event.tag: event.person_id for event in events}
            assert about["sign_in.failed"] == "amara"
            assert about["person.disabled"] == "ben"
            assert about["role.changed"] is None
        with pytest.raises(sa.exc.DBAPIError, match="can only be added to"):
            change(database, "DELETE FROM audit_events")


def at_revision(database: Database, revision: str) -> None:
    with database.engine.begin() as connection:
        migrations.upgrade_within(connection, database.seal, revision)


def change(database: Database, statement: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(sa.text(statement))


LINKED = """
INSERT INTO tenants (id, slug, name, status, policy, created_at)
VALUES ('t', 't', 'T', 'active', '{}', 1);
INSERT INTO users (id, email, email_canonical, name, given_name, family_name, locale, zoneinfo,
status, is_operator, sessions_valid_after, created_at, updated_at)
VALUES ('u', 'u', 'u', 'U', '', '', 'en', 'UTC', 'active', false, 0, 1, 1);
INSERT INTO memberships (id, user_id, tenant_id, kind, status, source, sort_name, created_at)
VALUES ('m', 'u', 't', 'staff', 'active', 'home', '', 1);
INSERT INTO roles (id, tenant_id, key, name, description, all_permissions, rank, created_at)
VALUES ('r', 't', 'k', 'K', '', false, 10, 1);
INSERT INTO membership_roles (membership_id, role_id, tenant_id) VALUES ('m', 'r', 't')
"""


def test_what_refers_to_a_table_that_is_made_anew_stays(database_url: str) -> None:
    """SQLite changes a table by dropping the old one; its foreign keys then hold again."""
    with closing(Database(database_url, seal=KEYS.seal)) as database:
        at_revision(database, "0012")
        for statement in LINKED.split(";"):
            change(database, statement)
        migrations.upgrade(database)
        for table in ("memberships", "membership_roles"):
            with database.engine.connect() as connection:
                assert connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 1
        with pytest.raises(sa.exc.IntegrityError):
            change(database, "DELETE FROM users")


ALLOWED = """
INSERT INTO tenants (id, slug, name, status, policy, created_at)
VALUES ('t2', 't2', 'T2', 'active', '{}', 1);
INSERT INTO memberships (id, user_id, tenant_id, kind, status, source, sort_name, created_at)
VALUES ('m2', 'u', 't2', 'staff', 'active', 'home', '', 1);
INSERT INTO products (key, name, description, color, icon, resource, position, is_platform)
VALUES ('p', 'P', '', '', '', 'urn:p', 1, false);
INSERT INTO sessions (id, secret_hash, user_id, auth_time, amr, acr, address, user_agent,
created_at, last_seen_at, expires_at)
VALUES ('s', 's', 'u', 1, '', '', '', '', 1, 1, 9);
"""


def client_and_grants(client_id: str, **ended: str) -> Iterator[str]:
    yield (
        "INSERT INTO clients (client_id, client_name, product_key, status, application_type,"
        " token_endpoint_auth_method, redirect_uris, post_logout_redirect_uris, grant_types, scope,"
        " permissions, first_party, require_pkce, id_token_signed_response_alg,"
        " access_token_signed_response_alg, refresh_token_rotation, created_at)"
        f" VALUES ('{client_id}', 'C', 'p', 'active', 'web', 'none', '[]', '[]', '[]', '', '[]',"
        " false, true, '', '', false, 1)"
    )
    yield (
        "INSERT INTO consents (user_id, client_id, scope, given_at)"
        f" VALUES ('u', '{client_id}', 'email openid', 7)"
    )
    for membership, ended_at in ended.items():
        grant = f"{client_id} {membership}"
        yield (
            "INSERT INTO grants (id, client_id, user_id, membership_id, session_id, scope,"
            " is_offline, auth_time, acr, amr, claims, created_at, code_hash, code_expires_at,"
            " generation, grace_uses, expires_at, ended_at)"
            f" VALUES ('{grant}', '{client_id}', 'u', '{membership}', 's', 'openid', false, 1, '',"
            f" '', '', 1, '{grant}', 9, 1, 0, 9, {ended_at})"
        )


def test_a_consent_becomes_one_for_each_company_that_its_grants_are_for(database_url: str) -> None:
    with closing(Database(database_url, seal=KEYS.seal)) as database:
        at_revision(database, "0015")
        statements = [each for each in f"{LINKED};{ALLOWED}".split(";") if each.strip()]
        statements += client_and_grants("both", m="NULL", m2="NULL")
        statements += client_and_grants("one", m="5", m2="NULL")
        statements += client_and_grants("none", m="5")
        for statement in statements:
            change(database, statement)
        migrations.upgrade(database)
        assert migrations.differences(database) == []
        with database.engine.connect() as connection:
            found = connection.execute(
                sa.text("SELECT client_id, membership_id, scope, given_at FROM consents")
            )
            assert sorted(tuple(row) for row in found) == [
                ("both", "m", "email openid", 7.0),
                ("both", "m2", "email openid", 7.0),
                ("one", "m2", "email openid", 7.0),
            ]
            resting = connection.execute(
                sa.text(
                    "SELECT g.id FROM grants g JOIN consents c ON c.id = g.consent_id"
                    " AND c.membership_id = g.membership_id AND c.client_id = g.client_id"
                )
            )
            assert {row[0] for row in resting} == {"both m", "both m2", "one m2"}


IMPORTS = (
    *(("kept", "t", "checked", 5), ("older", "t", "checked", 4), ("trying", "t", "checking", 3)),
    *(("over", "t", "done", 6), ("runs", "other", "running", 1), ("newer", "other", "checked", 2)),
    ("also runs", "other", "running", 0),
)


def test_of_several_open_imports_of_a_company_one_goes_on(database_url: str) -> None:
    with closing(Database(database_url)) as database:
        at_revision(database, "0017")
        for statement in LINKED.split(";"):
            change(database, statement)
        change(
            database,
            "INSERT INTO tenants (id, slug, name, status, policy, created_at)"
            " VALUES ('other', 'other', 'O', 'active', '{}', 1)",
        )
        for name, tenant, state, made in IMPORTS:
            change(
                database,
                "INSERT INTO people_imports"
                " (id, tenant_id, started_by, locale, state, created_at, locked_until)"
                f" VALUES ('{name}', '{tenant}', 'u', 'en', '{state}', {made}, 0)",
            )
        migrations.upgrade(database)
        with database.engine.connect() as connection:
            found = connection.execute(sa.text("SELECT id, state FROM people_imports"))
            states = dict(map(tuple, found))
    assert states == {
        "kept": "checked",
        "older": "dropped",
        "trying": "dropped",
        "over": "done",
        "runs": "running",
        "newer": "dropped",
        "also runs": "done",
    }


GIVEN_BY_A_MEMBER = """
INSERT INTO consents (id, membership_id, client_id, scope, given_at) VALUES ('c', 'm', 'c', 'x', 1);
UPDATE users SET is_operator = true WHERE id = 'u';
INSERT INTO users (id, email, email_canonical, name, given_name, family_name, locale, zoneinfo,
status, is_operator, sessions_valid_after, created_at, updated_at)
VALUES ('v', 'v', 'v', 'V', '', '', 'en', 'UTC', 'active', false, 0, 1, 1);
INSERT INTO operator_visits (id, tenant_id, operator_id, reason, started_at, until)
VALUES ('o', 't', 'u', 'r', 1, 9)
"""


def test_operators_get_a_term_and_what_members_hold_stays(database_url: str) -> None:
    """Consents and grants that are there are of memberships; visits were begun in the console."""
    with closing(Database(database_url, seal=KEYS.seal)) as database:
        at_revision(database, "0019")
        client, _old_consent, *grants = client_and_grants("c", m="NULL", m2="5")
        for statement in f"{LINKED};{ALLOWED}".split(";"):
            if statement.strip():
                change(database, statement)
        for statement in (client, *grants, *GIVEN_BY_A_MEMBER.split(";")):
            change(database, statement)
        migrations.upgrade(database)
        assert migrations.differences(database) == []
        with database.engine.connect() as connection:
            users = connection.execute(sa.text("SELECT id, operator_term FROM users"))
            terms = {row[0]: row[1] for row in users}
            held = connection.execute(
                sa.text(
                    "SELECT membership_id, operator_term FROM grants UNION ALL"
                    " SELECT membership_id, operator_term FROM consents"
                )
            )
            assert sorted(map(tuple, held)) == [("m", None), ("m", None), ("m2", None)]
            visit = connection.execute(sa.text("SELECT id, client_id FROM operator_visits"))
            assert [tuple(row) for row in visit] == [("o", None)]
        assert len(terms["u"]) == 32
        assert terms["v"] is None
        for table in ("grants", "consents"):
            with pytest.raises(sa.exc.IntegrityError, match="one_standing"):
                change(database, f"UPDATE {table} SET membership_id = NULL")
            with pytest.raises(sa.exc.IntegrityError):
                change(database, f"UPDATE {table} SET membership_id = 'nobodys'")


WRITTEN = (  # id, email, canonical by the rule of then, and by the rule of now
    ("plain", "amy@fresh.example", "amy@fresh.example", "amy@fresh.example"),
    ("dot", "bo@fresh.example.", "bo@fresh.example.", "bo@fresh.example"),
    ("taken", "amy@fresh.example.", "amy@fresh.example.", "amy@fresh.example."),
    ("sharp", "Cy@straße.example", "cy@strasse.example", "cy@xn--strae-oqa.example"),
    ("local", "straße@fresh.example", "strasse@fresh.example", "strasse@fresh.example"),
)


def test_addresses_of_before_have_todays_form_where_it_is_free(database_url: str) -> None:
    with closing(Database(database_url, seal=KEYS.seal)) as database:
        at_revision(database, "0029")
        for statement in LINKED.split(";"):
            change(database, statement)
        for key, email, canonical, _ in WRITTEN:
            change(
                database,
                "INSERT INTO users (id, email, email_canonical, name, given_name, family_name,"
                " locale, zoneinfo, status, is_operator, sessions_valid_after, created_at,"
                f" updated_at) VALUES ('{key}', '{email}', '{canonical}', 'U', '', '', 'en',"
                " 'UTC', 'active', false, 0, 1, 1)",
            )
        migrations.upgrade(database)
        with database.engine.connect() as connection:
            found = connection.execute(sa.text("SELECT id, email_canonical FROM users"))
            forms = dict(map(tuple, found))
            confirmed = connection.scalar(sa.text("SELECT confirmed_at FROM tenants"))
        lost = lost_addresses.find(database)
    assert lost == ["taken", "u"], "the last has no address at all"
    assert forms == {"u": "u", **{key: now for key, _, _, now in WRITTEN}}
    assert confirmed == 1.0, "operators have made all that there are"


def test_a_grant_that_is_there_was_of_who_was_seen_as_it_says(database_url: str) -> None:
    """And by a second factor where its class says so, at no later time."""
    with closing(Database(database_url, seal=KEYS.seal)) as database:
        at_revision(database, "0015")
        statements = [each for each in f"{LINKED};{ALLOWED}".split(";") if each.strip()]
        for statement in (*statements, *client_and_grants("c", m="NULL", m2="NULL")):
            change(database, statement)
        at_revision(database, "0030")
        change(database, "UPDATE grants SET auth_time = 5, acr = 'aal1' WHERE id = 'c m'")
        change(database, "UPDATE grants SET auth_time = 7, acr = 'phr' WHERE id = 'c m2'")
        migrations.upgrade(database)
        with database.engine.connect() as connection:
            of_grants = "SELECT id, provider_key, shown_at, second_factor_at FROM grants"
            found = {row[0]: tuple(row[1:]) for row in connection.execute(sa.text(of_grants))}
    assert found == {"c m": (None, 5.0, None), "c m2": (None, 7.0, 7.0)}
