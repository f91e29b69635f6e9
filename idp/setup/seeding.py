"""Made-up people in any number, to try the provider at the size that it will have.

Nobody of them can sign in. A tenth of them are in the first tenant, as in the largest client
company; the others share the rest. Names come from two short lists, so a search finds many.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa

from idp.database import Database
from idp.directory import memberships, users
from idp.directory.memberships import KINDS, Membership, MembershipRole
from idp.directory.person_words import PersonWord, sort_name, words_of
from idp.directory.roles import ACCOUNT_ADMIN, RANK, TOP_RANK, Role
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.errors import SetupMistake
from idp.secret_values import new_id

BATCH = 10_000
SQLITE_CACHE_KIB = 512 * 1024  # the indexes are filled all over at once
LARGEST = 10  # the first tenant has one in so many
ROLES = {ACCOUNT_ADMIN: TOP_RANK, "agent": RANK, "analyst": RANK, "borrower": RANK}
GIVEN = (
    *("Amara", "Ben", "Chidi", "Dana", "Elif", "Femi", "Grace", "Hana"),
    *("Ingrid", "Jonas", "Kofi", "Lena", "Mei", "Noor", "Olu", "Priya"),
)
FAMILY = (
    *("Adeyemi", "Bauer", "Castillo", "Diaz", "Eriksen", "Fischer"),
    *("Garcia", "Haddad", "Ito", "Jensen", "Kaya", "Lopez"),
)

Rows = list[dict[str, Any]]


def seed(
    database: Database, people: int, companies: int, now: float, told: Callable[[int], None]
) -> None:
    """`told` hears how many people there are so far. Raises SetupMistake where others are."""
    with database.engine.connect() as connection:
        if connection.scalar(sa.select(User.id).limit(1)):
            raise SetupMistake("The database holds people: made-up ones are for an empty one.")
    tenants = [new_id() for _ in range(companies)]
    roles = {tenant: {key: new_id() for key in ROLES} for tenant in tenants}
    with database.engine.begin() as connection:
        for start in range(0, companies, BATCH):
            some = tenants[start : start + BATCH]
            _fill(connection, Tenant, [_tenant(tenants.index(t), t, now) for t in some])
            _fill(connection, Role, [r for t in some for r in _roles(t, roles[t], now)])
    made, numbers = 0, iter(range(people))
    while batch := list(islice(numbers, BATCH)):
        with database.engine.begin() as connection:
            _add_people(connection, batch, tenants, roles, now)
        made += len(batch)
        told(made)
    if not database.is_sqlite:  # where nobody gathers statistics in production either
        with database.engine.begin() as connection:
            connection.execute(sa.text("ANALYZE"))


def _add_people(
    connection: sa.Connection,
    batch: list[int],
    tenants: list[str],
    roles: dict[str, dict[str, str]],
    now: float,
) -> None:
    persons, members, links, words = zip(
        *(_person(number, tenants, roles, now) for number in batch), strict=True
    )
    _fill(connection, User, list(persons))
    _fill(connection, Membership, list(members))
    _fill(connection, MembershipRole, list(links))
    found = [word for each in words for word in each]
    _fill(connection, PersonWord, sorted(found, key=lambda row: (row["tenant_id"], row["word"])))


def _tenant(number: int, tenant_id: str, now: float) -> dict[str, Any]:
    name = f"Company {number}"
    return {
        "id": tenant_id,
        "slug": f"company-{number}",
        "name": name,
        "created_at": now,
        "confirmed_at": now,
        "name_folded": name.casefold(),
        "status": "active",
        "policy": {},
    }


def _roles(tenant_id: str, ids: dict[str, str], now: float) -> Iterator[dict[str, Any]]:
    for key, rank in ROLES.items():
        yield {
            "id": ids[key],
            "tenant_id": tenant_id,
            "key": key,
            "name": key.title(),
            "description": "",
            "all_permissions": key == ACCOUNT_ADMIN,
            "rank": rank,
            "created_at": now,
        }


def _person(
    number: int, tenants: list[str], roles: dict[str, dict[str, str]], now: float
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], Rows]:
    """One person with one membership; the first of each tenant is its account admin."""
    chance = random.Random(number)  # noqa: S311 - the same people each time, and nothing secret
    rest = tenants[1:] or tenants
    is_largest = number % LARGEST == 0
    tenant_id = tenants[0] if is_largest else rest[number % len(rest)]
    name = f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}"
    email = f"{name.lower().replace(' ', '.')}.{number}@{'large' if is_largest else 'some'}.example"
    kind = KINDS[min(chance.randrange(10) // 4, 2)]
    is_first = number < len(rest) + LARGEST and (number == 0 or not is_largest)
    role = ACCOUNT_ADMIN if is_first else ("agent", "analyst", "borrower")[number % 3]
    user_id, member_id = new_id(), new_id()
    status = memberships.DISABLED if chance.randrange(50) == 0 else memberships.ACTIVE
    return (
        {
            "id": user_id,
            "email": email,
            "email_canonical": email,
            "name": name,
            "email_verified_at": now,
            "given_name": "",
            "family_name": "",
            "locale": "en",
            "zoneinfo": "UTC",
            "status": users.ACTIVE,
            "is_operator": False,
            "sessions_valid_after": 0.0,
            "created_at": now,
            "updated_at": now,
        },
        {
            "id": member_id,
            "user_id": user_id,
            "tenant_id": tenant_id,
            "kind": kind,
            "status": status,
            "source": memberships.HOME,
            "created_at": now,
            "sort_name": sort_name(name, email),
        },
        {"membership_id": member_id, "role_id": roles[tenant_id][role], "tenant_id": tenant_id},
        [
            {
                "tenant_id": tenant_id,
                "word": word,
                "sort_name": sort_name(name, email),
                "membership_id": member_id,
            }
            for word in words_of(name, email)
        ],
    )


def _fill(connection: sa.Connection, model: Any, rows: Rows) -> None:
    """PostgreSQL takes a COPY ten times as fast, but not into a table with row-level security."""
    table: sa.Table = model.__table__
    if connection.dialect.name != "postgresql":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{SQLITE_CACHE_KIB}")
        connection.execute(sa.insert(table), rows)
        return
    names = ", ".join(rows[0])
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE seeding ON COMMIT DROP AS SELECT {names} FROM {table.name}"  # noqa: S608
            " LIMIT 0"
        )
        with cursor.copy(f"COPY seeding ({names}) FROM STDIN") as copied:
            for row in rows:
                copied.write_row([each if each != {} else "{}" for each in row.values()])
        cursor.execute(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM seeding")  # noqa: S608
        cursor.execute("DROP TABLE seeding")
