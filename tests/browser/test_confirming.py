"""A company that somebody founded, in a real browser: what its founder reads, and how an operator
confirms it; nobody barred on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from idp.directory import invitations
from idp.provider import Provider
from tests.browser import letters
from tests.console.administering import administering
from tests.machine.axe import look_at
from tests.machine.provider_process import RunningProvider, start_provider
from tests.signing_up import verify_domain
from tests.world import ADDRESSES, OLU, PASSWORD, Clock, World, apply_demo

FREDA, IVY = "freda@fresh.example", "ivy@else.example"
FORMER = "helpdesk@northwind.example"
SLUG = "northwind-lending-3f2a1b"
LINK = r"(https?://\S+/invitation\?token=\S+)"


def furnish(held: Provider) -> None:
    apply_demo(held, {**ADDRESSES, "issuer": held.settings.issuer})
    world = World(held, Clock(time.time()), held.settings.keys_dir)
    both = [{"tenant": each, "roles": ["account_admin"]} for each in (SLUG, "northwind")]
    person = {"email": FREDA, "name": "Freda Fresh", "password": PASSWORD}
    founded = {"slug": SLUG, "name": "Northwind Lending", "confirmed": False}
    world.apply(tenants=[founded], users=[person | {"memberships": both}])
    verify_domain(world)
    world.run("UPDATE tenants SET founded_email = :e WHERE slug = :s", e=FORMER, s=SLUG)
    world.clock.move(1)
    with administering(world, FREDA, SLUG) as admin:
        invitations.invite(admin, held.secret_keys, IVY, "staff", (), "en")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    folder = tmp_path_factory.mktemp("confirming")
    started = start_provider(folder, furnish, outbox_workers=1, demo_inbox=True)
    yield started
    started.stop()


def enter(page: Page, running: RunningProvider, path: str, email: str) -> None:
    page.goto(running.issuer + path)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_its_founder_reads_what_is_not_open_yet(running: RunningProvider, page: Page) -> None:
    enter(page, running, f"/manage/{SLUG}", FREDA)
    expect(page.get_by_text("This company is not confirmed yet")).to_be_visible()
    look_at(page)
    page.goto(running.issuer)
    page.get_by_label("Profile menu").first.click()
    expect(page.locator("#profile-menu").get_by_text(SLUG)).to_be_visible()
    look_at(page)


def test_who_is_invited_reads_by_whom(running: RunningProvider, page: Page) -> None:
    page.goto(letters.find(page, running.issuer, IVY, LINK))
    expect(page.get_by_text(f"{FREDA} invites you")).to_be_visible()
    look_at(page)


def test_an_operator_confirms_it(running: RunningProvider, page: Page) -> None:
    enter(page, running, "/operate/tenants?status=unconfirmed", OLU)
    expect(page.get_by_role("cell").get_by_text("Not confirmed")).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="Northwind Lending").click()
    expect(page.get_by_role("heading", name="Nobody has confirmed it")).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="Confirm…").click()
    expect(page.get_by_text(FREDA)).to_be_visible()
    expect(page.get_by_text(FORMER)).to_be_visible()
    warning = "This domain is verified by Northwind Lending (northwind)."
    expect(page.get_by_text(warning)).to_be_visible()
    look_at(page)
    page.get_by_role("button", name="Confirm it").click()
    expect(page.get_by_text("Northwind Lending is confirmed.")).to_be_visible()
    expect(page.get_by_text("Nobody has confirmed it")).to_have_count(0)
    look_at(page)
