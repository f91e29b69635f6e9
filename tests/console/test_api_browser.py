"""The documentation of the API in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.console.browsing import demo
from tests.machine.axe import look_at
from tests.machine.demo_process import Demo

__all__ = ["demo"]

# In what is folded axe judges nothing, but goes through it for each rule; of what is alike it
# judges each as it does the first.
FOLDED = "details:not([open]) > :not(summary)"
OTHER_ADDRESSES = "details:not([open]):not(:first-child)"
OTHER_FIELDS = ".api-fields tbody tr:nth-child(n + 9)"


def test_the_documentation_is_for_everybody(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.issuer}/api/v1/docs")
    expect(page.get_by_role("heading", name="Management API", level=1)).to_be_visible()
    for route in ("access-upload", "clients-change", "nodes-losing", "tenants-take_evidence"):
        page.locator(f"details:has(#{route}) > summary").click()
        expect(page.locator(f"#{route} table").first).to_be_visible()
    take_out_what_tells_nothing_new(page)
    look_at(page)
    page.get_by_role("link", name="Imports of people").click()
    expect(page.get_by_role("heading", name="Imports of people")).to_be_in_viewport()


def take_out_what_tells_nothing_new(page: Page) -> None:
    """More than nine tenths of the page."""
    for each in (FOLDED, OTHER_ADDRESSES, OTHER_FIELDS):
        page.evaluate(f"document.querySelectorAll('{each}').forEach(each => each.remove())")
    assert page.locator("details > :not(summary)").count() == 4
    assert page.locator("details").count() > page.locator("section:has(details)").count() > 10
    assert page.locator(".api-fields small").count() > 0
    assert page.locator(".api-fields .list-note").count() > 0


def test_a_link_to_one_address_opens_it(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.issuer}/api/v1/docs#imports-upload")
    expect(page.locator("#imports-upload").get_by_text("text/csv")).to_be_visible()
