"""Opening an account in a real browser, with and without scripts, and being let in; nobody barred
on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from idp.provider import Provider
from tests.browser import letters
from tests.machine.axe import look_at
from tests.machine.provider_process import RunningProvider, start_provider
from tests.mailed import NEW
from tests.signing_up import state, verify_domain
from tests.world import ADDRESSES, AMARA, PASSWORD, Clock, World, apply_demo, request_for

LINK = r"(https?://\S+/login/sign_up/open\?token=\w+)"
WAITS = "Your company has to let you in first"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    def furnish(held: Provider) -> None:
        apply_demo(held, {**ADDRESSES, "issuer": held.settings.issuer})
        world = World(held, Clock(time.time()), held.settings.keys_dir)
        verify_domain(world)
        verify_domain(world, "harbor.example", "harbor")
        state(world, "harbor", sign_up="closed")

    folder = tmp_path_factory.mktemp("sign-up")
    started = start_provider(folder, furnish, outbox_workers=1, demo_inbox=True)
    yield started
    started.stop()


@pytest.fixture
def scriptless(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def start(page: Page, running: RunningProvider) -> None:
    page.goto(f"{running.issuer}/authorize?{urlencode(request_for('payments'))}")


def ask(page: Page, running: RunningProvider, email: str) -> None:
    start(page, running)
    page.get_by_role("link", name="Open an account").click()
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Send the letter").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()


def open_link(page: Page, running: RunningProvider, email: str, pattern: str = LINK) -> None:
    page.goto(letters.find(page, running.issuer, email, pattern))


def fill_in(page: Page, name: str, company: str = "") -> None:
    page.get_by_label("Your name").fill(name)
    if company:
        page.get_by_label("Name of your company").fill(company)
    page.get_by_label("Choose a password").fill(NEW)
    page.get_by_role("button", name="Open my account").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def sign_in(page: Page, password: str = NEW, email: str = "") -> None:
    if email:
        page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_s5_somebody_founds_a_company(running: RunningProvider, page: Page) -> None:
    email = "freda@fresh.example"
    start(page, running)
    look_at(page)
    page.get_by_role("link", name="Open an account").click()
    page.get_by_label("E-mail address").fill("freda")
    page.evaluate("document.querySelector('form').noValidate = true")
    page.get_by_role("button", name="Send the letter").click()
    expect(page.get_by_text("Enter your e-mail address.").first).to_be_visible()
    look_at(page)
    ask(page, running, email)
    look_at(page)
    open_link(page, running, email)
    look_at(page)
    page.get_by_role("button", name="Open my account").click()
    expect(page.get_by_text("Enter the name of your company.").first).to_be_visible()
    look_at(page)
    fill_in(page, "Freda Fresh", "Fresh Fish & Sons")
    expect(page.get_by_label("E-mail address")).to_have_value(email)
    with page.expect_request(f"{ADDRESSES['payments']}/**"):  # where nobody answers
        sign_in(page)
    home = page.context.new_page()  # the other one is still on its way to nobody
    home.goto(f"{running.issuer}/")
    expect(home.get_by_text("Fresh Fish & Sons").first).to_be_visible()


def test_s5_somebody_is_let_in_by_their_company(
    running: RunningProvider, scriptless: Page, page: Page
) -> None:
    email = "nadia@northwind.example"
    ask(scriptless, running, email)
    open_link(scriptless, running, email)
    expect(scriptless.get_by_text("One of its admins has to let you in")).to_be_visible()
    fill_in(scriptless, "Nadia New")
    start(scriptless, running)
    sign_in(scriptless, email=email)
    expect(scriptless.get_by_text(WAITS)).to_be_visible()
    page.goto(f"{running.issuer}/manage/northwind/join-requests")
    sign_in(page, PASSWORD, AMARA)
    expect(page.get_by_text(email)).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="Nadia New", exact=True).click()
    look_at(page)
    page.get_by_role("button", name="Refuse").click()
    expect(page.get_by_text("Say why.").first).to_be_visible()
    look_at(page)
    page.get_by_label("Account admin").check()
    page.get_by_role("button", name="Let them in").click()
    expect(page.get_by_text("They are in")).to_be_visible()
    expect(page.get_by_text("Nobody waits")).to_be_visible()
    look_at(page)
    scriptless.goto(f"{running.issuer}/account/products")
    sign_in(scriptless, email=email)
    expect(scriptless.get_by_text("Northwind Lending").first).to_be_visible()


def test_s5_the_pages_of_who_waits_bar_nobody(running: RunningProvider, page: Page) -> None:
    email = "wanda@northwind.example"
    ask(page, running, email)
    open_link(page, running, email)
    look_at(page)
    fill_in(page, "Wanda Waits")
    start(page, running)
    sign_in(page, email=email)
    expect(page.get_by_text(WAITS)).to_be_visible()
    look_at(page)


def test_s5_a_closed_company_says_so_in_a_letter(
    running: RunningProvider, scriptless: Page
) -> None:
    email = "nobody@harbor.example"
    ask(scriptless, running, email)
    assert letters.find(scriptless, running.issuer, email, "(ask an admin there to invite you)")


def test_s5_the_settings_bar_nobody(running: RunningProvider, page: Page) -> None:
    page.goto(f"{running.issuer}/manage/northwind/sign-up")
    sign_in(page, PASSWORD, AMARA)
    expect(page.get_by_text("Who comes from these domains")).to_be_visible()
    look_at(page)
    page.get_by_label("They are let in by themselves").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Choose a role of yours").first).to_be_visible()
    look_at(page)
    page.get_by_label("Nobody").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The policy is saved.")).to_be_visible()
    page.goto(f"{running.issuer}/manage/northwind/settings")
    look_at(page)
    page.goto(f"{running.issuer}/manage/northwind/domains")
    look_at(page)
    page.goto(f"{running.issuer}/manage/northwind/people")
    look_at(page)
