"""Second factors in a real browser: the policy, what a change would do, why somebody needs one, and
their reset; nobody barred on the way."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

from playwright.sync_api import Page, expect

from tests.console.browsing import demo, enter
from tests.machine.axe import look_at
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


def test_resets_that_wait_for_another_admin_hold_in_both_themes_and_widths(
    demo: Demo, page: Page
) -> None:
    enter(page, demo, "/manage/northwind/factor-resets")
    expect(page.get_by_text("Nothing waits")).to_be_visible()
    look_at(page)
    for email, asker in (("ben", "dana"), ("dana", "amara")):
        ask(demo, f"{email}@northwind.example", f"{asker}@northwind.example")
    page.goto(f"{demo.issuer}/manage/northwind")
    expect(page.get_by_role("link", name="2 wait")).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="2 wait").click()
    expect(page.get_by_role("button", name="Take back the reset of Dana Whitfield")).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="Approve the reset of Ben Castillo").click()
    expect(page.get_by_role("button", name="Approve and reset")).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="Don't change anything").click()
    page.get_by_role("button", name="Refuse the reset of Ben Castillo").click()
    expect(page.get_by_role("status")).to_contain_text("Nothing is reset.")
    expect(page.get_by_role("link", name="Ben Castillo")).to_have_count(0)


def ask(demo: Demo, email: str, asker: str) -> None:
    """Straight in the demo's database: nobody in it has a second factor to prove first."""
    found = next(demo.log.parent.rglob("latchkey.db"))
    with closing(sqlite3.connect(found, timeout=20)) as database, database:
        database.execute(
            "INSERT INTO factor_resets (id, tenant_id, membership_id, status, asked_by, asked_at)"
            " SELECT 'reset-' || u.id, m.tenant_id, m.id, 'waiting', a.id, ?"
            " FROM users u JOIN memberships m ON m.user_id = u.id JOIN users a ON a.email = ?"
            " WHERE u.email = ?",
            (time.time(), asker, email),
        )
