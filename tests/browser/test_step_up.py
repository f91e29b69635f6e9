"""A large payout wants a stronger sign-in than the one that opened the product (RFC 9470)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.second_steps import set_up_app, set_up_mail
from tests.browser.test_demo import open_signed_out, sign_in
from tests.machine.demo_process import Demo
from tests.machine.furnished_demo import start_furnished_demo

DANA = "dana@northwind.example"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = start_furnished_demo(tmp_path_factory.mktemp("demo"))
    yield running
    assert running.stop() == 0, running.words()


def send_payout(page: Page, demo: Demo, amount: str) -> None:
    page.goto(f"{demo.payments}/payouts/new")
    page.get_by_label("To", exact=True).select_option(index=1)
    page.get_by_label("Amount").fill(amount)
    page.get_by_label("Purpose").fill("Roof, second draw")
    page.get_by_role("button", name="Send payout").click()


def test_a_code_by_mail_opens_payments_and_an_app_sends_a_large_payout(
    demo: Demo, page: Page
) -> None:
    open_signed_out(page, demo.payments)
    sign_in(page, DANA)
    set_up_mail(page, demo, DANA)
    expect(page).to_have_url(re.compile(re.escape(demo.payments)))

    send_payout(page, demo, "120")
    expect(page.get_by_text("On its way")).to_be_visible()

    send_payout(page, demo, "25000")
    page.get_by_role("button", name="Confirm it is you").click()
    expect(page.get_by_role("heading", name="Set up a second step")).to_be_visible()
    expect(page.get_by_role("link", name="E-mail")).to_have_count(0)
    set_up_app(page)
    page.get_by_role("button", name=re.compile("Send")).click()
    expect(page.get_by_text("On its way")).to_be_visible()
