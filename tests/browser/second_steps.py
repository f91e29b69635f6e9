"""Second factors as people set them up and prove them, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyotp
from playwright.sync_api import Page, expect

from tests.machine.demo_process import Demo

TRIES, BETWEEN_TRIES = 60, 250  # milliseconds
CODE = re.compile(r"\b(\d{6})\b")


def set_up_app(page: Page) -> pyotp.TOTP:
    """From the choice of ways to the saved recovery codes."""
    page.get_by_role("link", name="Authenticator app").click()
    page.get_by_text("Enter the key by hand").click()
    secret = re.search(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", page.locator("main").inner_text())
    assert secret
    app = pyotp.TOTP(secret[0].replace(" ", ""))
    page.get_by_label("Six-digit code").fill(app.now())
    page.get_by_role("button", name="Turn it on").click()
    save_codes(page)
    return app


def turn_app_on(page: Page, look_at: Callable[[Page], None]) -> list[str]:
    """On the page that shows the key, after a code that is refused; the recovery codes that are
    then shown. `look_at` sees both pages."""
    page.get_by_text("No camera? Enter the key by hand").click()
    look_at(page)
    secret = page.locator(".secret code").inner_text().replace(" ", "")
    page.get_by_label("Six-digit code").fill("000")
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("alert")).to_contain_text("That code did not work.")
    page.get_by_label("Six-digit code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Turn it on").click()
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    look_at(page)
    return page.locator(".recovery-codes code").all_inner_texts()


def set_up_mail(page: Page, demo: Demo, email: str) -> None:
    page.get_by_role("link", name="E-mail").click()
    page.get_by_role("button", name="Send the code").click()
    page.get_by_label("Six-digit code").fill(newest_code(page, demo, email))
    page.get_by_role("button", name="Turn it on").click()
    save_codes(page)


def save_codes(page: Page) -> None:
    expect(page.get_by_role("heading", name="Save your recovery codes")).to_be_visible()
    page.get_by_role("button", name="I have saved them").click()


def newest_code(page: Page, demo: Demo, email: str) -> str:
    """As the demo's inbox has it, which gets it from the worker a moment later."""
    for _ in range(TRIES):
        answer = page.request.get(f"{demo.issuer}/inbox", params={"to": email})
        letters = answer.text().split('class="letter-body">')[1:]
        found = [code for letter in letters if (code := CODE.search(letter))]
        if found:
            return found[0][1]
        page.wait_for_timeout(BETWEEN_TRIES)
    raise AssertionError(f"no code was sent to {email}")
