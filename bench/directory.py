"""A provider's database for measuring: the registry's clients, a thousand people, old sessions."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

from bench.registry import CLIENTS, PASSWORD, PEOPLE, REDIRECT_URI, SCOPE, BenchClient, email
from idp.credentials.password import Password
from idp.directory import catalog
from idp.directory.clients import Client, ClientSecret
from idp.directory.memberships import Membership, MembershipRole
from idp.directory.products import Permission, Product
from idp.directory.roles import Role, RolePermission
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.provider import Provider
from idp.secret_values import fingerprint
from idp.sessions.browser import SsoSession

SESSIONS = 100_000
PERMISSIONS = 20
BATCH = 10_000


def furnish(held: Provider) -> None:
    """One tenant with two roles that everybody has, and `SESSIONS` sessions of other browsers."""
    now = time.time()
    with held.database.session() as session:
        session.add(_product())
        session.add(Tenant(id="bench", slug="bench", name="Bench", policy={}, created_at=now))
        session.flush()
        session.add_all(_client(client, now) for client in CLIENTS)
        session.add_all(_role(name, now) for name in ("teacher", "examiner"))
    with held.database.engine.begin() as connection:
        _insert(connection, User, [_user(number, now) for number in range(PEOPLE)])
        secret = held.hasher.hash(PASSWORD)
        numbers = range(PEOPLE)
        _insert(connection, Password, [_password(number, secret, now) for number in numbers])
        _insert(connection, Membership, [_membership(number, now) for number in numbers])
        _insert(connection, MembershipRole, [pair for n in numbers for pair in _roles_of(n)])
        for start in range(0, SESSIONS, BATCH):
            rows = [_session(number, now) for number in range(start, start + BATCH)]
            _insert(connection, SsoSession, rows)
    with held.database.connection() as db:
        catalog.touch(db)


def _insert(connection: sa.Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    connection.execute(sa.insert(table.__table__), rows)


def _product() -> Product:
    tree = [
        Permission(key=f"part{n}.read", parent_key=None, name="A part") for n in range(PERMISSIONS)
    ]
    return Product(key="bench", name="Bench", resource="https://bench.example", permissions=tree)


def _client(client: BenchClient, now: float) -> Client:
    secrets = [ClientSecret(secret_hash=fingerprint(client.secret), created_at=now)]
    return Client(
        client_id=client.client_id,
        client_name=client.client_id,
        product_key="bench",
        token_endpoint_auth_method="client_secret_basic" if client.secret else "none",
        secrets=secrets if client.secret else [],
        redirect_uris=[] if client.is_machine else [REDIRECT_URI],
        grant_types=list(client.grant_types),
        scope=SCOPE,
        permissions=["part1.read"],
        first_party=True,
        id_token_signed_response_alg=client.alg,
        access_token_signed_response_alg=client.alg if client.is_machine else "ES256",
        created_at=now,
    )


def _role(name: str, now: float) -> Role:
    granted = [
        RolePermission(product_key="bench", permission_key=f"part{n}.read") for n in range(5)
    ]
    return Role(
        id=name, tenant_id="bench", key=name, name=name.title(), permissions=granted, created_at=now
    )


def _user(number: int, now: float) -> dict[str, Any]:
    return {
        "id": f"person{number}",
        "email": email(number),
        "email_canonical": email(number),
        "email_verified_at": now,
        "name": f"Person {number}",
        "given_name": "Person",
        "family_name": str(number),
        "created_at": now,
        "updated_at": now,
    }


def _password(number: int, secret: str, now: float) -> dict[str, Any]:
    return {"user_id": f"person{number}", "hash": secret, "changed_at": now}


def _membership(number: int, now: float) -> dict[str, Any]:
    who = f"person{number}"
    return {"id": who, "user_id": who, "tenant_id": "bench", "kind": "staff", "created_at": now}


def _roles_of(number: int) -> list[dict[str, Any]]:
    return [
        {"membership_id": f"person{number}", "role_id": name} for name in ("teacher", "examiner")
    ]


def _session(number: int, now: float) -> dict[str, Any]:
    return {
        "id": f"{number:032x}",
        "secret_hash": fingerprint(str(number)),
        "user_id": f"person{number % PEOPLE}",
        "tenant_id": "bench",
        "auth_time": now,
        "amr": "pwd",
        "acr": "1",
        "address": "127.0.0.1",
        "user_agent": "Mozilla/5.0",
        "created_at": now,
        "last_seen_at": now,
        "expires_at": now + 86400,
    }
