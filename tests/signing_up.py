"""People who open an account by themselves, and what comes to their mailbox."""

from __future__ import annotations

from typing import Any

import orjson
from werkzeug.test import Client, TestResponse

from idp.database import Connection
from idp.login import email_move
from tests.console.people_of import user_id
from tests.mailed import NEW, newest_link
from tests.world import Visitor, World

FREDA = "freda@fresh.example"  # nobody's domain
NADIA = "nadia@northwind.example"  # at a domain that northwind has verified, where a test says so
COMPANY = "Fresh Fish & Sons"


def asking_page(visitor: Visitor, client_id: str = "payments") -> TestResponse:
    """By the link under the sign-in form."""
    page = visitor.follow(visitor.authorize(client_id))
    attempt = page.request.args["attempt"]
    return visitor.get(f"/login/sign_up?attempt={attempt}")


def ask_for(world: World, email: str, visitor: Visitor | None = None) -> TestResponse:
    browser = visitor or world.browser()
    return browser.submit(asking_page(browser), email=email)


def link_for(world: World, email: str) -> str:
    world.clock.move(61.0)
    assert ask_for(world, email).status_code == 200
    return newest_link(world, email)


def fill_in(
    world: World,
    link: str,
    name: str = "Freda Fresh",
    company: str = COMPANY,
    password: str = NEW,
    visitor: Visitor | None = None,
) -> TestResponse:
    browser = visitor or world.browser()
    page = browser.get(link)
    assert page.status_code == 200, page.text
    return browser.submit(page, name=name, company=company, password=password)


def sign_up(world: World, email: str, **filled: Any) -> None:
    """All of it; the person has an account, and has not signed in."""
    answer = fill_in(world, link_for(world, email), **filled)
    assert answer.status_code == 303, answer.text
    world.clock.move(1.0)


def verify_domain(
    world: World, name: str = "northwind.example", slug: str = "northwind", at: float = 1.0
) -> None:
    world.run(
        "INSERT INTO domains"
        " (id, tenant_id, name, challenge, created_at, verified_at, checked_at, outcome)"
        " SELECT 'domain-' || :name, id, :name, 'c', 0, :at, :at, 'found'"
        " FROM tenants WHERE slug = :slug",
        name=name,
        slug=slug,
        at=at,
    )


def state(world: World, slug: str = "northwind", **policy: Any) -> None:
    """A tenant's whole policy, stated now."""
    dated = {"sign_up_since": world.clock()} if policy.get("sign_up") == "admitted" else {}
    text = orjson.dumps({**dated, **policy}).decode()
    world.run("UPDATE tenants SET policy = :p WHERE slug = :s", p=text, s=slug)


def admit(world: World) -> None:
    """Northwind's people, by its domain, as agents."""
    verify_domain(world)
    state(world, sign_up="admitted", sign_up_role="agent")


def move_address(world: World, email: str, new: str) -> None:
    """As whoever has confirmed the new one by its link."""
    with world.held.database.session() as rows:
        db = Connection.of(world.held.database, rows)
        assert email_move.move(rows, db, user_id(world, email), new, world.clock())


def memberships_of(world: World, email: str) -> list[tuple[str, str, str, str | None]]:
    """Company, kind, status, and a role."""
    found = world.run(
        "SELECT t.name, m.kind, m.status, r.key FROM memberships m"
        " JOIN users u ON u.id = m.user_id JOIN tenants t ON t.id = m.tenant_id"
        " LEFT JOIN membership_roles mr ON mr.membership_id = m.id"
        " LEFT JOIN roles r ON r.id = mr.role_id WHERE u.email = :e",
        e=email,
    )
    return [tuple(row) for row in found]


def browser_at(world: World, address: str) -> Visitor:
    """One that asks from there."""
    app, browser = world.app, world.browser()
    browser.client = Client(lambda environ, start: app({**environ, "REMOTE_ADDR": address}, start))
    return browser


def is_somebody(world: World, email: str) -> bool:
    return bool(world.run("SELECT id FROM users WHERE email_canonical = :e", e=email))


def requests_of(world: World, email: str) -> list[str]:
    found = world.run(
        "SELECT j.status FROM join_requests j JOIN users u ON u.id = j.user_id"
        " WHERE u.email = :e ORDER BY j.asked_at",
        e=email,
    )
    return [status for (status,) in found]
