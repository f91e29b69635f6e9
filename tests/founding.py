"""A company that somebody has founded by opening an account."""

from __future__ import annotations

from idp.operators import tenants
from tests.console.operations import operation
from tests.mailed import NEW
from tests.signing_up import COMPANY, FREDA
from tests.world import Visitor, World


def slug_of(world: World, name: str = COMPANY) -> str:
    [(slug,)] = world.run("SELECT slug FROM tenants WHERE name = :n AND slug LIKE '%-%'", n=name)
    return str(slug)


def confirm(world: World, slug: str = "") -> None:
    named = slug or slug_of(world)
    with operation(world) as opened:
        tenants.confirm(opened, tenants.get_tenant(opened, named))


def is_confirmed(world: World, slug: str) -> bool:
    [(at,)] = world.run("SELECT confirmed_at FROM tenants WHERE slug = :s", s=slug)
    return at is not None


def freda(world: World) -> Visitor:
    browser = world.browser()
    assert browser.sign_in(FREDA, NEW, "payments").status_code in (302, 303)
    return browser
