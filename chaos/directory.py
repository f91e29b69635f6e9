"""Who lives in the town: companies that each have a canary in all their names, and their people."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from joserfc.jwk import ECKey

from chaos.registry import (
    CAREFUL,
    CLERK,
    CLUB,
    COLLEAGUE,
    GUEST,
    KEEPER,
    MACHINE,
    NOISY,
    NOISY_PEOPLE,
    PASSWORD,
    REDIRECT_URI,
    ROLES,
    SCOPE,
    SIGNING,
    SPA,
    STRICT,
    TENANTS,
    VAULT,
    WEB,
    app_of,
    canary,
    email,
    noisy_email,
    personnel,
    secret_of,
    tenant_of,
)
from idp import setup
from idp.credentials.password import Password
from idp.credentials.second_factor_tries import AuthenticatorFailures
from idp.credentials.totp import TotpAuthenticator
from idp.directory.memberships import ACTIVE, Membership
from idp.directory.users import User
from idp.limits import AttemptLimit
from idp.provider import Provider
from idp.secret_values import new_id

KEY = ECKey.generate_key("P-256", {"kid": "chaos", "use": "sig", "alg": "ES256"})
KEY_FILE = json.dumps(KEY.as_dict(private=True))
_PEOPLE_GRANTS = ["authorization_code", "refresh_token"]


def furnish(held: Provider, users: int) -> None:
    """The companies, and `users` people with those around them; all passwords are PASSWORD."""
    now = time.time()
    described = setup.read(_described(users), {}, "the town's directory")
    setup.apply(held, described, now, base_dir=Path())
    with held.database.engine.begin() as connection:
        people = connection.scalars(sa.select(User.id))
        secret = held.hasher.hash(PASSWORD)
        rows = [{"user_id": each, "hash": secret, "changed_at": now} for each in people]
        connection.execute(sa.insert(Password), rows)
        connection.execute(sa.insert(TotpAuthenticator), _apps(held, connection, users, now))


def _apps(
    held: Provider, connection: sa.Connection, users: int, now: float
) -> list[dict[str, Any]]:
    """An authenticator app for each who is careful, sealed as `totp` does it."""
    found = connection.execute(sa.select(User.email, User.id))
    ids = {str(address): str(user_id) for address, user_id in found}
    owners = [(ids[email(number, CAREFUL)], app_of(number)) for number in range(users)]
    return [
        {
            "user_id": owner,
            "id": new_id(),
            "sealed_secret": held.secret_keys.encrypt(secret.encode(), f"totp of {owner}"),
            "last_step": 0,
            "enrolled_at": now,
        }
        for owner, secret in owners
    ]


def put_back(held: Provider) -> None:
    """Everybody as they were: what a load has left changed is not known to the next one."""
    with held.database.engine.begin() as connection:
        secret = held.hasher.hash(PASSWORD)
        connection.execute(sa.update(Password).values(hash=secret))
        connection.execute(sa.update(Membership).values(status=ACTIVE))
        connection.execute(sa.update(TotpAuthenticator).values(last_step=0))
        connection.execute(sa.delete(AttemptLimit))
        connection.execute(sa.delete(AuthenticatorFailures))


def plan(held: Provider, users: int) -> dict[str, Any]:
    """What the load has to know of them."""
    found = sa.select(User.email, Membership.id).join(Membership, Membership.user_id == User.id)
    with held.database.engine.connect() as connection:
        members = {str(email): str(member) for email, member in connection.execute(found)}
    return {
        "password": PASSWORD,
        "key": KEY_FILE,
        "people": [
            {
                "tenant": tenant_of(number),
                "member": members[email(number, COLLEAGUE)],
                "app": app_of(number),
                **{role: email(number, role) for role in ROLES},
            }
            for number in range(users)
        ],
    }


def _described(users: int) -> dict[str, Any]:
    """In the form of a set-up file."""
    return {
        "products": [
            *(product("desk"), product(CLUB)),
            {**product(VAULT), "second_factor": True},
        ],
        "clients": [*_clients(), _keeper(), *map(_personnel, (*TENANTS, NOISY))],
        "tenants": [
            {
                "slug": tenant,
                "name": f"Company {canary(tenant)}",
                "roles": [
                    {
                        "key": CLERK,
                        "name": f"Clerk {canary(tenant)}",
                        "permissions": {key: [f"{key}.open"] for key in ("desk", CLUB, VAULT)},
                    },
                    {
                        "key": GUEST,
                        "name": f"Guest {canary(tenant)}",
                        "permissions": {"desk": ["desk.open"]},
                    },
                ],
            }
            for tenant in (*TENANTS, NOISY)
        ],
        "users": [
            *(
                _person(email(number, role), tenant_of(number))
                for number in range(users)
                for role in ROLES
            ),
            *(_person(noisy_email(number), NOISY) for number in range(NOISY_PEOPLE)),
        ],
    }


def _person(address: str, tenant: str) -> dict[str, Any]:
    return {
        "email": address,
        "name": f"{address.partition('@')[0]} {canary(tenant)}",
        "locale": "en-US",
        "zoneinfo": "UTC",
        "email_verified": True,
        "memberships": [{"tenant": tenant, "roles": [CLERK]}],
    }


def product(key: str) -> dict[str, Any]:
    opens = f"{key}.open"
    return {"key": key, "name": key, "permissions": [{"key": opens, "name": opens}]}


def _clients() -> list[dict[str, Any]]:
    of_people = {
        "product": "desk",
        "first_party": True,
        "redirect_uris": [REDIRECT_URI],
        "grant_types": _PEOPLE_GRANTS,
        "scope": SCOPE,
    }
    of_machines = {
        "product": "desk",
        "grant_types": ["client_credentials"],
        "scope": "work",
        "permissions": ["desk.open"],
    }
    return [
        {**of_people, **_named(WEB)},
        {**of_people, **_named(SPA, token_endpoint_auth_method="none")},
        {**of_people, **_named(STRICT), "refresh_token_rotation": True},
        {**of_people, **_named(VAULT), "product": VAULT},
        {**of_machines, **_named(MACHINE)},
        {
            **of_machines,
            **_named(SIGNING, token_endpoint_auth_method="private_key_jwt"),
            "jwks": {"keys": [KEY.as_dict(private=False)]},
        },
    ]


def _named(client_id: str, **proof: str) -> dict[str, str]:
    """Proves itself by a secret, unless it says otherwise."""
    named = {"client_id": client_id, "client_name": client_id}
    return {**named, **(proof or {"client_secret": secret_of(client_id)})}


def _keeper() -> dict[str, Any]:
    may = ["keys.manage"]
    return {
        **_named(KEEPER),
        "product": "platform",
        "grant_types": ["client_credentials"],
        "scope": " ".join(may),
        "permissions": may,
    }


def _personnel(tenant: str) -> dict[str, Any]:
    may = ["people.read", "people.manage"]
    return {
        **_named(personnel(tenant)),
        "product": "console",
        "tenant": tenant,
        "grant_types": ["client_credentials"],
        "scope": " ".join(may),
        "permissions": may,
    }
