"""S30: a product that is not ours gets what the person saw and allowed, and nothing else."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from flask_babel import force_locale
from werkzeug.test import TestResponse

from idp.app import create_pages
from idp.web.scope_words import NODES
from tests.security.consenting import COMPANIES, changed, consent_page, names_alone
from tests.security.protocol import ASKING, answer_to, redeem, register
from tests.world import AMARA, BEN, PASSWORD, PRIYA, Visitor, World, claims_of, sent_back


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
