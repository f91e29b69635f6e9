"""Who gets what letter for a forgotten password (product.md P5)."""

from __future__ import annotations

import pytest

from tests.authenticator import Authenticator
from tests.credentials.proving import enrol_app
from tests.mailed import NEW, ask, by_link, link_for, mail_for
from tests.passkeys_of import Keys
from tests.security.choosing import is_right, user_id
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


def test_p5_who_has_no_password_sets_a_first_one_by_the_link_itself(either_world: World) -> None:
    """Whatever their company wants: there is nothing that a temporary one could stand in for."""
    world, browser = either_world, either_world.browser()
    world.run("DELETE FROM passwords WHERE user_id = :u", u=user_id(world))
    page = browser.get(link_for(world))
    assert 'name="password"' in page.text
    assert browser.submit(page, password=NEW).status_code == 303
    world.clock.move(1)
    assert is_right(world, NEW)
    assert world.audit("password.made")


def test_p5_a_password_that_was_set_by_a_link_is_known_to_have_come_by_mail(
    either_world: World,
) -> None:
    """For what else the same mailbox proves counts for nothing beside it."""
    world, browser = either_world, either_world.browser()
    by_link(world)
    browser.submit(browser.get(link_for(world)), password=NEW)
    state = "SELECT must_change, reset_by_mail_at FROM passwords WHERE user_id = :u"
    assert world.run(state, u=user_id(world)) == [("", world.clock())]
