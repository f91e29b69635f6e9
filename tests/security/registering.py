"""Clients that register themselves, as they speak to us."""

from __future__ import annotations

import json
from typing import Any

from joserfc.jwk import ECKey
from werkzeug.test import Client, TestResponse

from idp import tenancy
from idp.registration import initial_tokens
from idp.registration.initial_tokens import InitialTokenForm
from tests.world import World

HOSTS = ["app.example", "*.apps.example"]
KEY = ECKey.generate_key("P-256", {"kid": "one"})
JWKS = {"keys": [KEY.as_dict(private=False)]}
SOUND: dict[str, Any] = {"redirect_uris": ["https://app.example/cb"], "client_name": "An app"}


def initial_token(world: World, name: str = "partners", **changed: Any) -> str:
    form = {"name": name, "product": "lms", "redirect_hosts": HOSTS, "uses": 100, **changed}
    with tenancy.every_tenant(world.held.database) as session:
        return initial_tokens.make(session, InitialTokenForm.model_validate(form), world.clock())


def post(world: World, token: str, members: object, **headers: str) -> TestResponse:
    return sent(world, "POST", "/register", token, members, **headers)


def sent(
    world: World, method: str, path: str, token: str, members: object = None, **headers: str
) -> TestResponse:
    body = members if isinstance(members, str | bytes) else json.dumps(members)
    proof = {"Authorization": f"Bearer {token}"} if token else {}
    return Client(world.app).open(
        path,
        method=method,
        data=b"" if members is None else body,
        headers={"Content-Type": "application/json", **proof, **headers},
    )


def registered(world: World, token: str, **changed: Any) -> dict[str, Any]:
    """What a sound registration is answered; known to the provider when this returns."""
    answer = post(world, token, {**SOUND, **changed})
    assert answer.status_code == 201, answer.text
    world.clock.move(2)
    return dict(answer.json or {})


def at_own(world: World, told: dict[str, Any], method: str, members: object = None) -> TestResponse:
    """At its own configuration endpoint, with its own token."""
    path = told["registration_client_uri"].removeprefix(world.settings.issuer)
    return sent(world, method, path, told["registration_access_token"], members)
