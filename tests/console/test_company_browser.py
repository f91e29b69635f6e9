"""What a company sets for itself, in a real browser: every page in both themes and widths."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from idp.setup import DEMO_PASSWORD
from tests.console.browsing import demo, enter
from tests.machine.axe import look_at
from tests.machine.demo_process import Demo

__all__ = ["demo"]


def test_the_sign_in_policy_holds_in_both_themes_and_widths(demo: Demo, page: Page) -> None:
    enter(page, demo, "/manage/northwind/policy")
    look_at(page)
    page.get_by_label("Signed out when not used for").fill("9000")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Enter a whole number").first).to_be_visible()
    look_at(page)


def test_the_password_policy_holds_in_both_themes_and_widths(demo: Demo, page: Page) -> None:
    enter(page, demo, "/manage/northwind/password-policy")
    look_at(page)
    page.get_by_label("Characters of any kind").fill("7")
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


def test_branding_holds_in_both_themes_and_widths(demo: Demo, page: Page, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    Image.new("RGB", (64, 64), "#a8481c").save(logo)
    enter(page, demo, "/manage/northwind/branding")
    look_at(page)
    page.get_by_label("Colour").fill("#ffff00")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("can't be read on this colour").first).to_be_visible()
    look_at(page)
    page.get_by_label("Name", exact=True).fill("Northwind")
    page.get_by_label("Colour").fill("#7a1f5c")
    page.get_by_label("Logo", exact=True).set_input_files(logo)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The branding is saved.")).to_be_visible()
    look_at(page)
    visitor = page.context.browser.new_context().new_page()  # type: ignore[union-attr]
    visitor.goto(f"{demo.lms}/login?tenant=northwind")
    expect(visitor.locator(".door-mark")).to_have_text("Northwind")
    look_at(visitor)
    visitor.goto(f"{demo.lms}/login")
    visitor.get_by_label("E-mail address").fill("priya@northwind.example")
    visitor.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
    visitor.get_by_role("button", name="Sign in", exact=True).click()
    expect(visitor.locator(".choice .tenant-logo")).to_be_visible()
    look_at(visitor)
    visitor.context.close()
