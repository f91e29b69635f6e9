"""The pages of roles in a real browser: three states, keys, axe, and without a script."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from idp.setup import DEMO_PASSWORD
from tests.browser.second_steps import set_up_app
from tests.console.browsing import demo, enter
from tests.machine.axe import look_at
from tests.machine.demo_process import Demo

__all__ = ["demo"]

ROLES = "/manage/northwind/roles"
ON_TOP = """box => {
  const { left, top, width, height } = box.getBoundingClientRect();
  return document.elementFromPoint(left + width / 2, top + height / 2) === box;
}"""


def box(page: Page, node: str) -> Locator:
    return page.locator(f'input[value="{node}"]')


def make_role(page: Page, demo: Demo, name: str) -> None:
    enter(page, demo, f"{ROLES}/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Continue to access").click()
    expect(page.get_by_text("It opens nothing yet.")).to_be_visible()
    page.wait_for_load_state()


def test_a_branch_is_ticked_with_its_top_box_and_a_dash_tells_of_what_is_below(
    demo: Demo, page: Page
) -> None:
    make_role(page, demo, "Branch")
    box(page, "payments/payouts.read").check()
    for above in ("secure-payments", "navigation", "company-view"):
        expect(box(page, f"payments/{above}")).to_be_checked(indeterminate=True)
    box(page, "payments/navigation").click()
    expect(box(page, "payments/payouts.send")).to_be_checked()
    expect(box(page, "payments/company-view")).to_be_checked(indeterminate=True)
    expect(box(page, "lms/navigation")).not_to_be_checked()
    box(page, "payments/navigation").click(modifiers=["Shift"])
    expect(box(page, "payments/payouts.send")).to_be_checked()
    box(page, "payments/payouts.send").uncheck()
    page.get_by_role("button", name="Save access").click()
    expect(page.get_by_text("It counts from now on")).to_be_visible()
    ticked = page.locator('input[name="node"]:checked').evaluate_all("all => all.map(b => b.value)")
    assert ticked == ["payments/secure-payments", "payments/payouts.read"]
    page.get_by_role("button", name="Select all LMS").click()
    expect(page.locator("fieldset", has_text="LMS").first).to_contain_text("6 / 6")
    page.get_by_role("button", name="Clear LMS").click()
    expect(box(page, "lms/loans.read")).not_to_be_checked()


def test_the_tree_is_worked_by_keys_alone(demo: Demo, page: Page) -> None:
    make_role(page, demo, "Keys")
    box(page, "lms/company-view").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(box(page, "lms/loans.read")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+Space")
    expect(box(page, "lms/lms")).to_be_checked()
    expect(box(page, "lms/loans.read")).to_be_checked()
    expect(box(page, "lms/loans.write")).not_to_be_checked()


def test_without_a_script_each_box_stands_for_itself(demo: Demo, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    make_role(page, demo, "Plain")
    expect(page.get_by_role("button", name="Select all LMS")).to_have_count(0)
    box(page, "lms/navigation").check()
    expect(box(page, "lms/loans.read")).not_to_be_checked()
    page.get_by_role("button", name="Save access").click()
    expect(page.get_by_text("It counts from now on")).to_be_visible()
    expect(page.locator('input[name="node"]:checked')).to_have_count(1)
    context.close()


@pytest.mark.parametrize("name", ["list", "new", "general", "access", "built in", "deletion"])
def test_the_pages_hold_in_both_themes_and_widths(demo: Demo, page: Page, name: str) -> None:
    enter(page, demo, ROLES)
    if name == "new":
        page.get_by_role("link", name="New role").click()
        page.get_by_role("button", name="Continue to access").click()
        expect(page.get_by_text("Enter a name").first).to_be_visible()
    elif name == "built in":
        page.get_by_role("link", name="Account admin").click()
    elif name != "list":
        page.get_by_role("link", name="Payments officer").click()
        links = {"general": "1. General information", "deletion": "Delete"}
        if name in links:
            page.get_by_role("link", name=links[name]).click()
            expect(page).not_to_have_url(re.compile("access"))
    look_at(page)


def test_an_agent_opens_payments_by_a_new_role_without_signing_in_again(
    demo: Demo, page: Page, chromium: Browser
) -> None:
    """product.md T1 and S3, from the role's first page to the product's door."""
    agent = chromium.new_context().new_page()
    agent.goto(f"{demo.lms}/login")
    agent.get_by_label("E-mail address").fill("ben@northwind.example")
    agent.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
    agent.get_by_role("button", name="Sign in", exact=True).click()
    expect(agent).to_have_url(re.compile(re.escape(demo.lms)))
    agent.goto(f"{demo.payments}/login")
    expect(agent.get_by_role("button", name="Go back")).to_be_visible()

    make_role(page, demo, "Payout clerk")
    box(page, "payments/payouts.read").check()
    page.get_by_role("button", name="Save access").click()
    expect(page.get_by_text("It counts from now on")).to_be_visible()
    look_at(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{demo.issuer}/manage/northwind/people?q=ben")
    page.get_by_role("link", name="Ben").first.click()
    page.get_by_label("Payout clerk").check()
    page.get_by_role("button", name="Save roles").click()
    expect(page.get_by_text("The roles have been changed.")).to_be_visible()

    agent.goto(f"{demo.payments}/login")
    set_up_app(agent)
    expect(agent).to_have_url(re.compile(re.escape(demo.payments)))
    expect(agent.get_by_text("Ben").first).to_be_visible()
    agent.context.close()


def test_where_the_keys_are_can_be_seen(demo: Demo, page: Page) -> None:
    """Each box has an outline, and what stays at the bottom hides none of them."""
    make_role(page, demo, "Seen")
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": 390, "height": 500})
    boxes = page.locator('input[name="node"]:enabled')
    boxes.first.focus()
    for number in range(boxes.count()):
        focused = boxes.nth(number)
        expect(focused).to_be_focused()
        assert focused.evaluate("box => getComputedStyle(box).outlineStyle") == "solid"
        assert focused.evaluate(ON_TOP), number
        page.keyboard.press("ArrowDown")
