"""People of the account's tests: with a password alone, or with an authenticator app beside it."""

from __future__ import annotations

import re
from typing import Any

import pyotp
from werkzeug.test import TestResponse

from idp.audit import NOWHERE
from idp.credentials import totp
from idp.secret_values import LETTER_SECRET
from tests.console.people_of import letters, user_id
from tests.credentials.proving import unheld
from tests.world import Visitor, World


def enrol_app(world: World, email: str) -> pyotp.TOTP:
    """An authenticator app of theirs, with time for a code that was not used."""
    held, own = world.held, user_id(world, email)
    offer = totp.offer(held.ephemeral, own, email, "a-test", 600.0, world.clock())
    app = pyotp.TOTP(offer.secret)
    code = app.at(int(world.clock()))
    stores = (held.database, held.ephemeral, held.secret_keys, unheld)
    totp.enrol(*stores, own, "a-test", code, world.clock(), NOWHERE)
    world.clock.move(60)
    return app


def token_of(visitor: Visitor) -> str:
    """For any form of this browser, which is signed in."""
    page = visitor.get("/account").text
    return str(re.findall(r'name="csrf_token" value="([^"]+)"', page)[0])


def mail_to(world: World, email: str, template: str) -> dict[str, Any]:
    """The one letter of that template to that address."""
    (found,) = (
        each for each in letters(world) if (each["to"], each["template"]) == (email, template)
    )
    return found


def link_in(world: World, letter: dict[str, Any]) -> str:
    return world.held.secret_keys.decrypt(letter["sealed_link"], LETTER_SECRET).decode()


def is_asked_to_prove(answer: TestResponse) -> bool:
    return answer.status_code == 303 and answer.headers["Location"].startswith("/authorize?")
