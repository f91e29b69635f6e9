"""S30: what somebody allowed before is good for that client, person, scope and company, until they
withdraw it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.security.consenting import COMPANIES, changed, consent_page, names_alone
from tests.security.protocol import (
    ASKING,
    answer_to,
    ask,
    is_active,
    is_refused,
    of_people,
    redeem,
    refresh,
    register,
    together,
    withdraw,
)
from tests.world import AMARA, BEN, PRIYA, Visitor, World, sent_back

ANOTHER = of_people("another", first_party=False)


def test_sec_30_more_scope_than_was_allowed_is_asked_for_again(world: World):
    visitor, page = consent_page(world, scope="openid")
    visitor.follow(visitor.submit(page, decision="allow"))
    assert "code" in sent_back(ask(visitor, ASKING, scope="openid"))
    for scope in ("openid email", "email", "openid offline_access"):
        silent = sent_back(ask(visitor, ASKING, scope=scope, prompt="none"))
        assert silent["error"] == "consent_required", scope
    assert sent_back(ask(visitor, ASKING, scope="openid"))["code"]


def test_sec_30_one_client_was_allowed_and_no_other(world: World):
    visitor, page = consent_page(world)
    visitor.follow(visitor.submit(page, decision="allow"))
    register(world, ANOTHER)
    assert answer_to(visitor, ANOTHER).request.path == "/login/consent"


def test_sec_30_prompt_consent_asks_again(world: World):
    visitor, page = consent_page(world)
    visitor.follow(visitor.submit(page, decision="allow"))
    again = answer_to(visitor, ASKING, prompt="consent")
    assert again.request.path == "/login/consent"
    told = sent_back(visitor.follow(visitor.submit(again, decision="deny")))
    assert told["error"] == "access_denied"


def test_sec_30_withdrawing_ends_what_was_given_and_asks_again(either_world: World):
    world = either_world
    visitor, page = consent_page(world)
    code = sent_back(visitor.follow(visitor.submit(page, decision="allow")))["code"]
    tokens = redeem(world, ASKING, code).json or {}
    unused = sent_back(ask(visitor, ASKING))["code"]
    assert is_active(world, tokens["access_token"])
    withdraw(visitor)
    assert is_refused(refresh(world, ASKING, tokens["refresh_token"]), "invalid_grant")
    assert is_refused(redeem(world, ASKING, unused), "invalid_grant")
    assert not is_active(world, tokens["access_token"])
    assert answer_to(visitor, ASKING).request.path == "/login/consent"


def test_sec_30_nobody_withdraws_for_somebody_else(world: World):
    visitor, page = consent_page(world)
    visitor.follow(visitor.submit(page, decision="allow"))
    ben = world.browser()
    ben_page = answer_to(ben, ASKING, BEN)
    ben.follow(ben.submit(ben_page, decision="allow"))
    amaras = world.run(
        "SELECT id FROM consents WHERE membership_id IN (SELECT m.id FROM memberships m"
        " JOIN users u ON u.id = m.user_id WHERE u.email = :email)",
        email=AMARA,
    )[0][0]
    ben.submit(
        ben.get("/account/products"), path="/account/products", consent=amaras, user_id=AMARA
    )
    assert world.run("SELECT count(*) FROM consents") == [(2,)]
    withdraw(ben)
    assert world.run("SELECT id FROM consents") == [(amaras,)]
    assert silent_token(world, visitor)
    assert visitor.post("/account/products", consent=amaras).status_code == 403


def silent_token(world: World, visitor: Visitor) -> str:
    code = sent_back(ask(visitor, ASKING, prompt="none"))["code"]
    return str((redeem(world, ASKING, code).json or {})["access_token"])


def of_both_companies(world: World, visitor: Visitor) -> dict[str, dict[str, Any]]:
    """Tokens by company, each allowed on a page of its own."""
    register(world, ASKING)
    given = {}
    for company in COMPANIES:
        page = answer_to(visitor, ASKING, PRIYA, tenant=company)
        assert names_alone(page, company)
        code = sent_back(visitor.follow(visitor.submit(page, decision="allow")))["code"]
        given[company] = dict(redeem(world, ASKING, code).json or {})
    return given


def test_sec_30_a_yes_from_before_is_for_its_company_alone(either_world: World):
    register(either_world, ASKING)
    visitor = either_world.browser()
    page = answer_to(visitor, ASKING, PRIYA, tenant="northwind")
    visitor.follow(visitor.submit(page, decision="allow"))
    assert "code" in sent_back(ask(visitor, ASKING, tenant="northwind", prompt="none"))
    silent = sent_back(ask(visitor, ASKING, tenant="harbor", prompt="none"))
    assert (silent.get("error"), "code" in silent) == ("consent_required", False)
    assert names_alone(answer_to(visitor, ASKING, tenant="harbor"), "harbor")


@pytest.mark.parametrize("company", COMPANIES)
def test_sec_30_withdrawing_in_one_company_leaves_the_other(either_world: World, company: str):
    visitor = either_world.browser()
    given = of_both_companies(either_world, visitor)
    withdraw(visitor, "The client asking", COMPANIES[company])
    for each, tokens in given.items():
        assert is_active(either_world, tokens["access_token"]) is (each != company)
        silent = sent_back(ask(visitor, ASKING, tenant=each, prompt="none"))
        assert ("code" in silent) is (each != company)
    told = either_world.audit("consent.withdrawn")
    tenants = dict(either_world.run("SELECT slug, id FROM tenants"))
    found = either_world.run("SELECT tenant_id FROM audit_events WHERE tag = 'consent.withdrawn'")
    assert (len(told), found) == (1, [(tenants[company],)])


def test_sec_30_whoever_comes_back_to_a_company_is_asked_again(either_world: World):
    """A membership that ended took its consents with it (security.md S77)."""
    world = either_world
    visitor, page = consent_page(world)
    visitor.follow(visitor.submit(page, decision="allow"))
    of_amara = "user_id = (SELECT id FROM users WHERE email = 'amara@northwind.example')"
    world.run(f"UPDATE memberships SET status = 'ended' WHERE {of_amara}")
    anew = {"tenant": "northwind", "roles": ["account_admin"]}
    world.apply(users=[{"email": AMARA, "name": "Amara", "memberships": [anew]}])
    assert answer_to(visitor, ASKING).request.path == "/login/consent"
    assert "The client asking" not in visitor.get("/account/products").text


def test_sec_30_a_grant_that_overtook_the_withdrawal_is_dead_and_stays_so(either_world: World):
    """Decided while the consent stood, written after it was gone; a later yes is another one."""
    world = either_world
    visitor, page = consent_page(world)
    visitor.follow(visitor.submit(page, decision="allow"))
    before = sent_back(ask(visitor, ASKING, prompt="none"))["code"]
    tokens = redeem(world, ASKING, sent_back(ask(visitor, ASKING, prompt="none"))["code"]).json
    assert tokens
    withdraw(visitor)
    world.run("UPDATE grants SET ended_at = NULL")
    for is_asked_again in (False, True):
        if is_asked_again:
            again = answer_to(visitor, ASKING)
            visitor.follow(visitor.submit(again, decision="allow"))
        assert is_refused(redeem(world, ASKING, before), "invalid_grant")
        assert is_refused(refresh(world, ASKING, tokens["refresh_token"]), "invalid_grant")
        assert not is_active(world, tokens["access_token"])
    assert silent_token(world, visitor)


def test_sec_30_a_client_that_is_ours_no_more_has_to_be_allowed(either_world: World):
    register(either_world, changed(first_party=True))
    visitor = either_world.browser()
    code = sent_back(answer_to(visitor, ASKING))["code"]
    tokens = redeem(either_world, ASKING, code).json or {}
    unused = sent_back(ask(visitor, ASKING))["code"]
    register(either_world, ASKING)
    assert is_refused(redeem(either_world, ASKING, unused), "invalid_grant")
    assert is_refused(refresh(either_world, ASKING, tokens["refresh_token"]), "invalid_grant")
    assert not is_active(either_world, tokens["access_token"])
    page = answer_to(visitor, ASKING)
    assert page.request.path == "/login/consent"
    visitor.follow(visitor.submit(page, decision="allow"))
    assert not is_active(either_world, tokens["access_token"])
    assert is_active(either_world, silent_token(either_world, visitor))


def test_sec_30_what_is_allowed_at_the_same_time_adds_up(either_world: World):
    """Each page asks for something else; none of the answers is lost."""
    register(either_world, ASKING)
    first = either_world.browser()
    answer_to(first, ASKING, scope="openid")
    scopes = ("openid", "openid email", "openid profile", "openid offline_access")
    pages = [answer_to(first, ASKING, scope=scope) for scope in scopes]
    visitors = [copy_of(first) for _ in pages]
    together(
        len(pages),
        lambda n: visitors[n].follow(visitors[n].submit(pages[n], decision="allow")),
    )
    allowed = either_world.run("SELECT scope FROM consents")
    assert allowed == [("email offline_access openid profile",)]


def copy_of(visitor: Visitor) -> Visitor:
    """The same browser, in a thread of its own."""
    copy = visitor.world.browser()
    copy.client._cookies = dict(visitor.client._cookies or {})
    return copy
