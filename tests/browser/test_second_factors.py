"""Codes in a real browser: setting up an app and a mailbox, with and without scripts."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from idp.provider import Provider
from tests.browser import letters
from tests.browser.second_steps import turn_app_on
from tests.machine.axe import barriers
from tests.machine.provider_process import RunningProvider, start_provider
from tests.security.second_factors import require_of_staff
from tests.world import ADDRESSES, BEN, DANA, PASSWORD, Clock, World, apply_demo

CODE = r"(\d{6}) is your Latchkey code"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    def furnish(held: Provider) -> None:
        apply_demo(held, {**ADDRESSES, "issuer": held.settings.issuer})
        require_of_staff(World(held, Clock(time.time()), held.settings.keys_dir), "northwind")

    folder = tmp_path_factory.mktemp("codes")
    started = start_provider(folder, furnish, outbox_workers=1, demo_inbox=True)
    yield started
    started.stop()


@pytest.fixture
def scriptless(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def sign_in(page: Page, running: RunningProvider, email: str) -> None:
    page.goto(f"{running.issuer}/account")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def check_no_barriers(page: Page) -> None:
    assert barriers(page) == []


def test_m2_an_app_is_set_up_and_asked_for_at_the_next_sign_in(
    running: RunningProvider, page: Page, chromium: Browser
) -> None:
    sign_in(page, running, DANA)
    page.get_by_role("link", name="Authenticator app").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    codes = turn_app_on(page, check_no_barriers)
    page.get_by_role("button", name="I have saved them").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Dana")
    another = chromium.new_context().new_page()
    sign_in(another, running, DANA)
    expect(another.get_by_text("Enter the code that your authenticator app shows.")).to_be_visible()
    another.get_by_role("link", name="Use a recovery code").click()
    another.get_by_label("Recovery code").fill(codes[7].lower())
    another.get_by_role("button", name="Continue").click()
    expect(another.get_by_role("heading", level=1)).to_contain_text("Dana")
    another.context.close()


def test_m2_codes_by_mail_are_set_up_and_asked_for_without_scripts(
    running: RunningProvider, scriptless: Page
) -> None:
    sign_in(scriptless, running, BEN)
    scriptless.get_by_role("link", name="E-mail").click()
    scriptless.get_by_role("button", name="Send the code").click()
    expect(scriptless.get_by_role("button", name="Send another code")).to_be_enabled()
    scriptless.get_by_label("Six-digit code").fill(
        letters.find(scriptless, running.issuer, BEN, CODE)
    )
    scriptless.get_by_role("button", name="Turn it on").click()
    scriptless.get_by_role("button", name="I have saved them").click()
    expect(scriptless.get_by_role("heading", level=1)).to_contain_text("Ben")


def test_another_code_can_be_asked_for_after_a_minute(running: RunningProvider, page: Page) -> None:
    """The clock of the page is moved, so that nobody waits; it goes on by itself, too."""
    page.clock.install()
    sign_in(page, running, "priya@northwind.example")
    page.get_by_role("link", name="E-mail").click()
    page.get_by_role("button", name="Send the code").click()
    button = page.get_by_role("button", name="Send another code")
    expect(button).to_be_disabled()
    expect(button).to_contain_text("(60)")
    check_no_barriers(page)
    left = seconds_in(button)
    page.clock.run_for(30_000)
    assert 0 < seconds_in(button) <= left - 30
    page.clock.run_for(31_000)
    expect(button).to_be_enabled()


def seconds_in(button: Locator) -> int:
    return int("".join(filter(str.isdigit, button.inner_text())))
