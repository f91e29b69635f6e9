"""S80: what one company's own provider says opens that company and nothing that is somebody else's:
no other company, not the platform, and no way in that would open them later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.console.company_providers_of import verified_domain
from tests.console.people_of import member_id
from tests.credentials.proving import code_of, enrol_app
from tests.federation.companies import by_company, key_of, known_by_all, northwinds
from tests.federation.known import known_to
from tests.federation.signing_in import come_back, leave, sign_in
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider
from tests.security.second_factors import require_of_staff
from tests.world import BEN, ISSUER, PASSWORD, PRIYA, Visitor, World, sent_back

__all__ = ["northwinds"]


@pytest.fixture
def visitor(either_world: World, northwinds: UpstreamProvider) -> Visitor:
    """Signed in at northwind by its provider, as Priya, who is in harbor too."""
    northwinds.account = replace(northwinds.account, sub="priya", email=PRIYA)
    browser = either_world.browser()
    assert "code" in sent_back(by_company(browser, email=PRIYA, tenant="northwind"))
    return browser


def is_asked_for_a_password(page: Any) -> bool:
    return bool(page.request.path == "/login/password" and 'type="password"' in page.text)


def operates(world: World, email: str) -> None:
    world.run("UPDATE users SET is_operator = true, operator_term = 't' WHERE email = :e", e=email)


def test_sec_80_it_sets_up_no_second_factor_of_who_is_in_another_company(
    either_world: World, visitor: Visitor
):
    require_of_staff(either_world)
    page = visitor.follow(visitor.authorize("lms", tenant="northwind"))
    assert is_asked_for_a_password(page)
    page = visitor.follow(visitor.submit(page, email=PRIYA, password=PASSWORD))
    assert page.request.path == "/login/enrol"


def test_sec_80_nor_by_what_the_other_company_demands(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    require_of_staff(either_world, "harbor")
    fresh = either_world.browser()
    page = fresh.follow(fresh.get("/"))
    left = fresh.submit(page, "/login/upstream", provider="", email=PRIYA, product="lms")
    answer = come_back(fresh, left)
    assert answer.headers["Location"].startswith("http://localhost:8001/login"), answer.text


def test_sec_80_but_of_who_is_in_no_other(either_world: World, northwinds: UpstreamProvider):
    require_of_staff(either_world)
    browser = either_world.browser()
    assert by_company(browser).request.path == "/login/enrol"


def test_s4_google_sets_up_a_first_second_factor_as_a_password_does_but_no_operators(
    either_world: World,
):
    with known_to(either_world) as upstream:
        upstream.account = Account("77", BEN)
        browser = either_world.browser()
        page = sign_in(browser)
        browser.follow(browser.submit(page, email=BEN, password=PASSWORD))
        require_of_staff(either_world)
        assert sign_in(either_world.browser()).request.path == "/login/enrol"
        operates(either_world, BEN)
        assert is_asked_for_a_password(sign_in(either_world.browser()))


@pytest.mark.parametrize("status", ["disabled", "active"])
def test_sec_80_it_shows_no_account_that_may_be_anothers_too(
    either_world: World, visitor: Visitor, status: str
):
    elsewhere = member_id(either_world, PRIYA, "harbor")
    either_world.run("UPDATE memberships SET status = :s WHERE id = :id", s=status, id=elsewhere)
    assert is_asked_for_a_password(visitor.follow(visitor.get("/account/security/app")))


def test_sec_80_a_suspended_company_is_one_too(either_world: World, visitor: Visitor):
    either_world.run("UPDATE tenants SET status = 'suspended' WHERE slug = 'harbor'")
    assert is_asked_for_a_password(visitor.follow(visitor.get("/account/security/app")))


def test_sec_80_it_opens_no_page_of_the_platforms(
    either_world: World, northwinds: UpstreamProvider
):
    operates(either_world, BEN)
    browser = either_world.browser()
    by_company(browser)
    for path in ("/operate", "/operate/keys", "/account/security/app"):
        assert is_asked_for_a_password(browser.follow(browser.get(path))), path


def test_sec_80_nor_does_google(either_world: World):
    operates(either_world, BEN)
    with known_to(either_world) as upstream:
        upstream.account = Account("77", BEN)
        browser = either_world.browser()
        page = sign_in(browser)
        browser.follow(browser.submit(page, email=BEN, password=PASSWORD))
        fresh = either_world.browser()
        sign_in(fresh)
        assert is_asked_for_a_password(fresh.follow(fresh.get("/operate")))


def test_sec_60_what_a_company_linked_is_none_of_the_platforms_with_the_same_issuer(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    with known_to(either_world) as google:
        google.account = replace(northwinds.account, email_verified=True)
        either_world.run("UPDATE linked_accounts SET issuer = :i", i=google.issuer)
        browser = either_world.browser()
        assert "Prove once that this account is yours" in sign_in(browser).text


def test_sec_60_nor_of_another_companys(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    """Which may name any issuer."""
    columns = "name, issuer, client_id, sealed_secret, email_claim, name_claim, is_only_way"
    columns += ", left_out, admits_role_id, trusted_acr, trusted_amr, status, created_at"
    either_world.run(
        f"INSERT INTO company_providers (id, tenant_id, {columns})"
        f" SELECT 'harbors', (SELECT id FROM tenants WHERE slug = 'harbor'), {columns}"
        " FROM company_providers"
    )
    domain_id = verified_domain(either_world, "harbor.example", "harbor")
    either_world.run(
        "INSERT INTO routed_domains (domain_id, provider_id, tenant_id)"
        " SELECT :d, 'harbors', id FROM tenants WHERE slug = 'harbor'",
        d=domain_id,
    )
    known_by_all(either_world)
    northwinds.redirect_uris.append(f"{ISSUER}/login/upstream/harbors/return")
    browser = either_world.browser()
    page = browser.follow(browser.authorize("lms", tenant="harbor"))
    assert "could not be used" in come_back(browser, leave(browser, page, "harbors")).text


def test_sec_80_its_second_factor_does_not_count_with_another_providers_word(
    either_world: World, northwinds: UpstreamProvider, visitor: Visitor
):
    """Google's takes its place, and what northwind's had said of a second one goes with it."""
    either_world.run("UPDATE company_providers SET trusted_amr = 'hwk'")
    known_by_all(either_world)
    northwinds.account = replace(northwinds.account, amr=("hwk",))
    with known_to(either_world) as google:
        google.account = Account("77", PRIYA)
        first = either_world.browser()
        page = sign_in(first)
        first.follow(first.submit(page, email=PRIYA, password=PASSWORD))
        require_of_staff(either_world, "harbor")
        browser = either_world.browser()
        page = browser.follow(browser.authorize("lms", tenant="harbor"))
        left = browser.submit(page, "/login/upstream", provider="", email=PRIYA)
        page = come_back(browser, left)
        assert is_asked_for_a_password(page)
        page = come_back(browser, leave(browser, page))
        assert "code" not in page.headers.get("Location", "")


def test_sec_54_nor_for_changing_how_one_signs_in(
    either_world: World, northwinds: UpstreamProvider
):
    """Who has an authenticator app shows it, whatever their company's provider says."""
    secret = enrol_app(either_world, BEN)
    either_world.run("UPDATE company_providers SET trusted_amr = 'hwk'")
    known_by_all(either_world)
    northwinds.account = replace(northwinds.account, amr=("hwk",))
    browser = either_world.browser()
    operates(either_world, BEN)
    by_company(browser)
    page = browser.follow(browser.get("/account/security/app"))
    page = browser.follow(browser.submit(page, email=BEN, password=PASSWORD))
    assert page.request.path == "/login/second_factor"
    either_world.clock.move(31)
    page = browser.follow(browser.submit(page, code=code_of(secret, either_world.clock.now)))
    assert page.request.path == "/account/security/app"


def test_sec_60_two_tabs_link_nothing_by_the_companys_word(
    either_world: World, northwinds: UpstreamProvider
):
    """One tab is away at the company's, another comes back from Google with somebody's account."""
    require_of_staff(either_world)
    with known_to(either_world) as google:
        google.account = Account("thief", BEN)
        browser = either_world.browser()
        page = browser.follow(browser.authorize("lms"))
        away = browser.submit(page, "/login/upstream", provider="", email=BEN)
        assert "Prove once" in come_back(browser, leave(browser, page)).text
        page = come_back(browser, away)
        assert page.request.path == "/login/enrol"
        linked = either_world.run("SELECT subject FROM linked_accounts WHERE company_id = ''")
        assert linked == []


def test_in_another_company_the_page_does_not_offer_what_would_not_help(
    either_world: World, visitor: Visitor
):
    page = visitor.follow(visitor.authorize("lms", tenant="harbor"))
    assert key_of(either_world) not in page.text
    assert is_asked_for_a_password(page)
