"""The screens: the profile menu, what a role does not show, forms, and one tenant's data alone."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
import requests

from relying_parties.base.configuration import configuration_from_environment
from relying_parties.sample_data.loans import BOOKS
from tests.machine.processes import free_port

ORDER = {"payee": "hollis", "amount": "1,250.00", "purpose": "Bottles, second delivery"}


def test_the_menu_lists_products_tenants_account_and_sign_out(provider, loans, payouts, visitor):
    page = visitor.get(loans.url("/")).text
    menu = page[page.index("<details") : page.index("</details>")]
    for words in ("Nora Quist", "Northwind Lending", "Secure Payments", "Harbor Credit Union"):
        assert words in menu
    assert f'href="{payouts.base_url}/login?iss=' in menu
    assert 'href="/login?tenant=harbor"' in menu
    assert f'href="{provider.issuer}/account"' in menu
    assert "Sign out" in menu


def test_enable_mfa_is_in_the_menu_of_whom_the_provider_offers_it(provider, loans, visitor):
    assert "Enable MFA" not in visitor.get(loans.url("/")).text
    provider.enable_mfa_url = f"{provider.issuer}/account/enable"
    loans.clock.ahead = 31
    assert f'href="{provider.issuer}/account/enable"' in visitor.get(loans.url("/")).text
    provider.enable_mfa_url = "javascript:alert(1)"
    loans.clock.ahead = 62
    assert "javascript:" not in visitor.get(loans.url("/")).text


def test_the_menu_is_asked_for_twice_a_minute_at_most(provider, loans, visitor):
    for _ in range(3):
        visitor.get(loans.url("/"))
    assert provider.calls.count("/switcher") == 1
    loans.clock.ahead = 31
    visitor.get(loans.url("/"))
    assert provider.calls.count("/switcher") == 2


@pytest.mark.parametrize("trouble", ["missing", "refused", "nonsense", "script"])
def test_without_the_switcher_the_menu_still_signs_out(provider, loans, visitor, trouble):
    if trouble == "missing":
        provider.has_switcher = False
    elif trouble == "refused":
        provider.switcher_status = 500
    elif trouble == "nonsense":
        provider.switcher = lambda tenant, client_id: {"person": "?"}
    else:
        provider.product_urls["payments"] = "javascript:alert(1)//"
    page = visitor.get(loans.url("/")).text
    assert "Sign out" in page
    assert "Nora Quist" in page
    assert f'href="{provider.issuer}/account"' in page
    assert "javascript:" not in page


def test_choosing_a_tenant_shows_its_data(loans, visitor):
    visitor.get(loans.url("/loans"))
    page = visitor.get(loans.url("/login?tenant=harbor&target_link_uri=/loans"))
    assert "Amara Okafor" in page.text
    assert "Alder" not in page.text


def test_another_tenants_loan_is_not_there(loans, visitor):
    visitor.get(loans.url("/"))
    assert visitor.get(loans.url("/loans/NW-20418")).status_code == 200
    assert visitor.get(loans.url("/loans/HC-7714")).status_code == 404


def test_a_section_without_permission_is_neither_shown_nor_served(provider, loans, visitor):
    provider.claims = {"permissions": ["loans.read"]}
    page = visitor.get(loans.url("/"))
    assert "/reports" not in page.text
    assert visitor.get(loans.url("/reports")).status_code == 403


def test_a_role_with_reports_alone_lands_on_them(provider, loans, visitor):
    provider.claims = {"permissions": ["reports.read"]}
    assert visitor.get(loans.url("/")).url == loans.url("/reports")


def test_a_role_with_nothing_gets_a_calm_page(provider, loans, payouts, services, visitor):
    provider.claims = {"permissions": []}
    for product in (loans, payouts, services):
        page = visitor.get(product.url("/"))
        assert page.status_code == 403
        assert "Sign out" in page.text


def test_every_schedule_ends_at_nothing():
    for book in BOOKS.values():
        for loan in book.loans:
            assert loan.schedule[-1].balance == 0
            assert len(loan.schedule) == loan.months
            assert 0 < loan.schedule[-1].payment < loan.payment * 2


def test_a_small_payout_is_sent_and_confirmed(payouts, visitor):
    form = visitor.get(payouts.url("/payouts/new"))
    data = ORDER | {"form_token": visitor.form_token(form)}
    page = visitor.post(payouts.url("/payouts"), data=data)
    assert "On its way" in page.text
    assert "$1,250.00" in page.text
    assert "Bottles, second delivery" in visitor.get(payouts.url("/")).text


def test_a_payout_from_another_site_is_refused(payouts, visitor):
    visitor.get(payouts.url("/payouts/new"))
    assert visitor.post(payouts.url("/payouts"), data=ORDER).status_code == 400
    wrong = ORDER | {"form_token": "x"}
    assert visitor.post(payouts.url("/payouts"), data=wrong).status_code == 400
    assert "second delivery" not in visitor.get(payouts.url("/")).text


def test_who_may_not_send_sees_no_button_and_is_refused(provider, payouts, visitor):
    provider.claims = {"permissions": ["payouts.read"]}
    page = visitor.get(payouts.url("/"))
    assert "Send a payout" not in page.text
    token = visitor.form_token(page)
    assert visitor.get(payouts.url("/payouts/new")).status_code == 403
    data = ORDER | {"form_token": token}
    assert visitor.post(payouts.url("/payouts"), data=data).status_code == 403


@pytest.mark.parametrize("amount", ["", "0", "-5", "1e3", "1.234", "abc", "99999999", "１２"])
def test_a_wrong_amount_is_explained_beside_its_field(payouts, visitor, amount):
    form = visitor.get(payouts.url("/payouts/new"))
    data = ORDER | {"amount": amount, "form_token": visitor.form_token(form)}
    page = visitor.post(payouts.url("/payouts"), data=data)
    assert page.status_code == 422
    assert 'id="amount-problem"' in page.text
    assert 'aria-describedby="amount-hint amount-problem"' in page.text
    assert "Bottles, second delivery" in page.text


@pytest.mark.parametrize("weak", [{"auth_time": int(time.time()) - 3600}, {"acr": "aal1"}])
def test_a_large_payout_needs_a_recent_second_factor(provider, payouts, visitor, weak):
    provider.claims = weak
    form = visitor.get(payouts.url("/payouts/new"))
    large = ORDER | {"amount": "25000", "form_token": visitor.form_token(form)}
    review = visitor.post(payouts.url("/payouts"), data=large)
    assert "Confirm it is you" in review.text
    provider.claims = {}
    token = {"form_token": visitor.form_token(review)}
    review = visitor.post(review.url, data=token)
    assert provider.asked[-1]["max_age"] == "300"
    assert provider.asked[-1]["acr_values"] == "aal2 phr"
    assert "Send $25,000.00" in review.text
    token = {"form_token": visitor.form_token(review)}
    assert "On its way" in visitor.post(review.url, data=token).text
    assert visitor.post(review.url, data=token).status_code == 404


def test_a_draft_is_seen_by_its_author_in_its_tenant_alone(payouts, visitor):
    form = visitor.get(payouts.url("/payouts/new"))
    large = ORDER | {"amount": "25000", "form_token": visitor.form_token(form)}
    review = visitor.post(payouts.url("/payouts"), data=large)
    visitor.get(payouts.url("/login?tenant=harbor"))
    assert visitor.get(review.url).status_code == 404


def test_a_service_is_paused_by_those_who_may(provider, services, visitor):
    page = visitor.get(services.url("/services/quayside"))
    data = {"form_token": visitor.form_token(page), "change": "pause"}
    assert "Resume" in visitor.post(services.url("/services/quayside"), data=data).text
    assert visitor.post(page.url, data=data | {"change": "explode"}).status_code == 400
    assert visitor.post(page.url, data={"change": "pause"}).status_code == 400
    provider.claims = {"permissions": ["connections.read"]}
    page = visitor.get(services.url("/login?target_link_uri=/services/quayside"))
    assert "Resume" not in page.text
    data = {"form_token": visitor.form_token(page), "change": "resume"}
    assert visitor.post(page.url, data=data).status_code == 403


def test_pages_hold_no_inline_style_or_script(loans, payouts, services, visitor):
    for url in (loans.url("/loans/NW-20418"), payouts.url("/payouts/new"), services.url("/")):
        page = visitor.get(url).text
        assert not re.search(r"\sstyle=|<style|<script(?! src=)|\son\w+=", page)


def test_an_icon_and_the_styles_are_served_and_may_be_kept(loans, visitor):
    assert visitor.get(loans.url("/icon.svg")).headers["Content-Type"].startswith("image/svg")
    kept = visitor.get(loans.url("/static/product.css")).headers["Cache-Control"]
    assert "no-store" not in kept


def test_a_product_reads_its_configuration_from_the_environment(tmp_path):
    secret = tmp_path / "lms.secret"
    secret.write_text("from a file\n")
    environ = {"OIDC_CLIENT_SECRET_FILE": str(secret), "BASE_URL": "https://lms.example/"}
    found = configuration_from_environment(environ, client_id="lms", base_url="http://x")
    assert found.client_secret == "from a file"
    assert found.base_url == "https://lms.example"
    assert found.is_secure
    assert "from a file" not in repr(found)


def test_all_three_are_served_by_one_process_and_stop_when_told(tmp_path):
    ports = {key: free_port() for key in ("lms", "payments", "connections")}
    for key in ports:
        (tmp_path / f"{key}.secret").write_text("secret")
    command = [sys.executable, "-m", "relying_parties", "--secrets-dir", str(tmp_path)]
    command += [f"--{key}-port={port}" for key, port in ports.items()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    with process, process.stdout as output:
        for key, port in ports.items():
            assert output.readline().endswith(f"http://localhost:{port}\n"), key
        for port in ports.values():
            answer = requests.get(f"http://localhost:{port}/healthz", timeout=10)
            assert answer.json() == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
