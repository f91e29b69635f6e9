"""Signing in with Google as people meet it: from LMS, one proof, linked; the next time straight in
(product.md S4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from idp import setup
from idp.provider import Provider
from idp.setup import DEMO_PASSWORD
from tests.machine.axe import look_at
from tests.machine.demo_process import Demo
from tests.machine.furnished_demo import start_furnished_demo
from tests.machine.upstream import Account, UpstreamProvider, running_upstream

DANA = "dana@northwind.example"
BUTTON = "Sign in with Google"


@pytest.fixture
def upstream() -> Iterator[UpstreamProvider]:
    with running_upstream() as started:
        started.account = Account("1001", DANA)
        yield started


@pytest.fixture
def demo(tmp_path: Path, upstream: UpstreamProvider) -> Iterator[Demo]:
    def name_google(held: Provider) -> None:
        upstream.redirect_uris = [f"{held.settings.issuer}/login/upstream/google/return"]
        described = {
            "identity_providers": [
                {
                    "key": "google",
                    "name": "Google",
                    "issuer": upstream.issuer,
                    "client_id": upstream.client_id,
                    "client_secret": upstream.client_secret,
                }
            ],
            "products": [{"key": "lms", "name": "LMS", "identity_providers": ["google"]}],
        }
        setup.apply(
            *(held, setup.SetupFile.model_validate(described), held.clock()), base_dir=tmp_path
        )

    running = start_furnished_demo(tmp_path, name_google)
    yield running
    assert running.stop() == 0, running.words()


def begin(page: Page, product: str) -> None:
    page.goto(product)
    page.get_by_role("link", name="Sign in").first.click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def prove(page: Page) -> None:
    page.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_from_lms_one_proof_links_and_the_next_time_leads_straight_in(
    demo: Demo, upstream: UpstreamProvider, page: Page, chromium: Browser
) -> None:
    begin(page, demo.lms)
    look_at(page)
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_text("Prove once that this account is yours.")).to_be_visible()
    expect(page.get_by_label("E-mail address")).to_have_value(DANA)
    expect(page.get_by_role("button", name=BUTTON)).to_have_count(0)
    look_at(page)
    prove(page)
    page.wait_for_url(f"{demo.lms}/**")

    again = chromium.new_page()
    begin(again, demo.lms)
    again.get_by_role("button", name=BUTTON).click()
    again.wait_for_url(f"{demo.lms}/**")
    expect(again.get_by_text("Dana Whitfield").first).to_be_visible()
    again.goto(f"{demo.payments}/login")
    expect(again.get_by_role("heading", name="Set up a second step")).to_be_visible()
    again.goto(f"{demo.issuer}/account/security")
    again.get_by_role("link", name="Unlink Google").click()
    prove(again)
    expect(again.get_by_role("heading", name="Unlink it?")).to_be_visible()
    look_at(again)
    again.close()


def test_payments_own_sign_in_has_no_such_button_and_a_provider_that_is_down_says_so(
    demo: Demo, upstream: UpstreamProvider, page: Page
) -> None:
    begin(page, demo.payments)
    expect(page.get_by_role("button", name=BUTTON)).to_have_count(0)
    upstream.down()
    begin(page, demo.lms)
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("alert")).to_contain_text("can't reach that provider")
    page.get_by_label("E-mail address").fill(DANA)
    page.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{demo.lms}/**")
