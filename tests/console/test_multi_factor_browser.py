"""Second factors in a real browser: the policy, what a change would do, why somebody needs one, and
their reset; nobody barred on the way."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.console.browsing import demo, enter, look_at
from tests.machine.demo_process import Demo

__all__ = ["demo"]


def test_the_policy_is_previewed_saved_and_explained(demo: Demo, page: Page) -> None:
    enter(page, demo, "/manage/northwind/settings")
    look_at(page)
    page.goto(f"{demo.issuer}/manage/northwind/multi-factor")
    look_at(page)
    page.get_by_label("Ben Castillo").first.check()
    page.locator('button[name="do"][value="save"]').first.click()
    expect(page.get_by_text("1 person is selected.")).to_be_visible()
    look_at(page)
    page.locator('form[action$="/save"] button').first.click()
    expect(page.get_by_role("status")).to_contain_text("It is saved")
    look_at(page)
    page.goto(f"{demo.issuer}/manage/northwind/people?search=ben")
    page.get_by_role("link", name="Ben Castillo").click()
    expect(page.get_by_text("has selected this person for it").first).to_be_visible()
    look_at(page)
    page.goto(page.url + "/reset-factors")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    look_at(page)
