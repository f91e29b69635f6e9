"""An operator signs in at a client of the platform's: who gets a token, what it says and does."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory.acting import RECENT
from tests.console.calling import Caller, machine, person
from tests.console.operations import user_id
from tests.console.operators_tokens import (
    DESK,
    NODES,
    OTHER,
    answer_to,
    chains,
    form_of,
    introspected,
    make_operator,
    operators_app,
    refreshed,
    register,
    signed_in,
    touch,
)
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.world import AMARA, BEN, OLU, PRIYA, World, claims_of, sent_back

OF_TENANTS = ("tenant", "tenant_id", "roles", "cross_tenant_grant")
EVERY_NODE = sorted(NODES.split())


def test_an_operator_gets_a_token_of_the_platform_and_of_no_company(either_world: World) -> None:
    register(either_world)
    given = signed_in(either_world.browser())
    claims = claims_of(given["access_token"])
    assert (claims["sub"], claims["client_id"]) == (user_id(either_world, OLU), DESK)
    assert claims["permissions"] == EVERY_NODE
    platform = either_world.held.catalog.current(either_world.clock()).products["platform"]
    assert claims["aud"] == [platform.resource, "http://localhost:8000/userinfo"]
    about = either_world.userinfo(given["access_token"]).json or {}
    told_of_it = introspected(either_world, given["access_token"])
    for told_somewhere in (claims, claims_of(given["id_token"]), about, told_of_it):
        assert not set(OF_TENANTS).intersection(told_somewhere)
    assert told_of_it["active"] is True
    caller = Caller(either_world, given["access_token"])
    assert told(caller.get("/platform"))["permissions"] == EVERY_NODE
    again = refreshed(either_world, given).json or {}
    assert claims_of(again["access_token"])["permissions"] == EVERY_NODE


def test_single_sign_on_leads_there_and_leaves_the_sessions_company_alone(
    either_world: World,
) -> None:
    """Priya, who is of two companies, has chosen one of them before."""
    make_operator(either_world, PRIYA)
    register(either_world)
    browser = either_world.browser()
    page = browser.sign_in(PRIYA)
    browser.follow(browser.submit(page, tenant="harbor"))
    before = either_world.run("SELECT tenant_id FROM sessions")
    assert "code" in sent_back(browser.authorize(DESK, prompt="none", scope=f"openid {NODES}"))
    assert either_world.run("SELECT tenant_id FROM sessions") == before
    assert browser.tokens(PRIYA, tenant="harbor")


@pytest.mark.parametrize("email", [AMARA, BEN, PRIYA])
def test_whoever_is_no_operator_reads_why_and_the_client_is_told(
    either_world: World, email: str
) -> None:
    """An account admin as well; nobody is asked to choose a company for it."""
    register(either_world)
    browser = either_world.browser()
    page = answer_to(browser, email=email)
    assert (page.status_code, page.request.path) == (403, "/login/not_open")
    assert "It is for operators of the platform." in page.text
    for company in ("Northwind", "Harbor"):
        assert company not in page.text.partition("You can also open")[0]
    refused = sent_back(browser.follow(browser.submit(page, decision="back")))
    assert refused["error"] == "access_denied"
    silent = sent_back(browser.authorize(DESK, prompt="none", scope=f"openid {NODES}"))
    assert silent["error"] == "access_denied"
    assert either_world.run("SELECT count(*) FROM grants") == [(0,)]


def test_a_request_that_names_a_company_opens_nothing(either_world: World) -> None:
    register(either_world)
    make_operator(either_world, AMARA)
    for email in (OLU, AMARA):
        page = answer_to(either_world.browser(), email=email, tenant="northwind")
        assert (page.status_code, page.request.path) == (403, "/login/not_open")


def test_a_company_has_no_client_of_the_platforms(either_world: World) -> None:
    register(either_world)
    caller = operators_app(either_world)
    either_world.run(
        "UPDATE clients SET tenant_id = (SELECT id FROM tenants WHERE slug = 'northwind')"
        " WHERE client_id = :c",
        c=DESK,
    )
    touch(either_world)
    is_problem(caller.get("/platform"), 401)
    assert answer_to(either_world.browser()).status_code == 403


def test_a_client_without_pkce_or_with_a_wrong_verifier_gets_nothing(either_world: World) -> None:
    register(either_world)
    browser = either_world.browser()
    refused = sent_back(browser.authorize(DESK, code_challenge=None, scope=f"openid {NODES}"))
    assert refused["error"] == "invalid_request"
    code = sent_back(answer_to(browser))["code"]
    secret = form_of(DESK)["client_secret"]
    wrong = either_world.redeem(code, DESK, secret=secret, code_verifier="w" * 64)
    assert (wrong.json or {})["error"] == "invalid_grant"
    assert either_world.redeem(code, DESK, secret=secret).status_code == 200


def test_a_code_that_is_used_twice_ends_the_grant_and_the_platform_is_told(
    either_world: World,
) -> None:
    register(either_world)
    code = sent_back(answer_to(either_world.browser()))["code"]
    secret = form_of(DESK)["client_secret"]
    given = either_world.redeem(code, DESK, secret=secret).json or {}
    assert (either_world.redeem(code, DESK, secret=secret).json or {})["error"] == "invalid_grant"
    is_problem(Caller(either_world, given["access_token"]).get("/platform"), 401)
    assert len(either_world.audit("code.replayed")) == 1
    assert chains(either_world, "code.replayed") == ["platform"]


def test_a_refresh_token_that_is_revoked_ends_all_of_it(either_world: World) -> None:
    register(either_world)
    given = signed_in(either_world.browser())
    secret = form_of(DESK)["client_secret"]
    basic = either_world.basic(DESK, secret)
    assert either_world.post("/revoke", basic, token=given["refresh_token"]).status_code == 200
    is_problem(Caller(either_world, given["access_token"]).get("/platform"), 401)
    assert chains(either_world, "token.revoked") == ["platform"]


def test_a_token_has_what_was_asked_for_of_what_the_client_is_registered_for(
    either_world: World,
) -> None:
    narrow = operators_app(either_world, scope="platform.health keys.manage")
    assert told(narrow.get("/platform"))["permissions"] == ["keys.manage", "platform.health"]
    told(narrow.get("/platform/keys"))
    for path in ("/platform/tenants", "/platform/operators", "/platform/access-requests"):
        is_problem(narrow.get(path), 403)
    register(either_world, scope="openid platform.health")
    told(narrow.get("/platform/health"))
    is_problem(narrow.get("/platform/keys"), 403)


def test_what_is_no_node_of_the_platforms_gives_nothing(either_world: World) -> None:
    register(either_world, scope="openid people.manage platform.health")
    given = signed_in(either_world.browser(), scope="openid people.manage platform.health")
    assert claims_of(given["access_token"])["permissions"] == ["platform.health"]


def test_another_companys_client_asks_and_gets_what_was_allowed(either_world: World) -> None:
    register(either_world, OTHER, permissions=["platform.health", "keys.manage"])
    browser = either_world.browser()
    page = answer_to(browser, OTHER, scope="openid platform.health tenants.manage")
    assert page.request.path == "/login/consent"
    assert "as an operator of the platform" in page.text
    for shown in ("Health", "Signing keys", "Tenants"):
        assert shown in page.text
    denied = sent_back(browser.follow(browser.submit(page, decision="deny")))
    assert denied["error"] == "access_denied"
    given = signed_in(browser, OTHER, scope="openid platform.health tenants.manage")
    caller = Caller(either_world, given["access_token"])
    assert told(caller.get("/platform"))["permissions"] == ["platform.health"]
    [event] = either_world.audit("consent.given")
    assert (event["actor"], event["client"]) == (user_id(either_world, OLU), OTHER)
    assert chains(either_world, "consent.given") == ["platform"]


def test_a_consent_stands_and_is_withdrawn_on_the_account_page(either_world: World) -> None:
    register(either_world, OTHER)
    browser = either_world.browser()
    given = signed_in(browser, OTHER)
    assert "code" in sent_back(browser.authorize(OTHER, prompt="none", scope=f"openid {NODES}"))
    page = browser.get("/account/products")
    assert "As an operator of the platform" in page.text
    [(consent,)] = either_world.run("SELECT id FROM consents")
    stranger = either_world.browser()
    stranger.enter("/account", AMARA)
    stranger.submit(stranger.get("/account"), "/account/products", consent=consent)
    told(Caller(either_world, given["access_token"]).get("/platform"))
    browser.submit(page, "/account/products", consent=consent)
    is_problem(Caller(either_world, given["access_token"]).get("/platform"), 401)
    assert (refreshed(either_world, given, OTHER).json or {})["error"] == "invalid_grant"
    silent = sent_back(browser.authorize(OTHER, prompt="none", scope=f"openid {NODES}"))
    assert silent["error"] == "consent_required"
    assert len(either_world.audit("consent.withdrawn")) == 1


def test_a_products_code_is_no_operators_and_the_reverse(either_world: World) -> None:
    """A client spends what its own product was given."""
    register(either_world)
    browser = either_world.browser()
    ours, lms = sent_back(answer_to(browser))["code"], either_world.browser().code(AMARA)
    secret = form_of(DESK)["client_secret"]
    for code, client_id, its_secret in ((lms, DESK, secret), (ours, "lms", None)):
        answer = either_world.redeem(code, client_id, secret=its_secret)
        assert (answer.json or {})["error"] == "invalid_grant"


OLD: list[tuple[str, str, Any]] = [
    ("POST", "/platform/operators", {"email": BEN}),
    ("POST", "/platform/tenants/northwind/suspend", None),
    ("POST", "/platform/tenants/northwind/visits", {"reason": "Ticket 4711 again", "minutes": 15}),
    ("POST", "/platform/clients/lms/disable", None),
]


@pytest.mark.parametrize(("method", "path", "body"), OLD)
def test_what_would_hurt_needs_a_recent_sign_in(
    either_world: World, method: str, path: str, body: Any
) -> None:
    """RFC 9470, by the token's own `auth_time`: a refreshed token is no newer sign-in."""
    register(either_world)
    given = signed_in(either_world.browser())
    either_world.clock.move(RECENT + 1)
    given = refreshed(either_world, given).json or {}
    answer = Caller(either_world, given["access_token"])(method, path, body)
    assert is_problem(answer, 401)["code"] == "insufficient_user_authentication"
    challenge = answer.headers["WWW-Authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'max_age="900"' in challenge


def test_what_an_operator_does_by_a_client_names_both(either_world: World) -> None:
    caller = operators_app(either_world)
    told(caller.post("/platform/operators", {"email": BEN}), 201)
    [event] = either_world.audit("operator.added")
    assert (event["actor"], event["client"]) == (user_id(either_world, OLU), DESK)
    narrow = operators_app(either_world, scope="platform.health")
    is_problem(narrow.get("/platform/keys"), 403)
    [refusal] = either_world.audit("console.refused")
    assert (refusal["actor"], refusal["client"]) == (user_id(either_world, OLU), DESK)
    assert chains(either_world, "console.refused") == ["platform"]


def test_an_answer_that_is_sent_again_is_that_persons_alone(either_world: World) -> None:
    make_operator(either_world, AMARA)
    body = {"slug": "pinewood", "name": "Pinewood Homes"}
    olu = operators_app(either_world)
    made = olu.post("/platform/tenants", body, Idempotency_Key="k")
    assert told(made, 201) == told(olu.post("/platform/tenants", body, Idempotency_Key="k"), 201)
    amara = operators_app(either_world, AMARA)
    is_problem(amara.post("/platform/tenants", body, Idempotency_Key="k"), 422)


def test_nobody_removes_themselves_by_a_token(either_world: World) -> None:
    make_operator(either_world, AMARA)
    caller = operators_app(either_world)
    olu, amara = user_id(either_world, OLU), user_id(either_world, AMARA)
    is_problem(caller("DELETE", f"/platform/operators/{olu}"), 422)
    assert caller("DELETE", f"/platform/operators/{amara}").status_code == 204


def test_a_token_of_a_company_is_none_of_the_platforms(either_world: World) -> None:
    """Not even an operator's, whose company's app has it."""
    make_operator(either_world, AMARA)
    is_problem(person(either_world, AMARA).get("/platform"), 401)
    lms = either_world.browser().tokens(AMARA)["access_token"]
    is_problem(Caller(either_world, lms).get("/platform"), 401)


def test_a_program_of_the_platforms_still_speaks_for_itself(either_world: World) -> None:
    program = machine(either_world, "platform-automation")
    assert told(program.get("/platform"))["permissions"] == EVERY_NODE
