"""A provider's database for measuring: the registry's clients, many people, old sessions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.registry import CLIENTS, PASSWORD, PEOPLE, REDIRECT_URI, SCOPE, BenchClient, email
from idp import setup
from idp.credentials.password import Password
from idp.directory.users import User
from idp.provider import Provider
from idp.secret_values import fingerprint
from idp.sessions.browser import SsoSession

SESSIONS = 100_000
BATCH = 10_000
PRODUCT = "bench"
ROLES = ("teacher", "examiner")
PERMISSIONS = [f"part{number}.read" for number in range(20)]


def furnish(held: Provider) -> None:
    """One tenant with two roles that everybody has, and `SESSIONS` sessions of other browsers."""
    now = time.time()
    described = setup.read(_described(), {}, "the bench's directory")
    setup.apply(held, described, now, base_dir=Path())
    with held.database.engine.begin() as connection:
        people = list(connection.scalars(sa.select(User.id)))
        secret = held.hasher.hash(PASSWORD)
        rows = [{"user_id": person, "hash": secret, "changed_at": now} for person in people]
        connection.execute(sa.insert(Password), rows)
        for start in range(0, SESSIONS, BATCH):
            numbers = range(start, start + BATCH)
            sessions = [_session(number, people[number % PEOPLE], now) for number in numbers]
            connection.execute(sa.insert(SsoSession), sessions)


def _described() -> dict[str, Any]:
    """In the form of a set-up file."""
    tree = [{"key": key, "name": key} for key in PERMISSIONS]
    roles = [{"key": key, "name": key, "permissions": {PRODUCT: PERMISSIONS[:5]}} for key in ROLES]
    membership = {"tenant": "bench", "roles": list(ROLES)}
    people = [
        {"email": email(number), "name": f"Person {number}", "memberships": [membership]}
        for number in range(PEOPLE)
    ]
    return {
        "products": [{"key": PRODUCT, "name": "Bench", "permissions": tree}],
        "clients": [_client(client) for client in CLIENTS],
        "tenants": [{"slug": "bench", "name": "Bench", "roles": roles}],
        "users": [{**each, "email_verified": True} for each in people],
    }


def _client(client: BenchClient) -> dict[str, Any]:
    described: dict[str, Any] = {
        "client_id": client.client_id,
        "client_name": client.client_id,
        "product": PRODUCT,
        "token_endpoint_auth_method": "client_secret_basic" if client.secret else "none",
        "grant_types": list(client.grant_types),
    }
    if client.secret:
        described["client_secret"] = client.secret
    if client.is_machine:
        return described | {
            "scope": "work",
            "permissions": PERMISSIONS[:1],
            "access_token_signed_response_alg": client.alg,
        }
    return described | {
        "redirect_uris": [REDIRECT_URI],
        "scope": SCOPE,
        "first_party": True,
        "id_token_signed_response_alg": client.alg,
    }


def _session(number: int, user_id: str, now: float) -> dict[str, Any]:
    return {
        "id": f"{number:032x}",
        "secret_hash": fingerprint(str(number)),
        "user_id": user_id,
        "auth_time": now,
        "proofs": f'{{"password":[{now},0.0]}}',
        "address": "127.0.0.1",
        "user_agent": "Mozilla/5.0",
        "created_at": now,
        "last_seen_at": now,
        "expires_at": now + 86400,
    }
