"""The demo: nothing but a set-up file, with the addresses of this machine filled in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from idp.directory.users import User
from idp.provider import Provider
from idp.registration.changes import Applied
from idp.setup.applying import apply
from idp.setup.form import SetupFile, UserForm
from idp.setup.reading import parse

DEMO_FILE = Path(__file__).with_name("demo.yaml")
DEMO_PASSWORD = "correct-horse-latchkey-9"


class DemoPerson(NamedTuple):
    email: str
    name: str
    note: str


def apply_demo(provider: Provider, addresses: Mapping[str, str]) -> Applied:
    """`addresses` names `issuer`, `lms`, `payments` and `connections`. The products' secrets are
    made in the keys folder."""
    described = _described(addresses)
    return apply(provider, described, provider.clock(), base_dir=provider.settings.keys_dir)


def demo_people(addresses: Mapping[str, str]) -> list[DemoPerson]:
    """Everybody, with what they may do where, for the greeting."""
    described = _described(addresses)
    return [DemoPerson(user.email, user.name, _note(described, user)) for user in described.users]


def people_outside_the_demo(provider: Provider, addresses: Mapping[str, str]) -> int:
    """How many people the database holds that the demo did not bring."""
    own = [user.email for user in _described(addresses).users]
    others = sa.select(sa.func.count()).select_from(User).where(User.email.not_in(own))
    with provider.database.session() as session:
        return session.scalar(others) or 0


def _described(addresses: Mapping[str, str]) -> SetupFile:
    """Read once for all that a start asks of it."""
    return _parsed(tuple(sorted(addresses.items())))


@cache
def _parsed(addresses: tuple[tuple[str, str], ...]) -> SetupFile:
    return parse(DEMO_FILE, dict(addresses))


def _note(described: SetupFile, user: UserForm) -> str:
    if user.operator:
        return "operator of the platform"
    if user.status == "disabled":
        return "disabled"
    return "; ".join(
        f"{', '.join(_role_name(described, membership.tenant, key) for key in membership.roles)}"
        f" at {_tenant_name(described, membership.tenant)}"
        for membership in user.memberships
    )


def _tenant_name(described: SetupFile, slug: str) -> str:
    return next(tenant.name for tenant in described.tenants if tenant.slug == slug)


def _role_name(described: SetupFile, slug: str, key: str) -> str:
    roles = next(tenant.roles for tenant in described.tenants if tenant.slug == slug)
    return next((role.name for role in roles if role.key == key), "Account admin")
