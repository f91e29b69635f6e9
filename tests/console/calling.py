"""Callers of the management API: a tenant's program, the platform's, and people by a client of the
product `console`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from werkzeug.test import Client, TestResponse

from tests.world import ADDRESSES, AMARA, World

APP = "console-app"
EVERYTHING = (
    "people.read people.manage roles.manage policy.manage domains.manage branding.manage"
    " audit.read access.request access.receive identity_providers.manage"
)
MACHINES = {"northwind": "northwind-all", "harbor": "harbor-all"}


@dataclass
class Caller:
    """Sends JSON, or `data` as it is, with a bearer token; `path` follows `/api/v1`."""

    world: World
    token: str

    def __call__(self, method: str, path: str, json: Any = None, **headers: str) -> TestResponse:
        return self._open(method, path, headers, json=json)

    def _open(self, method: str, path: str, named: dict[str, str], **body: Any) -> TestResponse:
        sent = {name.replace("_", "-"): value for name, value in named.items()}
        if self.token:
            sent = {"Authorization": f"Bearer {self.token}", **sent}
        return Client(self.world.app).open(f"/api/v1{path}", method=method, headers=sent, **body)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self("GET", path, **headers)

    def post(self, path: str, json: Any = None, **headers: str) -> TestResponse:
        return self("POST", path, json, **headers)

    def send(
        self, path: str, data: bytes, media_type: str, method: str = "POST", **headers: str
    ) -> TestResponse:
        return self._open(method, path, {"Content_Type": media_type, **headers}, data=data)

    def change(self, method: str, path: str, json: Any) -> TestResponse:
        """With the ETag that is there now."""
        return self(method, path, json, If_Match=self.get(path).headers["ETag"])


def secret_of(client_id: str) -> str:
    return f"{client_id}-has-a-secret-of-more-than-32-letters"


def machine(world: World, client_id: str, secret: str | None = None, **form: str) -> Caller:
    form = {"grant_type": "client_credentials", **form}
    answer = world.post("/token", world.basic(client_id, secret), **form)
    assert answer.status_code == 200, answer.text
    return Caller(world, (answer.json or {})["access_token"])


def tenants_machine(world: World, tenant: str = "northwind") -> Caller:
    """One that may do whatever a machine of that company can be allowed."""
    add_clients(world)
    return machine(world, MACHINES[tenant], secret_of(MACHINES[tenant]))


def platforms_machine(world: World) -> Caller:
    return machine(world, "platform-automation")


def person(
    world: World, email: str = AMARA, tenant: str = "northwind", scope: str = EVERYTHING
) -> Caller:
    """Signed in at a client of the product `console`."""
    add_clients(world)
    code = world.browser().code(email, APP, tenant=tenant, scope=f"openid {scope}")
    answer = world.redeem(code, APP, secret=secret_of(APP))
    assert answer.status_code == 200, answer.text
    return Caller(world, (answer.json or {})["access_token"])


def nobody(world: World) -> Caller:
    return Caller(world, "")


def add_clients(world: World) -> None:
    clients: list[dict[str, Any]] = [
        {
            "client_id": APP,
            "client_name": "Console for the desk",
            "product": "console",
            "client_secret": secret_of(APP),
            "redirect_uris": [f"{ADDRESSES[APP]}/callback"],
            "grant_types": ["authorization_code"],
            "scope": f"openid {EVERYTHING}",
            "first_party": True,
        }
    ]
    for tenant, client_id in MACHINES.items():
        clients.append(
            {
                "client_id": client_id,
                "client_name": f"Everything at {tenant}",
                "product": "console",
                "tenant": tenant,
                "client_secret": secret_of(client_id),
                "grant_types": ["client_credentials"],
                "scope": EVERYTHING,
                "permissions": EVERYTHING.split(),
            }
        )
    world.apply(clients=clients)
    world.clock.move(2)  # a catalog may be a second old
