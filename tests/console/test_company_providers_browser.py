"""A company's own identity provider, set up in a real browser; nobody barred on the way."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from playwright.sync_api import Page, expect

from tests.browser.second_steps import set_up_app
from tests.console.browsing import demo, enter
from tests.machine.axe import look_at
from tests.machine.demo_process import Demo

__all__ = ["demo"]


def test_an_account_admin_sets_up_the_companys_own_sign_in(demo: Demo, page: Page) -> None:
    enter(page, demo, "/manage/northwind/identity-providers")
    expect(page.get_by_text("No provider yet")).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="Add a provider").click()
    set_up_app(page)
    expect(page.get_by_role("heading", name="Add a provider")).to_be_visible()
    look_at(page)

    page.get_by_label("Name", exact=True).fill("Northwind Entra")
    page.get_by_label("Issuer").fill("http://login.northwind.example")
    page.get_by_text("It is the only way in").click()
    page.get_by_role("button", name="Add the provider").click()
    expect(page.get_by_text("Enter the issuer as it is").first).to_be_visible()
    expect(page.get_by_text("Choose at least one account admin").first).to_be_visible()
    look_at(page)

    page.get_by_label("Issuer").fill("https://accounts.google.com")
    page.get_by_role("button", name="Add the provider").click()
    expect(page.get_by_text("Enter the domain of your Google Workspace.").first).to_be_visible()
    look_at(page)

    page.get_by_label("Issuer").fill("https://login.northwind.example/5f1c/v2.0")
    page.get_by_label("Client ID").fill("9b2e6c1a-0f63-4f0e-8c0e-latchkey")
    page.get_by_label("Client secret").fill("a-secret-of-their-own")
    page.get_by_role("checkbox", name="Amara Okafor").check()
    page.get_by_label("Trusted methods").fill("mfa")
    page.get_by_role("button", name="Add the provider").click()
    expect(page.get_by_text("Northwind Entra is added.")).to_be_visible()
    expect(page.get_by_text(f"{demo.issuer}/login/upstream/")).to_be_visible()
    look_at(page)

    verify_domains(demo)
    page.get_by_role("link", name="Choose domains").click()
    page.get_by_label("Who signs in northwind.example", exact=True).select_option("Northwind Entra")
    page.get_by_role("button", name="Save who signs in northwind.example").click()
    expect(page.get_by_text("counts from the next sign-in on")).to_be_visible()
    look_at(page)

    page.get_by_role("link", name="Northwind Entra").click()
    page.get_by_role("link", name="Change").click()
    expect(page.get_by_label("Client secret")).to_be_empty()
    look_at(page)
    page.get_by_role("link", name="Cancel").click()
    look_at_google(demo, page)
    page.get_by_role("link", name="Disable").click()
    look_at(page)
    page.get_by_role("button", name="Disable Northwind Entra").click()
    expect(page.get_by_text("It is disabled, and signs nobody in.").first).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="Remove").click()
    look_at(page)
    page.get_by_role("button", name="Remove Northwind Entra").click()
    expect(page.get_by_text("Northwind Entra is removed.")).to_be_visible()
    expect(page.get_by_text("No provider yet")).to_be_visible()


def look_at_google(demo: Demo, page: Page) -> None:
    """As a row of before it had to say which accounts are the company's."""
    with written(demo) as database:
        database.execute("UPDATE company_providers SET issuer = 'https://accounts.google.com'")
    page.reload()
    expect(page.get_by_text("Nobody comes in by it")).to_be_visible()
    look_at(page)


def verify_domains(demo: Demo) -> None:
    """No nameserver has the records."""
    with written(demo) as database:
        for name in ("northwind.example", "loans.northwind.example"):
            database.execute(
                "INSERT INTO domains"
                " (id, tenant_id, name, challenge, created_at, verified_at, checked_at, outcome)"
                " SELECT ?, id, ?, 'c', ?, ?, ?, 'found' FROM tenants WHERE slug = 'northwind'",
                (name, name, *[time.time()] * 3),
            )


@contextmanager
def written(demo: Demo) -> Iterator[sqlite3.Connection]:
    """Straight in the demo's database."""
    found = next(demo.log.parent.rglob("latchkey.db"))
    with closing(sqlite3.connect(found, timeout=20)) as database, database:
        yield database
