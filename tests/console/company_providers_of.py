"""A company's identity providers, set up by its rules."""

from __future__ import annotations

from typing import Any

from idp.directory import company_providers
from idp.directory.company_provider_form import Filled
from idp.directory.upstream_providers import IdentityProviders, UpstreamProvider
from idp.grants import provider_changes
from idp.secret_values import new_id
from tests.console.administering import proven
from tests.console.people_of import ask, member_id, user_id
from tests.world import AMARA, World

SECRET = "a-secret-that-nobody-sees"
SOUND = Filled(
    name="Northwind Entra",
    issuer="https://login.northwind.example/v2.0",
    client_id="latchkey",
    secret=SECRET,
)


def add(world: World, email: str = AMARA, slug: str = "northwind", **changed: Any) -> str:
    """Its id."""
    filled = SOUND._replace(**changed)
    with proven(world, email, slug=slug) as admin:
        return company_providers.add(admin, world.held.secret_keys, filled).id


def digest_of(world: World, provider_id: str) -> str:
    with proven(world) as admin:
        return company_providers.get(admin, provider_id).digest


def change(world: World, provider_id: str, seen: str = "", **changed: Any) -> None:
    with proven(world) as admin:
        provider_changes.change(
            admin,
            world.held.secret_keys,
            provider_id,
            seen or company_providers.get(admin, provider_id).digest,
            SOUND._replace(**{"secret": "", **changed}),
        )


def turn(world: World, provider_id: str, status: str) -> None:
    seen = digest_of(world, provider_id)
    with proven(world) as admin:
        company_providers.set_status(admin, provider_id, seen, status)


def verified_domain(world: World, name: str = "northwind.example", slug: str = "northwind") -> str:
    """As if its record had been found."""
    domain_id = new_id()
    world.run(
        "INSERT INTO domains"
        " (id, tenant_id, name, challenge, created_at, verified_at, checked_at, outcome)"
        " SELECT :id, id, :name, 'c', :now, :now, :now, 'found' FROM tenants WHERE slug = :slug",
        id=domain_id,
        name=name,
        now=world.clock(),
        slug=slug,
    )
    return domain_id


def route(world: World, domain_id: str, provider_id: str, seen: str = "") -> None:
    with proven(world) as admin:
        company_providers.route(admin, domain_id, seen, provider_id)


def link(world: World, email: str, provider_id: str, subject: str) -> None:
    """To an account at the provider's issuer."""
    world.run(
        "INSERT INTO linked_accounts"
        " (id, user_id, company_id, provider_key, issuer, subject, email, linked_at)"
        " SELECT :id, :user, tenant_id, id, :issuer, :subject, :email, 0"
        " FROM company_providers WHERE id = :key",
        id=new_id(),
        user=user_id(world, email),
        key=provider_id,
        issuer=columns(world, provider_id)["issuer"],
        subject=subject,
        email=email,
    )


def known(world: World) -> IdentityProviders:
    """What every process knows a second later."""
    world.clock.move(1)
    return world.held.catalog.current(world.clock()).providers


def of_domain(world: World, name: str = "northwind.example") -> UpstreamProvider | None:
    return known(world).of_domain(name)


def columns(world: World, provider_id: str) -> dict[str, Any]:
    (row,) = ask(world, "SELECT * FROM company_providers WHERE id = :id", id=provider_id)
    return dict(row._mapping)


def only_way(world: World, *emails: str) -> dict[str, Any]:
    return {"is_only_way": True, "left_out": [member_id(world, each) for each in emails]}
