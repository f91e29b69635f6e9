"""The catalogue is gone on from: a change reads the clients that it is about, and no others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from idp.directory import catalog_version
from idp.directory.catalog import Catalog, load_catalog
from idp.directory.catalog_version import KEPT_VERSIONS, MANY
from idp.directory.products import Product
from idp.operators import clients, ending, products, tenants
from idp.tokens import signing_keys
from tests.concurrency.turns import until_waiting
from tests.console.operations import operation
from tests.security.registering import SOUND, at_own, initial_token, registered
from tests.world import World

WIKI = {
    "client_id": "wiki",
    "client_name": "Wiki",
    "product": "lms",
    "redirect_uris": ["https://wiki.example/callback"],
    "grant_types": ["authorization_code", "client_credentials"],
}
Act = Callable[[Any], object]


def test_whatever_is_changed_comes_to_what_is_loaded_anew(either_world: World) -> None:
    world = either_world
    token = initial_token(world)
    for name, act, about in changes(world, token):
        before = known(world)
        act()
        world.clock.move(1)
        after = known(world)
        assert facts(after) == facts(anew(world)), name
        assert after.version > before.version, name
        assert read_again(before, after) <= about, name


def changes(world: World, token: str) -> Any:
    """What is done, and which clients it is about."""

    def operate(act: Act) -> Callable[[], object]:
        def done() -> None:
            with operation(world) as opened:
                act(opened)

        return done

    def of_wiki(act: Callable[..., object], *more: Any) -> Callable[[], object]:
        return operate(lambda o: act(o, clients.get_client(o, "wiki"), *more))

    def of_northwind(act: Callable[..., object], *more: Any) -> Callable[[], object]:
        return operate(lambda o: act(o, tenants.get_tenant(o, "northwind"), *more))

    def secret(opened: Any) -> None:
        client = clients.get_client(opened, "wiki")
        clients.remove_secret(opened, client, clients.secrets_of(client, 0.0)[-1].fingerprint)

    wiki = {"wiki"}
    yield "registered", operate(lambda o: clients.register(o, WIKI)), wiki
    yield "changed", of_wiki(clients.change, {**WIKI, "client_name": "The wiki"}), wiki
    yield "another secret", of_wiki(clients.rotate_secret, 24), wiki
    yield "a secret less", operate(secret), wiki
    yield "disabled", of_wiki(clients.set_status, "disabled"), wiki
    yield "enabled", of_wiki(clients.set_status, "active"), wiki
    renamed = {"name": "Lessons"}
    yield "a product", operate(lambda o: products.change(o, lms(o), renamed)), set()
    yield "a file", lambda: world.apply(clients=[{**WIKI, "client_name": "Wiki"}]), wiki
    yield "a file of products", lambda: world.apply(products=[{"key": "lms", "name": "LMS"}]), set()
    yield "a key", lambda: rotated(world), set()
    bare = [{"key": "payments", "name": "Payments", "permissions": []}]
    yield "a tree", lambda: world.apply(products=bare), set(known(world).clients)
    everybody = {*known(world).clients}
    for status in ("suspended", "active"):
        company = {"slug": "northwind", "name": "Northwind Lending", "status": status}
        yield status, lambda company=company: world.apply(tenants=[company]), everybody
    yield "suspended", of_northwind(tenants.suspend), {"northwind-hr"}
    yield "resumed", of_northwind(tenants.resume), {"northwind-hr"}
    yield "ended", of_northwind(ending.end, "northwind"), {"northwind-hr"}
    told = registered(world, token)
    own = {told["client_id"]}
    new = {**SOUND, "client_id": told["client_id"], "client_name": "Another name"}
    yield "by itself again", lambda: at_own(world, told, "PUT", new), own
    yield "gone by itself", lambda: at_own(world, told, "DELETE"), own


def lms(opened: Any) -> Product:
    return products.get_product(opened, "lms")


def rotated(world: World) -> None:
    with world.held.database.transaction() as db:
        signing_keys.rotate(db, world.held.secret_keys, "ES256", 60.0, world.clock())


def known(world: World) -> Catalog:
    return world.held.catalog.current(world.clock())


def anew(world: World) -> Catalog:
    return load_catalog(world.held.database, known(world).providers)


def read_again(before: Catalog, after: Catalog) -> set[str]:
    names = before.clients.keys() | after.clients.keys()
    return {each for each in names if before.clients.get(each) is not after.clients.get(each)}


def facts(known: Catalog) -> tuple[object, ...]:
    each = {
        name: {
            **vars(client),
            "secrets": sorted((vars(secret) for secret in client.secrets), key=str),
        }
        for name, client in known.clients.items()
    }
    return known.version, known.products, each, known.machine_tenants, known.self_registered


def test_a_client_made_while_its_company_is_suspended_is_suspended_too(
    postgres_world: World,
) -> None:
    world, is_seen = postgres_world, Event()

    def suspend() -> None:
        with operation(world) as opened:
            tenants.suspend(opened, tenants.get_tenant(opened, "northwind"))
            assert is_seen.wait(20)

    with ThreadPoolExecutor(1) as pool:
        with operation(world) as making:
            clients.register(making, {**WIKI, "tenant": "northwind"})
            suspended = pool.submit(suspend)
            until_waiting(world)
        world.clock.move(1)
        assert "wiki" in known(world).clients
        is_seen.set()
        suspended.result(20)
    world.clock.move(1)
    assert "wiki" not in known(world).clients


def test_a_version_that_says_of_nobody_is_about_any_client(either_world: World) -> None:
    before = known(either_world)
    with either_world.held.database.transaction() as db:
        catalog_version.touch(db, ["lms"])
    either_world.run("UPDATE catalog_version SET version = version + 1")
    either_world.clock.move(1)
    assert read_again(before, known(either_world)) == set(before.clients)


def test_a_version_that_is_older_is_about_any_client(either_world: World) -> None:
    with either_world.held.database.transaction() as db:
        catalog_version.touch(db, ["lms"])
    either_world.clock.move(1)
    before = known(either_world)
    either_world.run("UPDATE catalog_version SET version = 0")
    either_world.clock.move(1)
    assert read_again(before, known(either_world)) == set(before.clients)


@pytest.mark.parametrize(("count", "are_all_read"), [(MANY - 1, False), (MANY, True)])
def test_of_very_many_changed_clients_all_are_read(
    world: World, count: int, are_all_read: bool
) -> None:
    before = known(world)
    with world.held.database.transaction() as db:
        catalog_version.touch(db, [*map(str, range(count)), "lms"])
    world.clock.move(1)
    again = read_again(before, known(world))
    assert again == (set(before.clients) if are_all_read else {"lms"})


def test_what_is_told_of_old_versions_goes(either_world: World) -> None:
    for _ in range(2):
        either_world.run("UPDATE catalog_version SET version = version + :k", k=KEPT_VERSIONS)
        with either_world.held.database.transaction() as db:
            catalog_version.touch(db, ["lms"])
    told = either_world.run("SELECT version FROM catalog_changes")
    assert told == either_world.run("SELECT version FROM catalog_version")
