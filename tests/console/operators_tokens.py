"""An operator at the API: signed in at a client of the product `platform`, by code and PKCE."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from tests.console.calling import Caller, secret_of
from tests.world import ADDRESSES, OLU, PASSWORD, Visitor, World, sent_back

DESK = "operators-desk"  # ours: no consent is asked for
OTHER = "operators-other"  # another's
NODES = (
    "tenants.manage products.manage keys.manage operators.manage access.decide platform.audit"
    " platform.health"
)
ADDRESSES |= {DESK: "http://localhost:8010", OTHER: "http://localhost:8011"}


def form_of(client_id: str, **changed: Any) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "client_name": f"The client {client_id}",
        "product": "platform",
        "client_secret": secret_of(client_id),
        "redirect_uris": [f"{ADDRESSES[client_id]}/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": f"openid offline_access {NODES}",
        "first_party": client_id == DESK,
        "permissions": [] if client_id == DESK else NODES.split(),
        **changed,
    }


def register(world: World, client_id: str = DESK, **changed: Any) -> None:
    world.apply(clients=[form_of(client_id, **changed)])
    world.clock.move(2)  # a catalog may be a second old


def answer_to(
    browser: Visitor, client_id: str = DESK, email: str = OLU, **changed: str | None
) -> TestResponse:
    """What comes after the password, if it is asked for."""
    changed = {"scope": f"openid {NODES}", **changed}
    page = browser.follow(browser.authorize(client_id, **changed))
    if 'name="password"' in page.text:
        page = browser.follow(browser.submit(page, email=email, password=PASSWORD))
    return page


def signed_in(
    browser: Visitor, client_id: str = DESK, email: str = OLU, **changed: str | None
) -> dict[str, Any]:
    """The token response, to whoever allows what is asked for."""
    page = answer_to(browser, client_id, email, **changed)
    if page.status_code == 200:
        page = browser.follow(browser.submit(page, decision="allow"))
    code = sent_back(page)["code"]
    answer = browser.world.redeem(code, client_id, secret=secret_of(client_id))
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def operators_app(world: World, email: str = OLU, client_id: str = DESK, **asked: str) -> Caller:
    """Somebody new at each call; `scope` narrows what is asked for."""
    register(world, client_id)
    if "scope" in asked:
        asked["scope"] = f"openid {asked['scope']}"
    given = signed_in(world.browser(), client_id, email, **asked)
    return Caller(world, given["access_token"])


def refreshed(world: World, given: dict[str, Any], client_id: str = DESK) -> TestResponse:
    return world.post(
        "/token",
        world.basic(client_id, secret_of(client_id)),
        grant_type="refresh_token",
        refresh_token=given["refresh_token"],
    )


def introspected(world: World, token: str, client_id: str = DESK) -> dict[str, Any]:
    answer = world.post("/introspect", world.basic(client_id, secret_of(client_id)), token=token)
    return dict(answer.json or {})


def make_operator(world: World, email: str, *, operator: bool = True) -> None:
    [(name,)] = world.run("SELECT name FROM users WHERE email = :e", e=email)
    world.apply(users=[{"email": email, "name": name, "operator": operator}])


def touch(world: World) -> None:
    """A client was changed by a statement; a catalog may be a second old."""
    world.run("UPDATE catalog_version SET version = version + 1")
    world.clock.move(2)


def chains(world: World, tag: str) -> list[str]:
    return [row[0] for row in world.run("SELECT chain FROM audit_events WHERE tag = :t", t=tag)]
