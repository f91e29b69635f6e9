"""The console in a real browser: signing in on the way, and looking at a page from every side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from idp.setup import DEMO_PASSWORD
from tests.machine.axe import barriers
from tests.machine.demo_process import Demo, start_demo
from tests.world import AMARA

WIDTHS = (1280, 390)
THEMES = ("light", "dark")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = start_demo(tmp_path_factory.mktemp("console"))
    yield running
    assert running.stop() == 0, running.words()


def enter(page: Page, demo: Demo, path: str, email: str = AMARA) -> None:
    """Open a page of the console, signing in if it asks."""
    page.goto(demo.issuer + path)
    if page.get_by_label("Password", exact=True).count():
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.locator("main.console-main")).to_be_visible()


def look_at(page: Page) -> None:
    """Nothing for axe to find and nothing wider than the window, in both themes and widths."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            assert barriers(page) == [], page.url
            assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
