"""S84: whose password, factors, address or browsers change learns of it by mail, at the address
that was theirs before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.account.proving import enrol_app
from tests.console.people_of import letters
from tests.credentials.proving import factors_of, new_codes, recover
from tests.mailed import temporary_for
from tests.passkeys_of import Keys
from tests.security.changing_address import changed
from tests.security.choosing import choose
from tests.security.test_sec_42_devices import known_browser, lock
from tests.world import AMARA, World

Deed = Callable[[World], object]


def remove_an_app(world: World) -> None:
    app, browser = enrol_app(world, AMARA), world.browser()
    (factor,) = factors_of(world)
    asked = browser.enter(f"/account/security/{factor.id}/remove")
    page = browser.follow(browser.submit(asked, code=app.at(int(world.clock()))))
    browser.submit(page, f"/account/security/{factor.id}/remove")
    assert factors_of(world) == []


def use_a_recovery_code(world: World) -> None:
    enrol_app(world, AMARA)
    recover(world, new_codes(world)[0])


def move_away(world: World) -> None:
    browser = world.browser()
    browser.enter("/account/email")
    changed(world, browser)


def sign_in_elsewhere(world: World) -> None:
    for _ in range(2):
        known_browser(world)


DEEDS: dict[str, tuple[Deed, list[str]]] = {
    "an app": (lambda world: enrol_app(world, AMARA), ["factor/enrolled"]),
    "a passkey": (lambda world: Keys(world).enrol(), ["factor/enrolled"]),
    "an app that is taken away": (remove_an_app, ["factor/enrolled", "factor/removed"]),
    "recovery codes": (new_codes, ["recovery_codes/made"]),
    "a recovery code": (
        use_a_recovery_code,
        ["factor/enrolled", "recovery_codes/made", "recovery_codes/used"],
    ),
    "another password": (choose, ["password/changed"]),
    "a reset": (temporary_for, ["password_reset", "temporary_password"]),
    "another address": (move_away, ["email/change_asked", "email_changed"]),
    "another browser": (sign_in_elsewhere, ["sign_in/new_device"]),
    "a lock": (lock, ["locked"]),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_sec_84_people_are_told_of_changes(either_world: World, deed: str) -> None:
    do, templates = DEEDS[deed]
    do(either_world)
    codes = either_world.run("SELECT payload FROM outbox WHERE kind = 'code'")
    told = [each["template"] for each in letters(either_world) if each["to"] == AMARA]
    told += [name for name in templates if any(f'"{name}"' in payload for (payload,) in codes)]
    assert sorted(told) == sorted(templates)
