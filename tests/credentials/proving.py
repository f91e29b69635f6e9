"""What an authenticator app and its person do, by the rules themselves."""

from __future__ import annotations

import re
from typing import Any

import pyotp
import pytest

from idp.audit import Origin
from idp.credentials import recovery_codes, totp
from idp.credentials.enrolled import Evidence, Factor
from idp.credentials.factors import enrolled
from idp.credentials.second_factor_tries import SecondFactorRefused
from idp.database import Database
from idp.secret_values import SecretKeys
from idp.settings import Settings
from tests.world import AMARA, World

HERE = Origin("192.0.2.7", "request", "browser")
BROWSER = "a browser's attempt"


def user_id(world: World, email: str = AMARA) -> str:
    ((found,),) = world.run("SELECT id FROM users WHERE email_canonical = :e", e=email)
    return str(found)


def code_of(secret: str, at: float) -> str:
    return pyotp.TOTP(secret).at(at)


def wrong_code(secret: str, at: float) -> str:
    """Of none of the steps that are near."""
    near = {code_of(secret, at + 30 * steps) for steps in range(-3, 4)}
    return next(code for code in ("000000", "111111", "222222") if code not in near)


def offered(world: World, email: str = AMARA, binding: str = BROWSER) -> totp.Offer:
    return totp.offer(
        world.held.ephemeral, user_id(world, email), email, binding, 1800, world.clock()
    )


def confirm(world: World, code: str, email: str = AMARA, binding: str = BROWSER) -> Evidence:
    held, owner = world.held, user_id(world, email)
    stores = (held.database, held.ephemeral, held.secret_keys)
    return totp.enrol(*stores, owner, binding, code, world.clock(), HERE)


def enrol_app(world: World, email: str = AMARA, binding: str = BROWSER) -> str:
    """The secret of an app that was enrolled now, and whose next step has come."""
    secret = offered(world, email, binding).secret
    confirm(world, code_of(secret, world.clock()), email, binding)
    world.clock.move(30)
    return secret


def enter(world: World, code: str, email: str = AMARA) -> Evidence:
    return totp.verify(*_asked(world, email), code, world.clock(), HERE)


def recover(world: World, code: str, email: str = AMARA) -> Evidence:
    return recovery_codes.verify(*_asked(world, email), code, world.clock(), HERE)


def new_codes(world: World, email: str = AMARA) -> list[str]:
    held, owner = world.held, user_id(world, email)
    return recovery_codes.renew(held.database, held.secret_keys, owner, world.clock(), HERE)


def factors_of(world: World, email: str = AMARA) -> list[Factor]:
    with world.held.database.connection() as db:
        return enrolled(db, user_id(world, email))


def refused(prove: Any, *arguments: Any) -> str:
    """Why, as the audit has it."""
    with pytest.raises(SecondFactorRefused) as caught:
        prove(*arguments)
    assert not re.search(r"\d{6}", str(caught.value))
    return caught.value.reason


def _asked(world: World, email: str) -> tuple[Database, SecretKeys, Settings, str]:
    held = world.held
    return held.database, held.secret_keys, held.settings, user_id(world, email)
