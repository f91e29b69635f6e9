"""A company that proves its domains, and the nameserver that is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from idp.directory import domain_looks, domains
from idp.directory.domain_looks import AT_MOST_EVERY
from tests.console.administering import administering
from tests.console.name_server import Zone, name_server
from tests.world import AMARA, Visitor, World

DOMAINS = "/manage/northwind/domains"
NAME = "northwind.example"


@pytest.fixture
def zone() -> Iterator[Zone]:
    with name_server() as served:
        yield served


@pytest.fixture
def asking(either_world: World, zone: Zone) -> World:
    """A provider that asks the test's own nameserver."""
    held = either_world.held
    settings = replace(held.settings, dns_nameservers=zone.address)
    object.__setattr__(held, "settings", settings)
    return either_world


def add(world: World, name: str = NAME, email: str = AMARA, slug: str = "northwind") -> str:
    with administering(world, email, slug) as admin:
        return domains.add(admin, name).id


def look(world: World, domain_id: str, email: str = AMARA, slug: str = "northwind") -> str:
    world.clock.move(AT_MOST_EVERY)
    with administering(world, email, slug) as admin:
        return domain_looks.check(admin, world.settings, world.clock, domain_id)


def text_of(world: World, domain_id: str) -> str:
    ((challenge,),) = world.run("SELECT challenge FROM domains WHERE id = :id", id=domain_id)
    return f'TXT "latchkey-domain={challenge}"'


def verified(world: World) -> list[str]:
    rows = world.run(
        "SELECT t.slug FROM domains d JOIN tenants t ON t.id = d.tenant_id"
        " WHERE d.verified_at IS NOT NULL"
    )
    return [slug for (slug,) in rows]


def save(browser: Visitor, page: TestResponse, **fields: str) -> TestResponse:
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return browser.post(page.request.path, **hidden, **fields)
