"""Times as people say them."""

from __future__ import annotations

import pytest

from idp.app import create_pages
from idp.web.presentation import when
from tests.world import World

SAID = [
    (0, "just now", "ahora mismo"),
    (9, "just now", "ahora mismo"),
    (-9, "just now", "ahora mismo"),
    (11, "11 seconds ago", "hace 11 segundos"),
    (7200, "2 hours ago", "hace 2 horas"),
    (-7200, "in 2 hours", "dentro de 2 horas"),
]


@pytest.mark.parametrize(("ago", "english", "spanish"), SAID)
def test_a_time_is_said_from_now(world: World, ago: float, english: str, spanish: str) -> None:
    at = world.clock() - ago
    for language, said in (("en", english), ("es", spanish)):
        with create_pages(world.held).test_request_context(headers={"Accept-Language": language}):
            assert f">{said}</time>" in when(at)
