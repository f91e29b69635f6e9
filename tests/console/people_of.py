"""Companies and their people, as a test of the console reaches them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import orjson
import sqlalchemy as sa

from idp.audit import NOWHERE
from idp.directory import event_letters
from idp.directory.acting import EVERYTHING, Actor, Administration, TenantName
from idp.directory.acting import administration as administer
from idp.directory.products import CONSOLE
from idp.worker import senders_of
from tests.world import World

CLERK = {
    "key": "clerk",
    "name": "Clerk",
    "rank": 20,
    "permissions": {"console": ["people.read", "people.manage"]},
}


def administration(
    world: World, slug: str = "northwind", *, may: frozenset[str] | None = None
) -> AbstractContextManager[Administration]:
    """The company as a client with everything has it, or with the permissions given."""
    tenant = company(world, slug)
    catalog = world.held.catalog.current(world.clock())
    keys = catalog.products[CONSOLE].permission_keys if may is None else may
    actor = Actor(None, "a-test", None, keys, EVERYTHING)
    return administer(world.held.database, catalog, tenant, actor, world.clock(), NOWHERE)


def company(world: World, slug: str) -> TenantName:
    ((tenant_id, name),) = ask(world, "SELECT id, name FROM tenants WHERE slug = :s", s=slug)
    return TenantName(tenant_id, slug, name, confirmed=True)


def ask(world: World, sql: str, **values: Any) -> list[Any]:
    """Read without waiting for whoever writes."""
    with world.held.database.reading_engine().connect() as connection:
        return list(connection.execute(sa.text(sql), values))


def user_id(world: World, email: str) -> str:
    ((found,),) = ask(world, "SELECT id FROM users WHERE email_canonical = :e", e=email)
    return str(found)


def member_id(world: World, email: str, slug: str = "northwind") -> str:
    ((found,),) = ask(
        world,
        "SELECT m.id FROM memberships m JOIN users u ON u.id = m.user_id"
        " JOIN tenants t ON t.id = m.tenant_id WHERE u.email_canonical = :e AND t.slug = :s",
        e=email,
        s=slug,
    )
    return str(found)


def address(world: World, email: str, slug: str = "northwind") -> str:
    return f"/manage/{slug}/people/{member_id(world, email, slug)}"


def roles(world: World, email: str, slug: str = "northwind") -> set[str]:
    return {
        key
        for (key,) in ask(
            world,
            "SELECT r.key FROM membership_roles mr JOIN roles r ON r.id = mr.role_id"
            " WHERE mr.membership_id = :m",
            m=member_id(world, email, slug),
        )
    }


def letters(world: World) -> list[dict[str, Any]]:
    """What waits to be posted, the oldest first, with what the worker writes about events."""
    write_event_letters(world)
    rows = ask(world, "SELECT payload FROM outbox WHERE kind = 'mail' ORDER BY created_at, id")
    return [orjson.loads(payload) for (payload,) in rows]


def write_event_letters(world: World) -> None:
    """The worker's part between an event and its letters."""
    waiting = "kind = 'audit_event' AND status = 'pending'"
    rows = ask(world, f"SELECT payload FROM outbox WHERE {waiting} ORDER BY created_at, id")
    with world.held.database.transaction() as db:
        for (payload,) in rows:
            event_letters.write(
                db, **orjson.loads(payload), issuer=world.settings.issuer, now=world.clock()
            )
    world.run(f"UPDATE outbox SET status = 'delivered' WHERE {waiting}")


def give_role(world: World, email: str, role: str, slug: str = "northwind") -> None:
    """Straight in the database."""
    world.run(
        "INSERT INTO membership_roles (membership_id, role_id, tenant_id)"
        " SELECT m.id, r.id, m.tenant_id FROM memberships m JOIN users u ON u.id = m.user_id"
        " JOIN tenants t ON t.id = m.tenant_id JOIN roles r ON r.tenant_id = t.id"
        " WHERE u.email_canonical = :e AND t.slug = :s AND r.key = :r",
        e=email,
        s=slug,
        r=role,
    )


def add_clerk(world: World, email: str) -> None:
    """Somebody who looks after people, below the account admins."""
    tenant = {"slug": "northwind", "name": "Northwind Lending", "roles": [CLERK]}
    world.apply(tenants=[tenant])
    give_role(world, email, "clerk")
    world.clock.move(2)


def post_everything(world: World) -> None:
    """The worker's rounds, until nothing is due."""
    from idp import delivery, worker

    while delivery.deliver_due(
        world.held.database, senders_of(world.held), worker.watch, world.clock()
    ):
        pass
