"""The demo as people meet it: one command, a real browser, three products."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from idp.setup import DEMO_PASSWORD
from tests.browser.second_steps import set_up_app
from tests.machine.axe import look_at
from tests.machine.demo_process import Demo, start_demo

FAILED = "We could not sign you in. Check your details, or reset your password."
TRIES, BETWEEN_TRIES = 60, 250  # milliseconds


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = start_demo(tmp_path_factory.mktemp("demo"))
    yield running
    assert running.stop() == 0, running.words()


def sign_in(page: Page, email: str, password: str = DEMO_PASSWORD) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def open_signed_out(page: Page, address: str) -> None:
    """A product's landing page, and on to the sign-in."""
    page.goto(address)
    page.get_by_role("link", name="Sign in").first.click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def find_signed_out(page: Page, address: str) -> None:
    """Products are told in the background, so it may be true a moment later."""
    for _ in range(TRIES):
        page.goto(address)
        if page.get_by_role("link", name="Sign in").count():
            return
        page.wait_for_timeout(BETWEEN_TRIES)
    raise AssertionError(f"still signed in at {address}")


def open_menu(page: Page) -> None:
    page.locator("summary").first.click()


def test_the_demo_says_where_to_go_and_who_to_be(demo: Demo) -> None:
    words = demo.words()
    for said in (demo.issuer, demo.lms, demo.payments, demo.connections, DEMO_PASSWORD):
        assert said in words
    assert "priya@northwind.example" in words


def test_one_sign_in_opens_three_products_and_one_sign_out_ends_them(
    demo: Demo, page: Page
) -> None:
    open_signed_out(page, demo.payments)
    expect(page.get_by_role("radio", name="Secure Payments")).to_be_checked()
    sign_in(page, "amara@northwind.example")
    set_up_app(page)
    expect(page).to_have_url(re.compile(re.escape(demo.payments)))
    expect(page.get_by_text("Amara Okafor").first).to_be_visible()

    for address in (demo.lms, demo.connections):
        page.goto(address)
        expect(page).to_have_url(re.compile(re.escape(address)))
        expect(page.get_by_text("Amara Okafor").first).to_be_visible()

    open_menu(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(re.escape(f"{demo.connections}/signed-out")))

    for address in (demo.lms, demo.payments, demo.connections):
        find_signed_out(page, address)
        expect(page.get_by_text("Amara Okafor")).to_have_count(0)


def test_a_visitor_picks_a_tile_and_lands_in_that_product(demo: Demo, page: Page) -> None:
    page.goto(demo.issuer)
    page.get_by_text("Secure Payments").click()
    sign_in(page, "dana@northwind.example")
    set_up_app(page)
    expect(page).to_have_url(re.compile(re.escape(demo.payments)))
    expect(page.get_by_text("Dana Whitfield").first).to_be_visible()


def test_a_visitor_who_picks_no_tile_is_told_to(demo: Demo, page: Page) -> None:
    page.goto(demo.issuer)
    sign_in(page, "dana@northwind.example")
    expect(page.get_by_role("alert")).to_contain_text("Choose the product you want to open.")
    expect(page.get_by_label("E-mail address")).to_have_value("dana@northwind.example")


def test_another_tile_than_the_one_that_asked_opens_the_other_product(
    demo: Demo, page: Page
) -> None:
    open_signed_out(page, demo.connections)
    page.get_by_text("LMS").click()
    sign_in(page, "amara@northwind.example")
    expect(page).to_have_url(re.compile(re.escape(demo.lms)))


def test_an_agent_sees_one_product_and_is_refused_the_others_by_address(
    demo: Demo, page: Page
) -> None:
    open_signed_out(page, demo.lms)
    sign_in(page, "ben@northwind.example")
    expect(page.get_by_text("Ben Castillo").first).to_be_visible()
    open_menu(page)
    menu = page.locator("details[open]")
    expect(menu.get_by_text("LMS")).to_be_visible()
    expect(menu.get_by_text("Secure Payments")).to_have_count(0)

    page.goto(f"{demo.payments}/login")
    expect(page.get_by_role("heading", name="No access to Secure Payments")).to_be_visible()
    expect(page.get_by_text("Your roles at Northwind Lending")).to_be_visible()
    page.get_by_role("button", name="Go back").click()
    expect(page).to_have_url(re.compile(re.escape(demo.payments)))
    expect(page.get_by_text("Ben Castillo")).to_have_count(0)


def test_a_member_of_two_companies_chooses_once_and_switches_without_signing_in(
    demo: Demo, page: Page
) -> None:
    open_signed_out(page, demo.lms)
    sign_in(page, "priya@northwind.example")
    expect(page.get_by_role("heading", name="Choose a company")).to_be_visible()
    page.get_by_text("Northwind Lending").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Northwind Lending").first).to_be_visible()

    open_menu(page)
    page.locator("details[open]").get_by_text("Harbor Credit Union").click()
    expect(page).to_have_url(re.compile(re.escape(demo.lms)))
    expect(page.locator("summary").first).to_contain_text("Harbor Credit Union")

    page.goto(f"{demo.payments}/login")
    set_up_app(page)
    expect(page.locator("summary").first).to_contain_text("Harbor Credit Union")


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("nobody@northwind.example", DEMO_PASSWORD),
        ("hana@harbor.example", "wrong password"),
        ("victor@northwind.example", DEMO_PASSWORD),
    ],
)
def test_a_failed_sign_in_says_the_same_words(
    demo: Demo, page: Page, email: str, password: str
) -> None:
    open_signed_out(page, demo.lms)
    sign_in(page, email, password)
    expect(page.get_by_role("alert")).to_have_text(FAILED)


def test_sign_in_works_without_javascript(demo: Demo, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    open_signed_out(page, demo.lms)
    sign_in(page, "amara@northwind.example")
    expect(page.get_by_text("Amara Okafor").first).to_be_visible()
    page.locator("summary").first.click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("signed out", exact=False).first).to_be_visible()
    context.close()


def test_the_account_page_shows_and_ends_ones_sessions(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.issuer}/account/sessions")
    sign_in(page, "hana@harbor.example")
    expect(page.get_by_role("heading", name="Where you are signed in")).to_be_visible()
    page.get_by_role("button", name="End the session of").first.click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    page.goto(f"{demo.issuer}/account")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_sign_out_at_the_provider_tells_the_products(demo: Demo, page: Page) -> None:
    open_signed_out(page, demo.lms)
    sign_in(page, "dana@northwind.example")
    expect(page.get_by_text("Dana Whitfield").first).to_be_visible()
    page.goto(f"{demo.issuer}/logout")
    expect(page.get_by_role("heading", name="Sign out of everything?")).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    find_signed_out(page, demo.lms)


def test_five_wrong_passwords_reach_the_owner_by_mail(demo: Demo, page: Page) -> None:
    open_signed_out(page, demo.lms)
    for _ in range(5):
        sign_in(page, "tomas@customer.example", "wrong password")
        expect(page.get_by_role("alert")).to_have_text(FAILED)
    sign_in(page, "tomas@customer.example")
    expect(page.get_by_role("alert")).to_have_text(FAILED)
    page.goto(f"{demo.issuer}/inbox?to=tomas@customer.example")
    for _ in range(TRIES):
        if page.get_by_role("heading", level=2).count():
            break
        page.wait_for_timeout(BETWEEN_TRIES)
        page.reload()
    expect(page.get_by_role("heading", level=2)).to_have_count(1)


@pytest.mark.timeout(600)  # axe looks at sixteen pages
def test_axe_finds_nothing_on_the_way_through(demo: Demo, page: Page) -> None:
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))

    def check() -> None:
        page.wait_for_load_state()
        look_at(page)

    page.goto(demo.lms)
    check()
    page.get_by_role("link", name="Sign in").first.click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    check()
    sign_in(page, "amara@northwind.example")
    expect(page.get_by_text("Amara Okafor").first).to_be_attached()
    check()
    open_menu(page)
    check()
    for address in (
        demo.payments,
        demo.connections,
        demo.issuer,
        f"{demo.issuer}/account",
        f"{demo.issuer}/account/security",
        f"{demo.issuer}/account/sessions",
        f"{demo.issuer}/account/history?show=everything",
        f"{demo.issuer}/account/products",
        f"{demo.issuer}/inbox",
        f"{demo.issuer}/logout",
        f"{demo.issuer}/nothing-here",
        f"{demo.issuer}/authorize",
    ):
        page.goto(address)
        check()
    assert [fault for fault in faults if "status of 4" not in fault] == []


def test_a_second_start_finds_everything_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("twice")
    start_demo(folder).stop()
    again = start_demo(folder)
    with urllib.request.urlopen(f"{again.issuer}/jwks") as answer:
        assert answer.status == 200
    assert again.stop() == 0
    assert again.words().rstrip().endswith("Stopped.")
