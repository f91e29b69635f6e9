"""S30: a product that is not ours gets what the person saw and allowed, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from flask_babel import force_locale
from werkzeug.test import TestResponse

from idp.app import create_pages
from idp.web.scope_words import NODES
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
from tests.world import AMARA, BEN, PASSWORD, PRIYA, Visitor, World, claims_of, sent_back

ANOTHER = of_people("another", first_party=False)
COMPANIES = {"northwind": "Northwind Lending", "harbor": "Harbor Credit Union"}


def consent_page(world: World, **changed: str | None) -> tuple[Visitor, TestResponse]:
    register(world, ASKING)
    visitor = world.browser()
    page = answer_to(visitor, ASKING, AMARA, **changed)
    assert page.status_code == 200
    assert page.request.path == "/login/consent"
    return visitor, page


def nothing_was_given(world: World, visitor: Visitor, page: TestResponse) -> bool:
    attempt = page.request.url.partition("?")[2]
    again = visitor.get(f"/authorize?{attempt}")
    assert again.headers["Location"].startswith("/login/consent?")
    return bool(world.run("SELECT count(*) FROM consents") == [(0,)])


def test_sec_30_the_page_names_the_client_the_person_and_the_scopes(world: World):
    _, page = consent_page(world, scope="openid email")
    for shown in ("The client asking", AMARA, "See your e-mail address", "asking.example"):
        assert shown in page.text
    for hidden in ("See your name", "Keep access while you are away"):
        assert hidden not in page.text


def choice_of_company(world: World, visitor: Visitor, **changed: str | None) -> TestResponse:
    register(world, ASKING)
    page = answer_to(visitor, ASKING, PRIYA, prompt="select_account", **changed)
    assert page.request.path == "/login/tenant"
    return page


def names_alone(page: TestResponse, company: str) -> bool:
    return page.request.path == "/login/consent" and [
        slug for slug, name in COMPANIES.items() if name in page.text
    ] == [company]


@pytest.mark.parametrize("company", COMPANIES)
def test_sec_30_the_page_names_the_company_that_the_tokens_are_for(world: World, company: str):
    visitor = world.browser()
    choice = choice_of_company(world, visitor)
    page = visitor.follow(visitor.submit(choice, tenant=company))
    assert names_alone(page, company)
    code = sent_back(visitor.follow(visitor.submit(page, decision="allow")))["code"]
    assert claims_of((redeem(world, ASKING, code).json or {})["access_token"])["tenant"] == company


@pytest.mark.parametrize("company", COMPANIES)
def test_sec_30_the_page_names_the_company_that_the_request_asks_for(world: World, company: str):
    register(world, ASKING)
    assert names_alone(answer_to(world.browser(), ASKING, PRIYA, tenant=company), company)


@pytest.mark.parametrize("is_asked_again", [False, True])
def test_sec_30_a_yes_for_one_company_is_none_for_another(world: World, is_asked_again: bool):
    """The other company is chosen in another tab, while the page is open."""
    visitor = world.browser()
    choice = choice_of_company(world, visitor)
    page = visitor.follow(visitor.submit(choice, tenant="northwind"))
    chosen = visitor.submit(choice, tenant="harbor")
    if is_asked_again:
        visitor.follow(chosen)
    answer = visitor.follow(visitor.submit(page, decision="allow"))
    assert names_alone(answer, "harbor")
    assert world.run("SELECT count(*) FROM consents") == [(0,)]


def changed(**form: Any) -> Any:
    """The asking client, registered anew."""
    return replace(ASKING, form={**ASKING.form, **form})


NARROW = changed(scope="openid email")
WIDER = {
    "See loans": changed(scope="openid email", permissions=["loans.read"]),
    "See your name": changed(scope="openid email profile"),
    "Keep access while you are away": changed(scope="openid email offline_access"),
}


@pytest.mark.parametrize("is_asked_again", [False, True])
@pytest.mark.parametrize("more", WIDER)
def test_sec_30_a_registration_that_is_widened_meanwhile_is_shown_before_it_is_given(
    world: World, more: str, is_asked_again: bool
):
    register(world, NARROW)
    visitor = world.browser()
    page = answer_to(visitor, NARROW, AMARA, scope="openid email profile offline_access")
    assert page.request.path == "/login/consent"
    assert more not in page.text
    register(world, WIDER[more])
    if is_asked_again:
        visitor.follow(visitor.get(f"/authorize?attempt={page.request.args['attempt']}"))
    again = visitor.follow(visitor.submit(page, decision="allow"))
    assert again.request.path == "/login/consent"
    assert more in again.text
    assert world.run("SELECT count(*) FROM consents") == [(0,)]
    assert "code" in sent_back(visitor.follow(visitor.submit(again, decision="allow")))


def test_sec_30_a_registration_that_is_narrowed_meanwhile_gives_less_than_was_shown(world: World):
    wide = changed(permissions=["loans.read", "loans.write"])
    register(world, wide)
    visitor = world.browser()
    page = answer_to(visitor, wide, AMARA)
    register(world, changed(permissions=["loans.read"], scope="openid"))
    code = sent_back(visitor.follow(visitor.submit(page, decision="allow")))["code"]
    given = redeem(world, ASKING, code).json or {}
    assert given["scope"] == "openid"
    assert claims_of(given["access_token"])["permissions"] == ["loans.read"]


def test_sec_30_a_yes_without_the_mark_of_its_page_is_none(world: World):
    visitor, page = consent_page(world)
    for mark in ("", "x"):
        visitor.submit(page, decision="allow", shown=mark)
        assert nothing_was_given(world, visitor, page)


def test_sec_30_a_get_allows_nothing(world: World):
    visitor, page = consent_page(world)
    path = page.request.full_path
    for query in ("decision=allow", "decision=allow&csrf_token=x&scope=openid"):
        visitor.get(f"{path}&{query}")
        visitor.get(f"/authorize?{urlencode({'attempt': 'x'})}&{query}")
        assert nothing_was_given(world, visitor, page)


def test_sec_30_a_form_of_another_site_allows_nothing(world: World):
    visitor, page = consent_page(world)
    attempt = page.request.args["attempt"]
    form = {"attempt": attempt, "decision": "allow"}
    for token in ({}, {"csrf_token": ""}, {"csrf_token": "x"}):
        assert visitor.post("/login/consent", **form, **token).status_code == 403
    for header in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        visitor.headers = header
        assert visitor.submit(page, decision="allow").status_code == 403, header
    visitor.headers = {}
    assert nothing_was_given(world, visitor, page)


def test_sec_30_another_browser_can_not_allow_it(world: World):
    visitor, page = consent_page(world)
    stranger = world.browser()
    other_page = answer_to(stranger, ASKING, BEN)
    form = {"attempt": page.request.args["attempt"], "decision": "allow"}
    assert stranger.submit(other_page, **form).status_code == 400
    assert nothing_was_given(world, visitor, page)


def test_sec_30_neither_no_decision_nor_a_made_up_one_is_a_yes(world: World):
    visitor, page = consent_page(world)
    for decision in ({}, {"decision": ""}, {"decision": "yes"}, {"decision": "ALLOW"}):
        assert visitor.submit(page, **decision).status_code == 400
        assert nothing_was_given(world, visitor, page)


def test_sec_30_a_no_is_told_to_the_client_and_not_remembered(world: World):
    visitor, page = consent_page(world)
    told = sent_back(visitor.follow(visitor.submit(page, decision="deny")))
    assert (told["error"], "code" in told) == ("access_denied", False)
    assert world.run("SELECT count(*) FROM consents") == [(0,)]
    assert answer_to(visitor, ASKING).request.path == "/login/consent"


def test_sec_30_what_is_given_is_what_was_shown(world: World):
    """Fields that a script adds to the form count for nothing."""
    visitor, page = consent_page(world, scope="openid email")
    more = {
        "scope": "openid profile email offline_access admin",
        "scopes": "profile",
        "client_id": "another",
        "consented": "profile",
        "redirect_uri": "https://evil.example/",
    }
    answer = visitor.follow(visitor.submit(page, decision="allow", **more))
    assert answer.headers["Location"].startswith(ASKING.redirect_uri)
    given = redeem(world, ASKING, sent_back(answer)["code"]).json or {}
    assert given["scope"] == "openid email"
    assert world.run("SELECT client_id, scope FROM consents") == [("asking", "email openid")]


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


def test_sec_30_one_person_allowed_it_and_nobody_else(world: World):
    """Somebody allows it, then somebody else signs in within the same attempt."""
    visitor, page = consent_page(world)
    attempt = page.request.args["attempt"]
    password_page = visitor.get(f"/login/password?attempt={attempt}&other=1")
    visitor.submit(page, decision="allow")
    answer = visitor.follow(visitor.submit(password_page, email=BEN, password=PASSWORD))
    assert answer.request.path == "/login/consent"
    assert BEN in answer.text
    assert world.run("SELECT count(*) FROM consents") == [(0,)]


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


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        ("en", ("See people", "Make and edit roles")),
        ("es", ("Ver a las personas", "Crear y editar")),
    ],
)
def test_sec_30_what_it_may_do_is_named_in_the_person_s_language_and_by_no_key(
    world: World, locale: str, shown: tuple[str, ...]
):
    """Of a scope, of what it does in a person's name, and later on the account page."""
    form = {"product": "console", "permissions": ["roles.manage"], "scope": "openid people.read"}
    asking = changed(**form)
    register(world, asking)
    visitor = world.browser(**{"Accept-Language": locale})
    page = answer_to(visitor, asking, AMARA, scope="openid people.read")
    assert page.request.path == "/login/consent"
    sent_back(visitor.follow(visitor.submit(page, decision="allow")))
    for each in (page, visitor.get("/account/products")):
        assert all(words in each.text for words in shown)
        assert not re.search(r">[^<]*(people\.read|roles\.manage)", each.text)


def test_sec_30_every_node_of_ours_has_its_words(world: World):
    with create_pages(world.held).app_context(), force_locale("en"):
        names = {key: str(name) for key, name in NODES.items()}
    rows = world.run(
        "SELECT key, name FROM permissions WHERE product_key IN ('console', 'platform')"
    )
    assert names == dict(rows)
