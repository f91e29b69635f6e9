"""Access to another company as people meet it: asked, signed, approved, set up, used, ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from idp.setup import DEMO_PASSWORD
from tests.browser.test_demo import BETWEEN_TRIES, TRIES, open_menu
from tests.machine.axe import look_at
from tests.machine.demo_process import Demo
from tests.machine.furnished_demo import start_furnished_demo

ASKED = "Covers for a colleague who is on leave."


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = start_furnished_demo(tmp_path_factory.mktemp("access"))
    yield running
    assert running.stop() == 0, running.words()


@contextmanager
def somebody(chromium: Browser, address: str, email: str) -> Iterator[Page]:
    """Signed in, at that address, in a browser of their own."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(address)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    yield page
    context.close()


@pytest.mark.timeout(600)  # axe looks at a dozen pages, in two themes and widths each
def test_somebody_is_let_into_another_company_and_out_again(
    demo: Demo, chromium: Browser, tmp_path: Path
) -> None:
    console = f"{demo.issuer}/manage/northwind/access"
    with (
        somebody(chromium, console, "amara@northwind.example") as amara,
        somebody(chromium, f"{demo.issuer}/operate/access", "operator@latchkey.example") as olu,
        somebody(chromium, f"{demo.issuer}/manage/harbor/access", "hana@harbor.example") as hana,
        somebody(chromium, f"{demo.lms}/login", "ben@northwind.example") as ben,
    ):
        expect(ben.locator("summary").first).to_contain_text("Northwind Lending")
        ask(amara)
        sign_and_upload(amara, tmp_path)
        approve(olu)
        ben.goto(f"{demo.lms}/login?tenant=harbor")
        expect(ben.get_by_role("heading", name="No access to LMS")).to_be_visible()
        give_roles(hana)
        switch(ben, demo)
        end(hana)
        find_at_home(ben, demo)
        ben.goto(f"{demo.lms}/login?tenant=harbor")
        expect(ben.get_by_role("heading", name="No access to LMS")).to_be_visible()
        amara.reload()
        expect(amara.locator(".access-history")).to_contain_text("The company that is entered")
        look_at(amara)
    read_mail(demo, chromium)


def ask(page: Page) -> None:
    look_at(page)
    page.get_by_role("link", name="Ask for access").click()
    look_at(page)
    page.get_by_role("button", name="Make the form").click()
    expect(page.get_by_role("alert")).to_contain_text("Nobody who works here has this address.")
    look_at(page)
    page.get_by_label("E-mail address of the person").fill("ben@northwind.example")
    page.get_by_label("Company to enter").fill("Harbor Credit Union")
    page.locator("input[name=products][value=lms]").check()
    page.get_by_label("Reason").fill(ASKED)
    page.get_by_role("button", name="Make the form").click()
    expect(page.get_by_role("heading", name="Have the form signed")).to_be_visible()
    look_at(page)


def sign_and_upload(page: Page, folder: Path) -> None:
    """What was downloaded is what is uploaded: a signature is not the machine's to make."""
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download the form (PDF)").click()
    form = Path(saved.value.path()).read_bytes()
    text = " ".join(PdfReader(BytesIO(form)).pages[0].extract_text().split())
    assert "Ben Castillo" in text
    assert ASKED in text
    signed = folder / "signed.pdf"
    signed.write_bytes(form)
    page.get_by_label("Signed form").set_input_files(signed)
    page.get_by_role("button", name="Upload and send to the operators").click()
    expect(page.get_by_role("status")).to_contain_text("has gone to the operators")
    look_at(page)


def approve(page: Page) -> None:
    page.reload()
    look_at(page)
    page.get_by_role("link", name="Ben Castillo").click()
    look_at(page)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download the signed form").click()
    assert Path(saved.value.path()).read_bytes().startswith(b"%PDF-")
    expect(page.get_by_label("Short name of the company to enter")).to_have_value("harbor")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_contain_text("Approved.")
    look_at(page)


def give_roles(page: Page) -> None:
    page.get_by_role("link", name="People from elsewhere").click()
    look_at(page)
    page.get_by_role("link", name="Ben Castillo").click()
    look_at(page)
    page.get_by_role("link", name="Give roles").click()
    look_at(page)
    page.get_by_label("Member advisor").check()
    page.get_by_role("button", name="Give these roles").click()
    expect(page.get_by_role("status")).to_contain_text("the access is open")


def switch(page: Page, demo: Demo) -> None:
    """By the menu of a product, without signing in again."""
    page.goto(f"{demo.lms}/login?tenant=northwind")
    expect(page.locator("summary").first).to_contain_text("Northwind Lending")
    open_menu(page)
    page.locator("details[open]").get_by_text("Harbor Credit Union").click()
    expect(page.locator("summary").first).to_contain_text("Harbor Credit Union")
    expect(page).to_have_url(re.compile(re.escape(demo.lms)))
    account = page.context.new_page()
    account.goto(f"{demo.issuer}/account")
    expect(account.get_by_text("Member advisor")).to_be_visible()
    account.close()


def find_at_home(page: Page, demo: Demo) -> None:
    """The product was told to sign him out, and the next click signs him in where he still may."""
    for _ in range(TRIES):
        page.goto(demo.lms)
        if "Northwind Lending" in page.locator("body").inner_text():
            return
        page.wait_for_timeout(BETWEEN_TRIES)
    raise AssertionError("still in the other company")


def end(page: Page) -> None:
    page.get_by_role("link", name="End the access").click()
    expect(page.get_by_role("heading", name="End the access of Ben Castillo")).to_be_visible()
    look_at(page)
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_role("status")).to_contain_text("The access has ended.")


def read_mail(demo: Demo, chromium: Browser) -> None:
    """Each in their own language: Ben's is Spanish."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{demo.issuer}/inbox?to=ben@northwind.example")
    expect(
        page.get_by_role("heading", name="Acceso a Harbor Credit Union (harbor): abierto")
    ).to_be_visible()
    page.goto(f"{demo.issuer}/inbox?to=hana@harbor.example")
    expect(
        page.get_by_role("heading", name="Access to Harbor Credit Union (harbor): approved")
    ).to_be_visible()
    context.close()
