"""People in a real browser: invited, come in, looked after, imported; nobody barred on the way."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.console.browsing import demo, enter
from tests.machine.axe import look_at
from tests.machine.demo_process import Demo
from tests.world import BEN

__all__ = ["demo"]

NADIA = "nadia@northwind.example"
CHOSEN = "violet-harmonica-27"
GOOD, BAD = 17, 3
FILE = "email,kind,roles\n" + "".join(f"new{n}@x.example,staff,agent\n" for n in range(GOOD))
FILE += "no address,staff,agent\nnew0@x.example,staff,agent\nz@x.example,boss,agent\n"
TRIES, BETWEEN_TRIES = 60, 250  # milliseconds


def link_by_mail(page: Page, demo: Demo) -> str:
    """It is on its way for a moment."""
    for _ in range(TRIES):
        page.goto(f"{demo.issuer}/inbox")
        found = re.search(r"/invitation\?token=[\w-]+", page.content())
        if found:
            return demo.issuer + found[0]
        page.wait_for_timeout(BETWEEN_TRIES)
    raise AssertionError("no invitation came")


def test_somebody_is_invited_comes_in_and_opens_lms(
    demo: Demo, page: Page, chromium: Browser
) -> None:
    enter(page, demo, "/manage/northwind/people")
    look_at(page)
    page.get_by_role("link", name="Invite somebody").click()
    look_at(page)
    page.get_by_label("E-mail address").fill(NADIA)
    page.get_by_label("Loan agent").check()
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_role("status")).to_contain_text(NADIA)
    look_at(page)

    guest = chromium.new_context().new_page()
    guest.goto(link_by_mail(guest, demo))
    look_at(guest)
    guest.get_by_label("Your name").fill("Nadia Petrova")
    guest.get_by_label("Choose a password", exact=True).fill(CHOSEN)
    guest.get_by_role("button", name="Accept and open my account").click()
    guest.get_by_label("Password", exact=True).fill(CHOSEN)
    guest.get_by_role("button", name="Sign in", exact=True).click()
    guest.goto(f"{demo.lms}/login")
    expect(guest.get_by_text("Nadia Petrova").first).to_be_visible()
    guest.context.close()


def test_one_person_is_looked_after(demo: Demo, page: Page) -> None:
    enter(page, demo, "/manage/northwind/people?search=ben")
    page.get_by_role("link", name="Ben Castillo").click()
    look_at(page)
    page.get_by_label("Analyst").check()
    page.get_by_role("button", name="Save roles").click()
    expect(page.get_by_role("status")).to_contain_text("The roles have been changed.")
    page.get_by_role("link", name="Disable").click()
    look_at(page)
    page.get_by_role("button", name="Disable Ben Castillo").click()
    expect(page.get_by_text("Enable again")).to_be_visible()
    look_at(page)
    page.get_by_role("button", name="Enable again").click()
    expect(page.get_by_text(BEN).first).to_be_visible()
    page.goto(page.url + "/history")
    expect(page.get_by_role("link", name="Person disabled")).to_be_visible()
    look_at(page)


def test_twenty_lines_are_imported_three_of_them_bad(demo: Demo, page: Page) -> None:
    enter(page, demo, "/manage/northwind/imports/new")
    look_at(page)
    page.get_by_label("CSV file").set_input_files(
        {"name": "people.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    )
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_role("heading", name="What this import would do")).to_be_visible(
        timeout=60_000
    )
    expect(page.locator(".badge-bad")).to_have_count(BAD)
    look_at(page)
    page.get_by_role("button", name="Do it now").click()
    expect(page.get_by_role("heading", name="What this import has done")).to_be_visible(
        timeout=60_000
    )
    expect(page.locator(".badge-good")).to_have_count(GOOD)
    look_at(page)
