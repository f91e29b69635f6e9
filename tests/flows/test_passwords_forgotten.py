"""Who gets what letter for a forgotten password (product.md P5)."""

from __future__ import annotations

import pytest

from tests.authenticator import Authenticator
from tests.credentials.proving import enrol_app
from tests.mailed import ask, mail_for
from tests.passkeys_of import Keys
from tests.security.choosing import user_id
from tests.world import AMARA, World


def letter(world: World) -> str:
    ask(world.browser(), AMARA)
    [found] = [each for each in mail_for(world, AMARA) if each["template"] != "factor/enrolled"]
    return str(found["template"])


@pytest.mark.parametrize("has_password", [True, False])
@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ("nothing", "password_reset"),
        ("an app", "password_reset"),
        ("a security key", "password_reset"),
        ("a passkey", "no_password"),
    ],
)
def test_p5_who_signs_in_by_passkey_alone_gets_no_password_by_mail(
    either_world: World, has: str, expected: str, has_password: bool
) -> None:
    """It would be a weaker way in. Whoever has one, or has no other first factor, gets a link."""
    world = either_world
    if has == "an app":
        enrol_app(world)
    elif has != "nothing":
        Keys(world).enrol(Authenticator(verifies=has == "a passkey"))
    if not has_password:
        world.run("DELETE FROM passwords WHERE user_id = :u", u=user_id(world))
    assert letter(world) == ("password_reset" if has_password else expected)
