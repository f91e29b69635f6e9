"""Passkeys in a real browser, with a virtual authenticator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from idp.provider import Provider
from tests.authenticator import Authenticator
from tests.machine.axe import barriers, barriers_of_colour
from tests.machine.provider_process import RunningProvider, start_provider
from tests.machine.virtual_authenticator import PASSKEY_STORE, PLAIN_KEY, VirtualAuthenticator
from tests.passkeys_of import Keys
from tests.security.second_factors import require_of_staff
from tests.world import ADDRESSES, AMARA, HANA, PASSWORD, Clock, World, apply_demo

Scheme = Literal["light", "dark"]
SCHEMES: list[Scheme] = ["light", "dark"]


UNASKED = "PublicKeyCredential.isConditionalMediationAvailable = async () => false"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    def furnish(held: Provider) -> None:
        apply_demo(held, {**ADDRESSES, "issuer": held.settings.issuer})
        world = World(held, Clock(time.time()), held.settings.keys_dir)
        require_of_staff(world, "harbor")

    started = start_provider(tmp_path_factory.mktemp("passkeys"), furnish)
    yield started
    started.stop()


@pytest.fixture
def passkey(running: RunningProvider) -> Authenticator:
    """Amara's, made on another day."""
    world = World(running.held, Clock(time.time()), running.log.parent)
    return Keys(world, AMARA).enrol()


def test_s2_m11_the_browser_offers_a_passkey_at_the_address_field(
    running: RunningProvider, page: Page, passkey: Authenticator
) -> None:
    VirtualAuthenticator(page).hold(passkey)
    page.goto(running.issuer)
    expect(page.get_by_role("heading", name="Your products")).to_be_visible()


def test_m11_a_button_signs_in_by_a_passkey(
    running: RunningProvider, page: Page, passkey: Authenticator
) -> None:
    page.add_init_script(UNASKED)
    page.goto(running.issuer)
    VirtualAuthenticator(page).hold(passkey)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Your products")).to_be_visible()


def test_who_is_not_recognised_by_their_device_is_told_and_can_try_again(
    running: RunningProvider, page: Page, passkey: Authenticator
) -> None:
    page.add_init_script(UNASKED)
    page.goto(running.issuer)
    device = VirtualAuthenticator(page)
    device.hold(passkey)
    device.verify(False)
    button = page.get_by_role("button", name="Sign in with a passkey")
    button.click()
    expect(page.get_by_text("No passkey was used.")).to_be_visible()
    expect(button).to_be_enabled()
    device.verify(True)
    button.click()
    expect(page.get_by_role("heading", name="Your products")).to_be_visible()


def test_a_passkey_that_was_removed_is_refused_and_forgotten_by_the_browser(
    running: RunningProvider, page: Page, passkey: Authenticator
) -> None:
    world = World(running.held, Clock(time.time()), running.log.parent)
    world.run("DELETE FROM passkeys")
    page.add_init_script(UNASKED)
    page.goto(running.issuer)
    device = VirtualAuthenticator(page)
    device.hold(passkey)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("That passkey could not be used.")
    for _ in range(40):
        if not device.credentials:
            break
        page.wait_for_timeout(100)
    assert device.credentials == []


def test_under_another_name_of_the_machine_no_passkey_is_offered(
    running: RunningProvider, page: Page, passkey: Authenticator
) -> None:
    """Browsers hold a passkey to the name that it was made for."""
    VirtualAuthenticator(page).hold(passkey)
    page.goto(running.issuer.replace("localhost", "127.0.0.1"))
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()


def test_a_browser_without_passkeys_shows_none_and_the_password_works(
    running: RunningProvider, page: Page
) -> None:
    page.add_init_script("delete window.PublicKeyCredential")
    page.goto(f"{running.issuer}/account")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    page.get_by_label("E-mail address").fill(AMARA)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("Amara Okafor").first).to_be_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_with_its_button_bars_nobody(
    running: RunningProvider, chromium: Browser, scheme: Scheme, width: int
) -> None:
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    device = VirtualAuthenticator(page)
    page.goto(running.issuer)
    button = page.get_by_role("button", name="Sign in with a passkey")
    expect(button).to_be_visible()
    look = barriers if scheme == "light" else barriers_of_colour
    assert look(page) == []
    device.verify(False)
    button.click()
    expect(page.get_by_text("No passkey was used.")).to_be_visible()
    assert look(page) == []
    assert faults == []
    context.close()


def sign_in(page: Page, email: str) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def set_one_up(page: Page, name: str) -> None:
    """On the way in, up to the page that was asked for."""
    page.get_by_role("link", name="Passkey or security key").click()
    page.get_by_label("Name (optional)").fill(name)
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("heading", name="Save your recovery codes")).to_be_visible()
    page.get_by_role("button").last.click()
    expect(page.get_by_text("Hana").first).to_be_visible()


def forget_keys(running: RunningProvider) -> World:
    world = World(running.held, Clock(time.time()), running.log.parent)
    for table in ("passkeys", "recovery_codes"):
        world.run(f"DELETE FROM {table}")
    return world


def test_m2_m11_a_passkey_that_was_set_up_on_the_way_in_signs_in_without_a_password(
    running: RunningProvider, page: Page
) -> None:
    forget_keys(running)
    page.add_init_script(UNASKED)
    device = VirtualAuthenticator(page, PASSKEY_STORE)
    page.goto(f"{running.issuer}/account")
    sign_in(page, HANA)
    set_one_up(page, "Work laptop")
    (credential,) = device.credentials
    assert credential["isResidentCredential"]
    page.context.clear_cookies()
    page.goto(f"{running.issuer}/account")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("Hana").first).to_be_visible()


def test_m2_a_key_that_verifies_nobody_is_set_up_and_is_a_second_step_alone(
    running: RunningProvider, page: Page
) -> None:
    world = forget_keys(running)
    page.add_init_script(UNASKED)
    VirtualAuthenticator(page, PLAIN_KEY)
    page.goto(f"{running.issuer}/account")
    sign_in(page, HANA)
    set_one_up(page, "Blue key")
    assert [each.label for each in Keys(world, HANA).listed() if not each.is_user_verified] == [
        "Blue key"
    ]
    page.context.clear_cookies()
    page.goto(f"{running.issuer}/account")
    sign_in(page, HANA)
    page.get_by_role("button", name="Use a passkey or security key").click()
    expect(page.get_by_text("Hana").first).to_be_visible()


def test_a_device_that_has_a_passkey_of_theirs_gets_no_second_one(
    running: RunningProvider, page: Page
) -> None:
    world = forget_keys(running)
    held = Keys(world, HANA).enrol()
    page.add_init_script(UNASKED)
    device = VirtualAuthenticator(page)
    device.hold(held)
    world.run("UPDATE passkeys SET enrolled_at = 1")
    require_of_staff(world, "harbor", since=2.0)
    page.goto(f"{running.issuer}/account")
    sign_in(page, HANA)
    page.get_by_role("link", name="Passkey or security key").click()
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_text("That device or key already has a passkey of yours.")).to_be_visible()
    require_of_staff(world, "harbor")


def test_without_javascript_the_page_of_a_key_says_what_it_takes(
    running: RunningProvider, chromium: Browser
) -> None:
    forget_keys(running)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{running.issuer}/account")
    sign_in(page, HANA)
    page.get_by_role("link", name="Passkey or security key").click()
    expect(page.get_by_text("This takes a browser that can use passkeys")).to_be_visible()
    expect(page.get_by_role("button", name="Set it up")).to_be_hidden()
    expect(page.get_by_role("link", name="Authenticator app")).to_be_visible()
    context.close()
