"""An operator's day in a real browser, with a clock that can be moved: every page in both themes
and widths."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import requests
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from tests.machine.axe import look_at
from tests.machine.processes import free_port
from tests.security.registering import initial_token
from tests.world import BEN, OLU, PASSWORD, World, make_world, sqlite_settings

MACHINE = "lms-batch"
HOUR = 3600.0
OTHER_PAGES = (
    *("products", "products/new", "products/lms", "products/console", "products/lms/edit"),
    *("products/lms/nodes/new", "products/lms/nodes/loans.read"),
    *("products/lms/nodes/company-view/remove", "clients", "clients/new", "clients/lms"),
    *("clients/lms/edit", "registration-tokens", "operators", "health"),
)


@pytest.fixture
def served(furnished_folder: Path, tmp_path: Path) -> Iterator[World]:
    """A world behind a real socket, at its own issuer."""
    port, folder = free_port(), tmp_path / "world"
    shutil.copytree(furnished_folder, folder)
    world = make_world(sqlite_settings(folder, issuer=f"http://localhost:{port}"), folder)
    server = make_server("127.0.0.1", port, world.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield world
    server.shutdown()
    thread.join()
    server.server_close()
    world.held.database.close()


def enter(page: Page, world: World, path: str) -> None:
    page.goto(world.settings.issuer + path)
    if page.get_by_label("Password", exact=True).count():
        page.get_by_label("E-mail address").fill(OLU)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.locator("main.console-main")).to_be_visible()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def token(world: World, secret: str) -> int:
    answer = requests.post(
        f"{world.settings.issuer}/token",
        data={"grant_type": "client_credentials"},
        headers=world.basic(MACHINE, secret),
        timeout=10,
    )
    return answer.status_code


def test_a_tenant_is_made_suspended_and_resumed(served: World, page: Page) -> None:
    enter(page, served, "/operate")
    look_at(page)
    page.get_by_role("link", name="Tenants").first.click()
    look_at(page)
    page.get_by_role("link", name="New tenant").click()
    press(page, "Make the tenant")
    expect(page.get_by_role("alert")).to_be_visible()
    look_at(page)
    page.get_by_label("Name", exact=True).fill("Acme Loans")
    page.get_by_label("Short name").fill("acme")
    page.get_by_label("E-mail address").fill("zoe@acme.example")
    press(page, "Make the tenant")
    expect(page.get_by_role("status")).to_contain_text("zoe@acme.example is invited.")
    expect(page.get_by_role("heading", name="It has no account admin")).to_be_visible()
    look_at(page)
    held = served.browser().tokens(BEN)["access_token"]
    enter(page, served, "/operate/tenants/northwind")
    page.get_by_role("link", name="Suspend").click()
    expect(page.get_by_text("1 of them is signed into a product now")).to_be_visible()
    look_at(page)
    press(page, "Suspend it")
    expect(page.get_by_role("status")).to_contain_text("Northwind Lending is suspended.")
    assert served.introspect(held) == {"active": False}
    look_at(page)
    press(page, "Resume")
    expect(page.get_by_role("status")).to_contain_text("Northwind Lending is active again.")


def test_an_operator_visits_and_leaves(served: World, page: Page) -> None:
    enter(page, served, "/operate/tenants/northwind")
    page.get_by_role("link", name="Act for it").click()
    look_at(page)
    page.get_by_label("Why").fill("Ticket 4711: their only admin is on leave")
    press(page, "Begin")
    expect(page.get_by_text("You are acting for Northwind Lending.")).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="Visits of operators").first.click()
    expect(page.get_by_text("Ticket 4711")).to_be_visible()
    look_at(page)
    press(page, "End the visit")
    expect(page.get_by_role("status")).to_contain_text("Your visit is over.")
    answer = page.goto(f"{served.settings.issuer}/manage/northwind")
    assert answer is not None
    assert answer.status == 404


def test_keys_are_rotated_and_both_secrets_work_until_the_time(served: World, page: Page) -> None:
    old = served.secret(MACHINE)
    enter(page, served, "/operate/keys")
    press(page, "Rotate now")
    expect(page.get_by_role("status")).to_contain_text("5 keys have been made.")
    look_at(page)
    page.get_by_role("link", name="Revoke").first.click()
    look_at(page)
    enter(page, served, f"/operate/clients/{MACHINE}")
    look_at(page)
    page.get_by_label("Make a new secret, and let the old one be valid").select_option("1")
    press(page, "Make a new secret")
    new = page.locator(".secret-text").inner_text()
    look_at(page)
    page.goto(f"{served.settings.issuer}/operate/clients/{MACHINE}")
    assert new not in page.content()
    served.clock.move(HOUR - 1)
    assert (token(served, old), token(served, new)) == (200, 200)
    served.clock.move(1)
    assert (token(served, old), token(served, new)) == (401, 200)


def test_a_tenant_ends_and_leaves_its_evidence(served: World, page: Page, tmp_path: Path) -> None:
    enter(page, served, "/operate/tenants/harbor/end")
    look_at(page)
    press(page, "End it for good")
    expect(page.get_by_role("alert")).to_contain_text("Type the name of the tenant")
    look_at(page)
    page.get_by_label("Type Harbor Credit Union to confirm").fill("Harbor Credit Union")
    press(page, "End it for good")
    expect(page.get_by_role("status")).to_contain_text("Harbor Credit Union has ended.")
    look_at(page)
    with page.expect_download() as downloading:
        press(page, "Download the evidence")
    downloading.value.save_as(tmp_path / "evidence.zip")
    with zipfile.ZipFile(tmp_path / "evidence.zip") as pack:
        assert json.loads(pack.read("manifest.json"))["tenant"] == "harbor"


def test_every_other_page_bars_nobody(served: World, page: Page) -> None:
    initial_token(served)
    for path in OTHER_PAGES:
        enter(page, served, f"/operate/{path}")
        look_at(page)


def test_a_browser_without_scripts_does_it_too(served: World, chromium: object) -> None:
    context = chromium.new_context(java_script_enabled=False)  # type: ignore[attr-defined]
    page = context.new_page()
    enter(page, served, "/operate/tenants/new")
    page.get_by_label("Name", exact=True).fill("Acme Loans")
    page.get_by_label("Short name").fill("acme")
    page.get_by_label("E-mail address").fill("zoe@acme.example")
    press(page, "Make the tenant")
    expect(page.get_by_role("status")).to_contain_text("zoe@acme.example is invited.")
    context.close()
