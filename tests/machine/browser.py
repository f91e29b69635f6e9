"""Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.machine.processes import MissingTool

# First the one without windows: the same engine at less than two thirds of the work.
NAMES = (
    "chromium-headless-shell",
    *("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
)
QUIET = (
    "--no-sandbox",  # its own sandbox refuses root, and CI is root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Each page is a new one to the engine: to make its scripts fast costs more than they then save.
    "--js-flags=--no-maglev --no-turbofan",
)
LOOPBACK_ONLY = "--host-resolver-rules=MAP * ~NOTFOUND, " + ", ".join(
    f"EXCLUDE {name}" for name in ("localhost", "*.localhost", "127.0.0.1", "[::1]")
)


def find_chromium() -> str:
    """Where Chromium is. Raises MissingTool."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise MissingTool("Chromium is missing: install Debian's package chromium-headless-shell.")
    return found


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A headless Chromium that reaches nothing but loopback."""
    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*QUIET, LOOPBACK_ONLY])
        try:
            yield browser
        finally:
            browser.close()
