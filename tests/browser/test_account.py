"""The account in a real browser: every page from every side, and every change as people make it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from idp import setup
from idp.provider import Provider
from tests.browser import letters
from tests.browser.second_steps import turn_app_on
from tests.machine.axe import look_at
from tests.machine.provider_process import RunningProvider, start_provider
from tests.machine.virtual_authenticator import VirtualAuthenticator
from tests.world import ADDRESSES, AMARA, BEN, DANA, HANA, PASSWORD, PRIYA, Clock, World

NEW = "Quiet otters paint 57 barges"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    def furnish(held: Provider) -> None:
        setup.apply_demo(held, {**ADDRESSES, "issuer": held.settings.issuer})
        world = World(held, Clock(time.time()), held.settings.keys_dir)
        world.run("UPDATE memberships SET second_factor_skipped_at = 1")

    folder = tmp_path_factory.mktemp("account")
    started = start_provider(folder, furnish, outbox_workers=1, demo_inbox=True)
    yield started
    started.stop()


@pytest.fixture
def elsewhere(chromium: Browser) -> Iterator[Page]:
    """Another browser."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def scriptless(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(java_script_enabled=False)
    yield context
    context.close()


def enter(
    page: Page, running: RunningProvider, path: str, email: str, password: str = PASSWORD
) -> None:
    page.goto(running.issuer + path)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("main.account-main")).to_be_visible()


def test_an_app_is_added_and_then_asked_for_before_anything_else_is_changed(
    running: RunningProvider, page: Page, elsewhere: Page
) -> None:
    enter(page, running, "/account/security", BEN)
    look_at(page)
    page.get_by_role("link", name="Authenticator app").click()
    codes = turn_app_on(page, look_at)
    expect(page.get_by_text("It is set up.")).to_be_visible()
    page.get_by_role("link", name="I have saved them").click()
    look_at(page)
    enter(elsewhere, running, "/account/security", BEN)
    for link in ("Make new ones", "Remove", "Passkey or security key"):
        elsewhere.goto(f"{running.issuer}/account/security")
        elsewhere.get_by_role("link", name=link).first.click()
        expect(
            elsewhere.get_by_text("Enter the code that your authenticator app shows.")
        ).to_be_visible()
    elsewhere.get_by_role("link", name="Use a recovery code").click()
    elsewhere.get_by_label("Recovery code").fill(codes[3])
    elsewhere.get_by_role("button", name="Continue").click()
    expect(elsewhere).to_have_url(f"{running.issuer}/account/security/key")


def test_a_key_is_added_renamed_and_removed(running: RunningProvider, page: Page) -> None:
    enter(page, running, "/account/security", DANA)
    device = VirtualAuthenticator(page)
    page.get_by_role("link", name="Passkey or security key").click()
    page.get_by_label("Name (optional)").fill("Blue key")
    look_at(page)
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    assert len(device.credentials) == 1
    page.get_by_role("link", name="I have saved them").click()
    look_at(page)
    page.get_by_role("link", name="Rename Blue key").click()
    page.get_by_role("button", name="Use a passkey or security key").click()
    expect(page.get_by_role("heading", name="Rename it")).to_be_visible()
    look_at(page)
    page.get_by_label("Name", exact=True).fill("Work laptop")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The new name is saved.")).to_be_visible()
    page.get_by_role("link", name="Remove Work laptop").click()
    expect(page.get_by_text("It is your last one.")).to_be_visible()
    look_at(page)
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("None yet: your password alone opens your account.")).to_be_visible()


def test_recovery_codes_are_made_anew_and_shown_once(running: RunningProvider, page: Page) -> None:
    enter(page, running, "/account/security/app", AMARA)
    before = turn_app_on(page, look_at)
    page.goto(f"{running.issuer}/account/security/recovery_codes")
    page.get_by_role("link", name="Use a recovery code").click()
    page.get_by_label("Recovery code").fill(before[0])
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("9 of 10 are left.")).to_be_visible()
    look_at(page)
    page.get_by_role("button", name="Make ten new ones").click()
    after = page.locator(".recovery-codes code").all_inner_texts()
    assert len(after) == 10
    assert not set(before) & set(after)
    page.goto(f"{running.issuer}/account/security/recovery_codes")
    expect(page.locator(".recovery-codes")).to_have_count(0)


def test_the_password_is_changed_by_the_mailed_link_and_other_browsers_are_signed_out(
    running: RunningProvider, page: Page, elsewhere: Page
) -> None:
    enter(elsewhere, running, "/account", HANA)
    enter(page, running, "/account/security", HANA)
    page.get_by_role("link", name="Change Password").click()
    look_at(page)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text(f"A letter is on its way to {HANA}.")).to_be_visible()
    look_at(page)
    page.goto(letters.find(page, running.issuer, HANA, r"(http\S+/account/password/\S+)"))
    look_at(page)
    page.get_by_label("Current password").fill("wrong")
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_role("button", name="Save the new password").click()
    expect(page.get_by_text("This is not your password").first).to_be_visible()
    look_at(page)
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_role("button", name="Save the new password").click()
    expect(page.get_by_text("Your new password is saved.")).to_be_visible()
    elsewhere.reload()
    expect(elsewhere.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_the_address_is_changed_by_its_own_link_and_given_back_by_the_old_ones(
    running: RunningProvider, page: Page, elsewhere: Page
) -> None:
    new = "priya.raman@northwind.example"
    enter(page, running, "/account/security", PRIYA)
    page.get_by_role("link", name="Change E-mail address").click()
    look_at(page)
    page.get_by_label("New e-mail address").fill(new)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("We have sent a link to that address.")).to_be_visible()
    look_at(page)
    page.goto(letters.find(page, running.issuer, new, r"(http\S+/account/email/confirm\S+)"))
    look_at(page)
    page.get_by_role("button", name="Change my address").click()
    expect(page.get_by_text("Your e-mail address is changed.")).to_be_visible()
    expect(page.locator("main").get_by_text(new)).to_be_visible()
    back = letters.find(page, running.issuer, PRIYA, r"(http\S+/account/email/undo\S+)")
    elsewhere.goto(back)
    look_at(elsewhere)
    elsewhere.get_by_role("button", name="Give it back").click()
    expect(elsewhere.get_by_role("heading", name="You have your address back")).to_be_visible()
    look_at(elsewhere)
    page.reload()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_other_sessions_are_seen_and_ended(
    running: RunningProvider, page: Page, elsewhere: Page
) -> None:
    enter(elsewhere, running, "/account", BEN)
    enter(page, running, "/account", BEN)
    for path in ("", "/history", "/history?show=everything", "/products", "/enable", "/sessions"):
        page.goto(f"{running.issuer}/account{path}")
        look_at(page)
    page.get_by_role("button", name="End all other sessions").click()
    expect(page.get_by_role("button", name="End all other sessions")).to_have_count(0)
    expect(page.get_by_text("This browser")).to_be_visible()
    elsewhere.reload()
    expect(elsewhere.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    assert letters.find(page, running.issuer, BEN, r"(navegador que no conocemos como suyo)")


def test_all_of_it_works_without_scripts(
    running: RunningProvider, scriptless: BrowserContext, elsewhere: Page
) -> None:
    page, email = scriptless.new_page(), DANA
    enter(elsewhere, running, "/account", email)
    enter(page, running, "/account", email)
    page.get_by_label("Given name").fill("Dana María")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your profile is saved.")).to_be_visible()
    page.goto(f"{running.issuer}/account/security")
    page.get_by_role("link", name=re.compile("^E-mail")).last.click()
    page.get_by_role("button", name="Send the code").click()
    code = letters.find(page, running.issuer, email, r"(\d{6}) is your Latchkey code")
    page.get_by_label("Six-digit code").fill(code)
    page.get_by_role("button", name="Turn it on").click()
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    codes = page.locator(".recovery-codes code").all_inner_texts()
    page.get_by_role("link", name="I have saved them").click()
    page.get_by_role("link", name=re.compile("^Remove")).first.click()
    page.get_by_role("link", name="Use a recovery code").click()
    page.get_by_label("Recovery code").fill(codes[0])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("It is removed")).to_be_visible()
    page.goto(f"{running.issuer}/account/security/key")
    expect(page.get_by_role("button", name="Set it up")).to_be_hidden()
    page.goto(f"{running.issuer}/account/password")
    page.get_by_role("button", name="Send the link").click()
    page.goto(letters.find(page, running.issuer, email, r"(http\S+/account/password/\S+)"))
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_role("button", name="Save the new password").click()
    expect(page.get_by_text("Your new password is saved.")).to_be_visible()
    page.goto(f"{running.issuer}/account/sessions")
    expect(page.get_by_text("This browser")).to_be_visible()
