"""Letters before a password is too old (product.md N11)."""

from __future__ import annotations

from idp.worker import remind_of_passwords
from tests.mailed import mail_for
from tests.world import AMARA, World

DAY = 86400.0


def test_n11_there_is_a_letter_at_14_3_and_1_days_and_each_once(either_world: World) -> None:
    world, told = either_world, []
    for days in (75.9, 0.2, 10.0, 0.9, 0.2, 1.8, 0.2, 0.5):
        world.clock.move(days * DAY)
        for _ in range(2):
            remind_of_passwords(world.held, world.clock())
        letters = mail_for(world, AMARA)
        told.append([e["days"] for e in letters if e["template"] == "password_reminder"])
    assert told[:3] == [[], [14], [14]]
    assert told[3:5] == [[14, 3], [14, 3]]
    assert told[5:] == [[14, 3, 1]] * 3
