"""What is asked of a table that grows goes by an index: PostgreSQL counts how often one is gone
through, which it does here only where it has no other way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from bench.console import LARGEST, OF_ADMINS, OF_OPERATORS
from idp import retention
from tests.machine.postgres import Postgres
from tests.security.browsing import reopened
from tests.world import AMARA, OLU, START, World

# Of these there are as many as somebody has set up: all are read at once, or counted.
SET_UP = {
    *("alembic_version", "catalog_version", "client_registrations", "client_secrets", "clients"),
    *("company_providers", "identity_providers", "permissions", "products", "signing_keys"),
    *("client_logos", "initial_access_tokens", "branding", "restorations"),
}
_SCANS = sa.text("SELECT relname FROM pg_stat_user_tables WHERE seq_scan > 0")
_RESET = sa.text("SELECT pg_stat_reset()")


@pytest.fixture
def counted(
    postgres_world: World,
    postgres: Postgres,
    postgres_url: Callable[..., str],
    furnished_postgres: str,
) -> Iterator[World]:
    url = postgres_url(copy_of=furnished_postgres)
    with postgres.as_superuser(url) as connection:
        name = url.rpartition("/")[2]
        for way in ("seqscan", "hashjoin", "mergejoin"):
            connection.execute(f'ALTER DATABASE "{name}" SET enable_{way} = off')
    made = reopened(postgres_world, replace(postgres_world.settings, database_url=url))
    yield made
    made.held.database.close()


def gone_through(world: World, postgres: Postgres) -> set[str]:
    return everything(world, postgres) - SET_UP


def everything(world: World, postgres: Postgres) -> set[str]:
    """A connection tells what it did when it is closed."""
    world.held.database.close()
    with postgres.as_superuser(world.settings.database_url) as connection:
        found = connection.execute(str(_SCANS)).fetchall()
        connection.execute(str(_RESET))
    return {name for (name,) in found}


def test_products_and_people_are_served_by_indexes(counted: World, postgres: Postgres) -> None:
    visitor = counted.browser()
    tokens = visitor.tokens(scope="openid offline_access")
    gone_through(counted, postgres)
    visitor.tokens()
    counted.refresh(tokens["refresh_token"])
    counted.introspect(tokens["access_token"])
    counted.userinfo(tokens["access_token"])
    counted.post("/revoke", counted.basic("lms"), token=tokens["refresh_token"])
    counted.browser().sign_in(AMARA, "wrong")
    visitor.submit(visitor.get("/logout"), path="/logout")
    assert gone_through(counted, postgres) == set()


# Rows of these go within days, all of them, so there are never many.
SHORT_LIVED = {
    *("email_changes", "join_requests", "locks", "password_links", "people_imports"),
    *("sign_up_links", "temporary_passwords"),
}


def test_a_sweep_finds_what_it_deletes_by_an_index(counted: World) -> None:
    database, at = counted.held.database, {"now": START, "a_day_ago": START, "long_ago": START}
    with database.engine.connect() as connection:
        for statement in (*retention._EXPIRED, *retention._SPENT):
            if str(statement.table) in SHORT_LIVED:
                continue
            sent = database.prepared(statement)
            given = tuple({**sent.constants, **at}[name] for name in sent.names)
            (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sent.sql}", given).one()
            scans = [
                node
                for node in nodes(plan[0]["Plan"])
                if "Scan" in node["Node Type"] and "Relation Name" in node
            ]
            assert all(is_by_index(node) for node in scans), (str(statement.table), str(scans))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def is_by_index(node: dict[str, Any]) -> bool:
    return "Index Cond" in node or node["Node Type"] == "Bitmap Heap Scan"


def test_the_consoles_go_by_indexes(counted: World, postgres: Postgres) -> None:
    admin, operator = counted.browser(), counted.browser()
    admin.enter("/manage/northwind")
    operator.enter("/operate/tenants", OLU)
    gone_through(counted, postgres)
    for asked in (*OF_ADMINS, *OF_OPERATORS):
        visitor = operator if asked in OF_OPERATORS else admin
        target = asked.target.replace(LARGEST, "northwind")
        assert visitor.get(target).status_code == 200, target
    assert gone_through(counted, postgres) == set()


def test_what_a_company_has_is_counted_by_indexes(counted: World, postgres: Postgres) -> None:
    operator = counted.browser()
    operator.enter("/operate/tenants", OLU)
    everything(counted, postgres)
    for page in ("", "/suspend", "/end"):
        assert operator.get(f"/operate/tenants/northwind{page}").status_code == 200
    assert "clients" not in everything(counted, postgres)
