"""An operator, at the rules and at the pages."""

from __future__ import annotations

from collections import defaultdict
from contextlib import AbstractContextManager
from html.parser import HTMLParser
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


def form_of(page: str, of_class: str) -> dict[str, list[str]]:
    """What a browser would send of the page's form of that class, as it stands."""
    reader = _FormReader(of_class)
    reader.feed(page)
    return {**reader.sent}


class _FormReader(HTMLParser):
    """Fields of one form; a select without a selected option sends its first."""

    def __init__(self, of_class: str) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = defaultdict(list)
        self._class, self._inside = of_class, False
        self._text_of: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        name = told.get("name") or ""
        if tag == "form":
            self._inside = self._class in (told.get("class") or "").split()
        elif not self._inside:
            return
        elif tag == "input" and (told.get("type") != "checkbox" or "checked" in told):
            self.sent[name].append(told.get("value") or "")
        elif tag == "textarea":
            self._text_of = name
            self.sent[name] = [""]
        elif tag == "select":
            self._select = name
        elif (
            tag == "option" and self._select and ("selected" in told or not self.sent[self._select])
        ):
            self._text_of = None if "value" in told else self._select
            self.sent[self._select] = [told.get("value") or ""]

    def handle_data(self, data: str) -> None:
        if self._text_of:
            self.sent[self._text_of] = [self.sent[self._text_of][0] + data]

    def handle_endtag(self, tag: str) -> None:
        self._text_of = None
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = None
