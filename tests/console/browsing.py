"""The console in a real browser, signing in on the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from idp.setup import DEMO_PASSWORD
from tests.machine.demo_process import Demo
from tests.machine.furnished_demo import start_furnished_demo
from tests.world import AMARA


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = start_furnished_demo(tmp_path_factory.mktemp("console"))
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
