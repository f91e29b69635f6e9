"""One gate for every grant: session, tenant, client and age."""

from __future__ import annotations

import pytest

from tests.security.protocol import answer_to, of_people, redeem, register
from tests.world import AMARA, DANA, PASSWORD, PRIYA, World, claims_of, sent_back

HOUR = 3600.0


def test_a_tenants_shorter_sessions_end_refresh_and_userinfo(world: World) -> None:
    visitor = world.browser()
    given = visitor.tokens(AMARA)
    world.apply(
        tenants=[
            {
                "slug": "northwind",
                "name": "Northwind Lending",
                "policy": {"session_absolute_hours": 1},
            }
        ]
    )
    world.clock.move(HOUR - 60)
    given = dict(world.refresh(given["refresh_token"]).json or {})
    world.clock.move(61)
    assert world.refresh(given["refresh_token"]).json["error"] == "invalid_grant"  # type: ignore[index]
    assert world.userinfo(given["access_token"]).status_code == 401
    assert world.introspect(given["refresh_token"]) == {"active": False}


def test_offline_access_is_no_session_and_outlives_it(world: World) -> None:
    given = world.browser().tokens(AMARA, scope="openid offline_access")
    world.clock.move(25 * HOUR)
    assert world.refresh(given["refresh_token"]).status_code == 200


def test_offline_access_is_none_where_nothing_is_refreshed(world: World) -> None:
    """It would only keep an access token alive after the sign-out (OpenID Connect Core section
    11)."""
    once = of_people("once", grant_types=["authorization_code"])
    register(world, once)
    visitor = world.browser()
    code = sent_back(answer_to(visitor, once, scope="openid offline_access"))["code"]
    given = dict(redeem(world, once, code).json or {})
    assert given["scope"] == "openid"
    assert world.userinfo(given["access_token"]).status_code == 200
    visitor.submit(visitor.get("/logout"), decision="sign_out")
    assert world.userinfo(given["access_token"]).status_code == 401


def give_to(world: World, slug: str) -> None:
    """No file or form can do it to a client that exists."""
    tenant = "(SELECT id FROM tenants WHERE slug = :slug)"
    world.run(f"UPDATE clients SET tenant_id = {tenant} WHERE client_id = 'lms'", slug=slug)
    world.run("UPDATE catalog_version SET version = version + 1")
    world.clock.move(2)


def test_a_client_of_one_tenant_opens_in_no_other(world: World) -> None:
    give_to(world, "northwind")
    page = world.browser().sign_in(PRIYA, PASSWORD, tenant="harbor")
    assert page.status_code == 403
    assert "Your roles" in page.text
    given = world.browser().tokens(PRIYA)
    assert claims_of(given["id_token"])["tenant"] == "northwind", "there is nothing to choose"


def test_a_client_that_was_given_to_another_tenant_keeps_no_tokens(world: World) -> None:
    given = world.browser().tokens(AMARA)
    give_to(world, "harbor")
    assert world.userinfo(given["access_token"]).status_code == 401
    assert world.refresh(given["refresh_token"]).status_code == 400


@pytest.mark.parametrize("scope", ["openid", "openid offline_access"])
def test_a_code_of_a_session_that_has_ended_gives_nothing(either_world: World, scope: str) -> None:
    visitor = either_world.browser()
    code = visitor.code(AMARA, scope=scope)
    visitor.submit(visitor.get("/logout"), decision="sign_out")
    answer = either_world.redeem(code)
    assert (answer.status_code, (answer.json or {})["error"]) == (400, "invalid_grant")
    assert either_world.audit("code.replayed") == []


def test_disabling_and_enabling_again_brings_nothing_back(world: World) -> None:
    given = world.browser().tokens(DANA, scope="openid offline_access")
    for status in ("disabled", "active"):
        world.apply(users=[{"email": DANA, "name": "Dana Whitfield", "status": status}])
    assert world.refresh(given["refresh_token"]).status_code == 400
    assert world.userinfo(given["access_token"]).status_code == 401


def test_disabling_a_person_tells_the_products(world: World) -> None:
    world.browser().tokens(DANA)
    world.apply(users=[{"email": DANA, "name": "Dana Whitfield", "status": "disabled"}])
    assert world.run("SELECT client_id, kind FROM outbox") == [("lms", "backchannel_logout")]


def test_a_machine_of_a_suspended_tenant_gets_nothing(world: World) -> None:
    world.apply(
        clients=[
            {
                "client_id": "night-run",
                "client_name": "Night run",
                "product": "payments",
                "tenant": "northwind",
                "client_secret": "n" * 40,
                "grant_types": ["client_credentials"],
                "scope": "payouts",
            }
        ]
    )
    world.clock.move(2)
    headers = world.basic("night-run", "n" * 40)
    answer = world.post("/token", headers, grant_type="client_credentials")
    given = claims_of(answer.json["access_token"])  # type: ignore[index]
    assert given["tenant"] == "northwind"
    world.apply(tenants=[{"slug": "northwind", "name": "Northwind Lending", "status": "suspended"}])
    world.clock.move(2)
    assert world.post("/token", headers, grant_type="client_credentials").status_code == 401


def test_max_age_counts_for_a_proof_of_this_attempt_too(world: World) -> None:
    visitor = world.browser()
    page = visitor.sign_in(PRIYA, PASSWORD, max_age="60")
    assert "Choose a company" in page.text
    world.clock.move(301)
    page = visitor.follow(visitor.submit(page, tenant="northwind"))
    assert 'name="password"' in page.text


def test_signing_out_ends_what_is_half_finished_in_the_browser(world: World) -> None:
    visitor = world.browser()
    page = visitor.sign_in(PRIYA, PASSWORD)
    half = page.request.full_path
    visitor.tokens(AMARA)
    visitor.submit(visitor.get("/logout"), decision="sign_out")
    assert visitor.get(half).status_code == 400


def test_an_attempt_that_a_slow_step_puts_back_is_still_spent(world: World) -> None:
    visitor = world.browser()
    page = visitor.sign_in(PRIYA, PASSWORD)
    answer = visitor.submit(page, tenant="northwind")
    back = answer.headers["Location"]
    assert sent_back(visitor.get(back))["code"]
    visitor.submit(page, tenant="northwind")
    assert visitor.get(back).status_code == 400


def test_a_page_that_showed_somebody_else_decides_nothing(world: World) -> None:
    visitor = world.browser()
    visitor.tokens(AMARA)
    page = visitor.follow(visitor.authorize(prompt="select_account"))
    answer = visitor.submit(page, choice="continue", person="somebody-else")
    assert "Choose an account" in visitor.follow(answer).text


def test_a_subject_that_claims_names_has_to_be_the_one(world: World) -> None:
    visitor = world.browser()
    own = claims_of(visitor.tokens(AMARA)["id_token"])["sub"]
    asked = '{"id_token":{"sub":{"value":"%s"}}}'
    assert sent_back(visitor.authorize(prompt="none", claims=asked % own))["code"]
    refused = sent_back(visitor.authorize(prompt="none", claims=asked % "another"))
    assert refused["error"] == "login_required"
