"""Of many who use one link, or one temporary password, at once: one does (security.md S46, S56)."""

from __future__ import annotations

from collections import Counter

from idp.audit import NOWHERE
from idp.errors import Refusal
from idp.login import resetting
from tests.mailed import NEW, by_link, link_for, temporary_for
from tests.storage.crew import threads_at_once
from tests.world import World

AT_ONCE = 20


def test_sec_56_of_many_threads_one_uses_a_link(either_world: World) -> None:
    world, held = either_world, either_world.held
    by_link(world)
    token = link_for(world).partition("token=")[2]

    def use(number: int) -> bool:
        given = (held.database, held.hasher, held.secret_keys, held.settings, (), token)
        try:
            resetting.set_by_link(*given, f"{NEW} {number}", world.clock(), NOWHERE)
        except Refusal:
            return False
        return True

    assert Counter(threads_at_once(use, AT_ONCE)) == {True: 1, False: AT_ONCE - 1}


def test_sec_46_of_many_threads_one_signs_in_by_a_temporary_password(either_world: World) -> None:
    world = either_world
    temporary = temporary_for(world)
    pages = [world.browser() for _ in range(AT_ONCE)]
    shown = [page.follow(page.authorize()) for page in pages]

    def use(number: int) -> int:
        form = {"email": "amara@northwind.example", "password": temporary}
        return pages[number].submit(shown[number], **form).status_code

    assert Counter(threads_at_once(use, AT_ONCE))[303] == 1
