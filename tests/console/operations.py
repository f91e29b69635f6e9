"""An operator, at the rules and at the pages."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from werkzeug.test import TestResponse

from idp.audit import Origin
from idp.directory import operating
from idp.directory.operating import Operation, Operator
from tests.world import OLU, Visitor, World

ORIGIN = Origin("192.0.2.1", "request-1", "")
EVERY_RIGHT = frozenset(
    {
        *("tenants.manage", "products.manage", "keys.manage", "operators.manage"),
        *("access.decide", "platform.audit", "platform.health"),
    }
)


def operation(world: World, **changed: Any) -> AbstractContextManager[Operation]:
    """`changed` are fields of the operator, who has every right and has just signed in."""
    values: dict[str, Any] = {
        "user_id": user_id(world, OLU),
        "client_id": None,
        "auth_time": world.clock(),
        "permissions": EVERY_RIGHT,
    }
    catalog = world.held.catalog.current(world.clock())
    return operating.operation(
        world.held.database, catalog, Operator(**{**values, **changed}), world.clock(), ORIGIN
    )


def user_id(world: World, email: str) -> str:
    return str(world.run("SELECT id FROM users WHERE email_canonical = :e", e=email)[0][0])


def operator(world: World, email: str = OLU) -> Visitor:
    """A browser that has signed in at the operators' console."""
    browser = world.browser()
    assert browser.enter("/operate", email).status_code == 200
    return browser


def send(browser: Visitor, path: str, page: str | None = None, **fields: str) -> TestResponse:
    """Send the form of that address, which is found on `page`."""
    return browser.submit(browser.get(page or path), path, **fields)
