"""Northwind's own provider, which its domain routes to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from idp.directory import catalog_version
from tests.console.company_providers_of import add, change, route, verified_domain
from tests.federation.signing_in import come_back, leave
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider, running_upstream
from tests.world import BEN, ISSUER, Visitor, World, claims_of, sent_back


@pytest.fixture
def northwinds(either_world: World) -> Iterator[UpstreamProvider]:
    """Its account is Ben's; `key` is what it is known by."""
    with companys(either_world) as started:
        set_up(either_world, started)
        yield started


@contextmanager
def companys(world: World) -> Iterator[UpstreamProvider]:
    with running_upstream() as started:
        started.clock = world.clock
        started.account = Account("ben-there", BEN, email_verified=None, name="Ben Ali")
        yield started


def set_up(world: World, upstream: UpstreamProvider, **changed: Any) -> str:
    """The key that it is known by from now on."""
    client = {"client_id": upstream.client_id, "secret": upstream.client_secret}
    key = add(world, issuer=upstream.issuer, **client, **changed)
    upstream.redirect_uris = [f"{ISSUER}/login/upstream/{key}/return"]
    if not world.run("SELECT id FROM domains WHERE name = 'northwind.example'"):
        verified_domain(world)
    [(domain_id,)] = world.run("SELECT id FROM domains WHERE name = 'northwind.example'")
    [(before,)] = world.run(
        "SELECT max(provider_id) FROM routed_domains WHERE domain_id = :id", id=domain_id
    )
    route(world, domain_id, key, before or "")
    world.clock.move(2)
    return key


def known_by_all(world: World) -> None:
    """What was written past the rules."""
    with world.held.database.transaction() as db:
        catalog_version.touch(db)
    world.clock.move(2)


def key_of(world: World) -> str:
    [(key,)] = world.run("SELECT provider_id FROM routed_domains")
    return str(key)


def sent_by_address(visitor: Visitor, page: Any, email: str = BEN) -> Any:
    """The address alone, and the form's own button."""
    return visitor.submit(page, "/login/password", email=email, password="")


def by_company(visitor: Visitor, client_id: str = "lms", email: str = BEN, **asked: Any) -> Any:
    """To the page or answer that comes of it."""
    page = visitor.follow(visitor.authorize(client_id, **asked))
    return come_back(visitor, leave_by_address(visitor, page, email))


def leave_by_address(visitor: Visitor, page: Any, email: str = BEN) -> Any:
    if 'name="provider" value=""' in page.text:
        return visitor.submit(page, "/login/upstream", provider="", email=email)
    key = page.text.split('name="provider" value="')[1].split('"')[0]
    return leave(visitor, page, key)


def changed(world: World, upstream: UpstreamProvider, **more: Any) -> None:
    """As its admins change it."""
    client = {"issuer": upstream.issuer, "client_id": upstream.client_id}
    change(world, key_of(world), **client, **more)
    world.clock.move(2)


def id_token(world: World, answer: Any, client_id: str = "lms") -> dict[str, Any]:
    tokens = world.redeem(sent_back(answer)["code"], client_id).json or {}
    return claims_of(tokens["id_token"])
