"""The documentation of the API in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.console.browsing import demo
from tests.machine.axe import look_at
from tests.machine.demo_process import Demo

__all__ = ["demo"]

FOLDED = "details:not([open]) > :not(summary)"


def test_the_documentation_is_for_everybody(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.issuer}/api/v1/docs")
    expect(page.get_by_role("heading", name="Management API", level=1)).to_be_visible()
    for route in ("access-upload", "clients-change", "nodes-losing", "tenants-take_evidence"):
        page.locator(f"details:has(#{route}) > summary").click()
        expect(page.locator(f"#{route} table").first).to_be_visible()
    take_out_what_is_folded(page)
    look_at(page)
    page.get_by_role("link", name="Imports of people").click()
    expect(page.get_by_role("heading", name="Imports of people")).to_be_in_viewport()


def take_out_what_is_folded(page: Page) -> None:
    """Nine tenths of the page, in which axe judges nothing, but goes through it for each rule."""
    page.evaluate(f"document.querySelectorAll('{FOLDED}').forEach(each => each.remove())")
    assert page.locator("details > :not(summary)").count() == 4


def test_a_link_to_one_address_opens_it(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.issuer}/api/v1/docs#imports-upload")
    expect(page.locator("#imports-upload").get_by_text("text/csv")).to_be_visible()
