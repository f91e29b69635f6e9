"""Copies of a real row, as many as are wanted, made by PostgreSQL itself."""

from __future__ import annotations

from typing import Protocol

import sqlalchemy as sa

from tests.security.protocol import KEEPING


class Wanted(Protocol):
    clients: int
    sessions: int
    grants: int
    events: int


def grow(connection: sa.Connection, size: Wanted) -> None:
    """The newest session, grant and event are copied for all people in turn, and the client KEEPING
    with its secret."""
    connection.exec_driver_sql(
        "CREATE TEMPORARY TABLE people AS SELECT row_number() OVER () - 1 AS n, user_id,"
        " id AS membership_id, tenant_id FROM memberships"
    )
    connection.exec_driver_sql("CREATE UNIQUE INDEX ON people (n)")
    connection.exec_driver_sql("ANALYZE people")
    (people,) = connection.exec_driver_sql("SELECT count(*) FROM people").one()
    whose = f"JOIN people ON people.n = mod(mod(g.n, {size.sessions}), {people})"
    session = f"md5('session ' || mod(g.n, {size.sessions}))"
    client = {"client_id": "'client-' || g.n"}
    of_client = f"WHERE client_id = '{KEEPING.client_id}'"
    copy_rows(connection, "clients", size.clients, client, of_client)
    copy_rows(
        connection,
        "client_secrets",
        size.clients,
        {**client, "secret_hash": "md5('secret ' || g.n)"},
        of_client,
    )
    owner = {"user_id": "people.user_id"}
    hashed = {"id": session, "secret_hash": session}
    copy_rows(connection, "sessions", size.sessions, {**owner, **hashed}, "", whose)
    grant = {
        **owner,
        "id": "md5('grant ' || g.n)",
        "membership_id": "people.membership_id",
        "session_id": session,
        "code_hash": "md5('code ' || g.n)",
        "refresh_hash": "md5('refresh ' || g.n)",
    }
    of_grant = "WHERE refresh_hash IS NOT NULL"
    copy_rows(connection, "grants", size.grants, grant, of_grant, whose)
    event = {
        "chain": "people.tenant_id",
        "seq": "1000000 + g.n",
        "digest": "md5('event ' || g.n)",
        "tenant_id": "people.tenant_id",
        "actor_id": "people.user_id",
        "person_id": "people.user_id",
    }
    copy_rows(connection, "audit_events", size.events, event, "", whose, but="id")


def copy_rows(
    connection: sa.Connection,
    table: str,
    count: int,
    changed: dict[str, str],
    which: str,
    join: str = "",
    but: str = "",
) -> None:
    """`g.n` is the number of the copy."""
    known = [each["name"] for each in sa.inspect(connection).get_columns(table)]
    assert set(changed) <= set(known), (table, set(changed) - set(known))
    names = [name for name in known if name != but]
    values = ", ".join(changed.get(name, f'one."{name}"') for name in names)
    listed = ", ".join(f'"{name}"' for name in names)
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({listed}) SELECT {values}"
        f" FROM (SELECT * FROM {table} {which} LIMIT 1) one"
        f" CROSS JOIN generate_series(1, {count}) AS g(n) {join}"
    )
    # what refers to these rows is checked by a plan that was made when there were few
    connection.exec_driver_sql(f"ANALYZE {table}")
