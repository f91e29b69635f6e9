"""The audit log in a real browser: both themes and widths, and without a script of its own."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.console.browsing import demo, enter
from tests.machine.axe import look_at
from tests.machine.demo_process import Demo
from tests.world import OLU

__all__ = ["demo"]

MOST_CHANGES = ".change-list tbody tr:nth-child(n + 21)"


def test_the_audit_log_holds_in_both_themes_and_widths(demo: Demo, page: Page) -> None:
    enter(page, demo, "/manage/northwind/roles/new")
    page.get_by_label("Name").fill("Auditor")
    page.get_by_role("button", name="Go on").or_(page.get_by_role("button").last).first.click()
    page.goto(demo.issuer + "/manage/northwind/audit")
    expect(page.get_by_role("link", name="Role made")).to_be_visible()
    look_at(page)
    page.get_by_label("Who, by e-mail address").fill("nobody@nowhere.example")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("Nothing fits")).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="Clear").click()
    page.get_by_role("link", name="Role made").click()
    expect(page.get_by_text("Its place in the chain")).to_be_visible()
    look_at(page)


def test_the_platform_s_audit_log_holds_too(demo: Demo, page: Page) -> None:
    enter(page, demo, "/operate/audit", OLU)
    expect(page.get_by_role("link", name="Signed in").first).to_be_visible()
    look_at(page)
    page.get_by_label("What").select_option("setup.applied")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Set-up file applied").first.click()
    expect(page.get_by_role("heading", name="What was changed")).to_be_attached()
    take_out_most_changes(page)
    look_at(page)


def take_out_most_changes(page: Page) -> None:
    """Hundreds of rows, each like one of the first: axe takes the square of their number."""
    rows = page.locator(".change-list tbody tr")
    assert rows.count() > 100
    page.evaluate(f"document.querySelectorAll('{MOST_CHANGES}').forEach(each => each.remove())")
    assert rows.count() == 20
