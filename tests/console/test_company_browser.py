"""What a company sets for itself, in a real browser: every page in both themes and widths."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.console.browsing import demo, enter, look_at
from tests.machine.demo_process import Demo

__all__ = ["demo"]


def test_the_sign_in_policy_holds_in_both_themes_and_widths(demo: Demo, page: Page) -> None:
    enter(page, demo, "/manage/northwind/policy")
    look_at(page)
    page.get_by_label("Signed out when not used for").fill("9000")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Enter a whole number").first).to_be_visible()
    look_at(page)


def test_verified_domains_hold_in_both_themes_and_widths(demo: Demo, page: Page) -> None:
    enter(page, demo, "/manage/northwind/domains")
    expect(page.get_by_text("No domains yet")).to_be_visible()
    look_at(page)
    page.get_by_label("Domain").fill("gmail.com")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("so it is no company's").first).to_be_visible()
    page.get_by_label("Domain").fill("bücher.example")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("_latchkey.xn--bcher-kva.example")).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="Verified domains").first.click()
    expect(page.get_by_role("link", name="bücher.example")).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="bücher.example").click()
    page.get_by_role("link", name="Remove").click()
    look_at(page)
