"""A company's provider at which anybody can open an account: only its hosted domain makes its word
the company's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.directory.acting import Mistake
from tests.console.company_providers_of import SOUND, add, change, columns, digest_of, only_way
from tests.console.test_company_provider_pages import FILLED, PAGES
from tests.console.test_company_providers_people import role_id
from tests.console.test_factor_reset import with_second_factor
from tests.federation.companies import (
    by_company,
    changed,
    key_of,
    known_by_all,
    leave_by_address,
    northwinds,
)
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider
from tests.world import AMARA, World, sent_back

__all__ = ["northwinds"]

GOOGLE = "https://accounts.google.com"
UNFINISHED = "is not set up to its end"
EMAIL = "ben+private@northwind.example"
PRIVATE = Account("private", EMAIL, email_verified=True)


def becomes_google(world: World) -> None:
    """As a row of before the rule."""
    world.run("UPDATE company_providers SET issuer = :google", google=GOOGLE)
    known_by_all(world)


@pytest.mark.parametrize("domain", [None, "", "harbor.example", "Northwind.example"])
def test_an_account_without_the_companys_hosted_domain_admits_nobody_and_links_nobody(
    either_world: World, northwinds: UpstreamProvider, domain: str | None
) -> None:
    agent = role_id(either_world, "agent")
    left_out = only_way(either_world, AMARA)
    changed(
        *(either_world, northwinds),
        hosted_domain="northwind.example",
        admits_role_id=agent,
        **left_out,
    )
    northwinds.account = replace(PRIVATE, hd=domain)
    answer = by_company(either_world.browser(), email=EMAIL)
    assert "could not be used" in answer.text
    assert northwinds.authorizations[-1]["hd"] == "northwind.example"
    assert either_world.run("SELECT id FROM linked_accounts") == []
    assert either_world.run("SELECT id FROM users WHERE email = :e", e=EMAIL) == []
    northwinds.account = replace(PRIVATE, hd="northwind.example")
    assert "code" in sent_back(by_company(either_world.browser(), email=EMAIL))


def test_google_without_a_hosted_domain_sends_nobody_away_and_says_why(
    either_world: World, northwinds: UpstreamProvider
) -> None:
    becomes_google(either_world)
    visitor = either_world.browser()
    page = visitor.follow(visitor.authorize("lms"))
    answer = leave_by_address(visitor, page)
    assert answer.status_code == 503
    assert UNFINISHED in answer.text
    assert northwinds.authorizations == []


def test_what_google_opened_without_a_hosted_domain_counts_no_more(
    either_world: World, northwinds: UpstreamProvider
) -> None:
    visitor = either_world.browser()
    answer = by_company(visitor, scope="openid offline_access")
    tokens = either_world.redeem(sent_back(answer)["code"]).json or {}
    assert "code" in sent_back(visitor.follow(visitor.authorize("lms")))
    becomes_google(either_world)
    assert "Password" in visitor.follow(visitor.authorize("lms")).text
    refused = either_world.refresh(tokens["refresh_token"])
    assert (refused.json or {})["error"] == "invalid_grant"


def test_no_form_saves_google_without_a_hosted_domain(either_world: World) -> None:
    for issuer in (GOOGLE, "https://ACCOUNTS.google.com", f"{GOOGLE}/"):
        for domain in ("", " "):
            with pytest.raises(Mistake) as refused:
                add(either_world, issuer=issuer, hosted_domain=domain)
            assert list(refused.value.errors) == ["hosted_domain"]
    provider_id = add(either_world)
    with pytest.raises(Mistake):
        change(either_world, provider_id, issuer=GOOGLE, secret="another")
    google = {"issuer": GOOGLE, "secret": "another", "hosted_domain": " Northwind.example "}
    change(either_world, provider_id, **google)
    assert columns(either_world, provider_id)["hosted_domain"] == "northwind.example"
    with pytest.raises(Mistake):
        change(either_world, provider_id, issuer=GOOGLE)


@pytest.mark.parametrize("domain", ["a b", "ä.example", "x" * 254, "a/b", "a\nb"])
def test_a_hosted_domain_is_one_of_the_dns(world: World, domain: str) -> None:
    with pytest.raises(Mistake) as refused:
        add(world, hosted_domain=domain)
    assert list(refused.value.errors) == ["hosted_domain"]


def test_a_changed_hosted_domain_is_a_change_that_somebody_saw_or_did_not(world: World) -> None:
    provider_id = add(world)
    before = digest_of(world, provider_id)
    change(world, provider_id, hosted_domain="northwind.example")
    assert digest_of(world, provider_id) != before
    [event] = world.audit("identity_provider.changed")
    assert (event["before"], event["after"]) == (
        {"hosted_domain": ""},
        {"hosted_domain": "northwind.example"},
    )


def test_the_pages_ask_for_it_show_it_and_say_where_it_lacks(either_world: World) -> None:
    browser = with_second_factor(either_world, AMARA)
    page = browser.get(f"{PAGES}/new")
    wrong = browser.submit(page, **{**FILLED, "issuer": GOOGLE})
    assert wrong.status_code == 422
    assert 'id="hosted_domain-error"' in wrong.text
    saved = browser.submit(page, **{**FILLED, "issuer": GOOGLE, "hosted_domain": "n.example"})
    one = saved.headers["Location"]
    assert "<code>n.example</code>" in browser.get(one).text
    assert "Nobody comes in by it" not in browser.get(one).text
    assert 'value="n.example"' in browser.get(f"{one}/edit").text
    either_world.run("UPDATE company_providers SET hosted_domain = ''")
    assert "Nobody comes in by it" in browser.get(one).text


def test_another_issuer_needs_none(either_world: World, northwinds: UpstreamProvider) -> None:
    assert columns(either_world, key_of(either_world))["hosted_domain"] == ""
    assert SOUND.issuer != GOOGLE
    assert "code" in sent_back(by_company(either_world.browser()))
