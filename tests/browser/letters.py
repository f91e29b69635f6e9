"""What the demo's inbox has for somebody, read in another tab."""

from __future__ import annotations

import re

from playwright.sync_api import Page

TRIES, BETWEEN_TRIES = 60, 250  # milliseconds


def find(page: Page, issuer: str, email: str, pattern: str) -> str:
    """What the newest letter that has it has for the pattern's group; the worker writes it a moment
    later."""
    tab = page.context.new_page()
    for _ in range(TRIES):
        tab.goto(f"{issuer}/inbox?to={email}")
        found = re.search(pattern, tab.locator("main").inner_text())
        if found:
            tab.close()
            return found[1]
        tab.wait_for_timeout(BETWEEN_TRIES)
    raise AssertionError(f"nothing like {pattern} came for {email}")
