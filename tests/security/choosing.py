"""Passwords being chosen, as whatever asks for one does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from idp.audit import NOWHERE
from idp.credentials import password
from idp.credentials.hashing import PasswordHasher
from idp.credentials.password import SignInRefused
from idp.login import new_password
from idp.policies.password_rules import Why
from tests.world import AMARA, PASSWORD, World

NEW = "violet-harmonica-27"


def user_id(world: World, email: str = AMARA) -> str:
    [(found,)] = world.run("SELECT id FROM users WHERE email = :email", email=email)
    return str(found)


def choose(world: World, claimed: str = NEW, email: str = AMARA, **more: Any) -> None:
    """Raises what `new_password.change` does."""
    held = world.held
    names = [product.name for product in held.catalog.current(world.clock()).products.values()]
    given = (held.database, held.hasher, held.secret_keys, held.settings, names)
    who = user_id(world, email)
    new_password.change(*given, who, claimed, world.clock(), NOWHERE, **more)


def why_not(world: World, claimed: str, email: str = AMARA, **more: str) -> Why | None:
    try:
        choose(world, claimed, email, **more)
    except new_password.Unfit as unfit:
        return unfit.objection.why
    return None


def is_right(world: World, claimed: str = PASSWORD, email: str = AMARA, device: str = "") -> bool:
    held = world.held
    given = (held.database, held.hasher, held.secret_keys, held.settings, email, claimed)
    try:
        password.verify(*given, world.clock(), NOWHERE, device)
    except SignInRefused:
        return False
    return True


def roomy(world: World) -> None:
    """Many may compute at once, and two while one is held up."""
    settings = replace(world.settings, argon2_slots=2, argon2_queue=200, threads=300)
    hasher = PasswordHasher(settings, world.held.secret_keys.pepper)
    object.__setattr__(world.held, "hasher", hasher)
