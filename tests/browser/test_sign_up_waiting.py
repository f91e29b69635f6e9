"""What an admin sees of who is not admitted, and of who can't be let in; nobody barred."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from idp.audit import NOWHERE
from idp.directory import join_requests, joining
from idp.provider import Provider
from tests.browser.test_sign_up import sign_in
from tests.console.people_of import company
from tests.machine.axe import look_at
from tests.machine.provider_process import RunningProvider, start_provider
from tests.signing_up import admit, move_address, verify_domain
from tests.world import ADDRESSES, AMARA, BEN, PASSWORD, Clock, World, apply_demo

MANAGE = "/manage/northwind"
WAITING = {
    BEN: "Benjamin Nilsen",
    "wanda@later.example": "Wanda Waits",
    "gwen@gone.example": "Gwen Gone",
    "quentin@quiet.example": "Quentin Quiet",
}


def furnish(held: Provider) -> None:
    """Ben has moved away from his address, and somebody comes by it; Wanda waited, and moved; Gwen
    and Quentin come from domains that are in doubt."""
    apply_demo(held, {**ADDRESSES, "issuer": held.settings.issuer})
    world = World(held, Clock(time.time()), held.settings.keys_dir)
    admit(world)
    for name, outcome, since in (("gone", "missing", 1.0), ("quiet", "unanswered", None)):
        verify_domain(world, f"{name}.example")
        doubt = "UPDATE domains SET outcome = :o, failing_since = :s WHERE name = :n"
        world.run(doubt, o=outcome, s=since, n=f"{name}.example")
    verify_domain(world, "later.example", at=world.clock() + 1)
    move_address(world, BEN, "ben@else.example")
    for email, name in WAITING.items():
        wait(world, email, name)
    move_address(world, "wanda@later.example", "wanda@else.example")


def wait(world: World, email: str, name: str) -> None:
    now, tenant = world.clock(), company(world, "northwind")
    with world.held.database.transaction() as db:
        made = joining.make_user(db, email, email, name, "en", now, verified_at=now)
        assert made
        join_requests.ask(db, tenant.id, made, email, now, NOWHERE)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    started = start_provider(tmp_path_factory.mktemp("sign-up-waiting"), furnish)
    yield started
    started.stop()


def test_s5_who_is_not_admitted_is_seen_by_who_decides(
    running: RunningProvider, page: Page
) -> None:
    page.goto(f"{running.issuer}{MANAGE}/sign-up")
    sign_in(page, PASSWORD, AMARA)
    expect(page.get_by_text("since the domain was verified after this was saved")).to_be_visible()
    expect(page.get_by_text("since the record in the DNS is gone")).to_be_visible()
    expect(page.get_by_text("nameservers did not answer when we last looked")).to_be_visible()
    look_at(page)
    page.goto(f"{running.issuer}{MANAGE}/join-requests")
    expect(page.get_by_text("Another account here had this address before.")).to_be_visible()
    expect(page.get_by_text("Nobody can let them in.")).to_be_visible()
    look_at(page)
    page.get_by_role("link", name="Benjamin Nilsen", exact=True).click()
    expect(page.get_by_text("before: Ben Castillo (Active)")).to_be_visible()
    look_at(page)
    page.goto(f"{running.issuer}{MANAGE}/join-requests")
    page.get_by_role("link", name="Wanda Waits", exact=True).click()
    expect(page.get_by_text("They have another address by now.")).to_be_visible()
    expect(page.get_by_role("button", name="Let them in")).to_have_count(0)
    expect(page.get_by_text("had this address before")).to_have_count(0)
    look_at(page)
    page.goto(f"{running.issuer}{MANAGE}/sign-up")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The policy is saved.")).to_be_visible()
    expect(page.get_by_text("Save again")).to_have_count(0)


def test_s5_who_decides_is_told_that_a_domain_is_in_doubt(
    running: RunningProvider, page: Page
) -> None:
    page.goto(f"{running.issuer}{MANAGE}/join-requests")
    sign_in(page, PASSWORD, AMARA)
    in_doubt = page.get_by_text("The domain of this address may be somebody else's by now.")
    expect(in_doubt).to_have_count(2)
    look_at(page)
    for name, reason in (
        ("Gwen Gone", "is gone from the DNS"),
        ("Quentin Quiet", "did not answer"),
    ):
        page.goto(f"{running.issuer}{MANAGE}/join-requests")
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_text(reason)).to_be_visible()
        expect(page.get_by_text("has proven to read the mail there")).to_have_count(0)
        expect(page.get_by_role("button", name="Let them in")).to_be_visible()
        look_at(page)
    page.get_by_role("main").get_by_role("link", name="Verified domains").click()
    look_at(page)
    for name in ("gone.example", "quiet.example"):
        page.goto(f"{running.issuer}{MANAGE}/domains")
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_text("nobody comes in by themselves")).to_be_visible()
        look_at(page)
