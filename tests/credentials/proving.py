"""What an authenticator app and its person do, by the rules themselves."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pyotp
import pytest

from idp.audit import Origin
from idp.credentials import recovery_codes, sent_code, totp
from idp.credentials.code_destinations import SMS
from idp.credentials.enrolled import Evidence, Factor
from idp.credentials.factors import enrolled
from idp.credentials.second_factor_tries import SecondFactorRefused
from idp.credentials.sent_code import ENROL, SIGN_IN, Place
from idp.database import Connection, Database
from idp.secret_values import LETTER_SECRET, SecretKeys
from idp.settings import Settings
from tests.console.people_of import ask
from tests.world import AMARA, World

PHONE = "+12015550123"
HERE = Origin("192.0.2.7", "request", "browser")
BROWSER = "a browser's attempt"


def unheld(_db: Connection) -> None:
    """Whoever enrols here has not signed in."""


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
    stores = (held.database, held.ephemeral, held.secret_keys, unheld)
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
    return recovery_codes.renew(held.database, held.secret_keys, unheld, owner, world.clock(), HERE)


def place(
    world: World, channel: str, purpose: str = SIGN_IN, email: str = AMARA, binding: str = BROWSER
) -> Place:
    return Place(user_id(world, email), channel, purpose, binding)


def send(
    world: World, to: Place, number: str = "", origin: Origin = HERE, tenant_id: str = ""
) -> None:
    held = world.held
    stores = (held.database, held.secret_keys, held.settings)
    sent_code.send(*stores, to, world.clock(), origin, number=number, tenant_id=tenant_id)


def sent(world: World) -> list[dict[str, Any]]:
    """What waits to be sent, the oldest first, with its `code`."""
    rows = ask(
        world,
        "SELECT kind, payload FROM outbox WHERE kind IN ('code', 'sms') ORDER BY created_at, id",
    )
    found = []
    for kind, payload in rows:
        letter = orjson.loads(payload)
        opened = world.held.secret_keys.decrypt(letter["sealed_code"], LETTER_SECRET)
        found.append({**letter, "kind": kind, "code": opened.decode()})
    return found


def newest_code(world: World) -> str:
    return str(sent(world)[-1]["code"])


def answer(world: World, at: Place, code: str) -> Evidence:
    held = world.held
    stores = (held.database, held.secret_keys, held.settings)
    if at.purpose == ENROL:
        return sent_code.enrol(*stores, unheld, at, code, world.clock(), HERE)
    return sent_code.verify(*stores, at, code, world.clock(), HERE)


def enrol_code(world: World, channel: str, email: str = AMARA, number: str = PHONE) -> Place:
    """A phone or the address, enrolled now; where codes are good at sign-in. A minute later."""
    there = place(world, channel, ENROL, email)
    send(world, there, number if channel == SMS else "")
    answer(world, there, newest_code(world))
    world.clock.move(60)
    return there._replace(purpose=SIGN_IN)


def another_code(code: str) -> str:
    """Which is wrong."""
    return f"{(int(code) + 1) % 10**6:06}"


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
