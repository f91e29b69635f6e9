"""S77 and S81: a person is one thing in one company, and nothing can pass for what it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from idp.directory.claim_names import RESERVED_NAMES
from idp.errors import SetupMistake
from tests.security.browsing import (
    THIRD_PARTY,
    add_machine,
    add_third_party,
    claims_of,
)
from tests.world import AMARA, BEN, PASSWORD, PRIYA, World, sent_back

HANA = "hana@harbor.example"
OWN_CLAIMS = ("iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", "nonce")
STANDING = ("tenant", "tenant_id", "roles", "permissions")


def subject(world: World, email: str) -> str:
    ((found,),) = world.run("SELECT id FROM users WHERE email = :e", e=email)
    return str(found)


def test_sec_77_a_person_who_is_made_again_is_another_person(either_world: World) -> None:
    """Nothing of the first one comes back with the name: no sub, no consent, no session."""
    newcomer = "newcomer@northwind.example"
    described: dict[str, Any] = {
        "email": newcomer,
        "name": "New Comer",
        "password": PASSWORD,
        "memberships": [{"tenant": "northwind", "roles": ["agent"]}],
    }
    either_world.apply(users=[described])
    browser = either_world.browser()
    given, first = browser.tokens(newcomer), subject(either_world, newcomer)
    for statement in (
        "DELETE FROM client_sessions",
        "DELETE FROM grants WHERE user_id = :u",
        "DELETE FROM sessions WHERE user_id = :u",
        "DELETE FROM memberships WHERE user_id = :u",
        "DELETE FROM passwords WHERE user_id = :u",
        "DELETE FROM users WHERE id = :u",
    ):
        either_world.run(statement, **({"u": first} if ":u" in statement else {}))
    either_world.apply(users=[described])
    assert subject(either_world, newcomer) != first
    assert sent_back(browser.authorize(prompt="none"))["error"] == "login_required"
    assert either_world.userinfo(given["access_token"]).status_code == 401
    assert either_world.refresh(given["refresh_token"]).status_code == 400


def test_sec_77_every_id_is_random_and_of_one_kind_alone(either_world: World) -> None:
    ids = [
        row[0]
        for table in ("users", "tenants", "memberships", "roles")
        for row in either_world.run(f"SELECT id FROM {table}")
    ]
    assert len(set(ids)) == len(ids)
    assert all(len(each) == 32 and set(each) <= set("0123456789abcdef") for each in ids)


def test_sec_77_a_token_of_one_company_gives_nothing_of_the_other(either_world: World) -> None:
    """Priya sends payouts for Harbor, and looks at loans for Northwind."""
    browser = either_world.browser()
    northwind = browser.tokens(PRIYA, tenant="northwind")
    harbor = browser.tokens(PRIYA, client_id="payments", tenant="harbor")
    assert "payouts.send" in claims_of(harbor["access_token"])["permissions"]
    for told in (
        claims_of(northwind["access_token"]),
        claims_of(northwind["id_token"]),
        either_world.userinfo(northwind["access_token"]).json or {},
        either_world.introspect(northwind["access_token"]),
    ):
        assert told["tenant"] == "northwind"
        assert not any(key.startswith("payouts") for key in told["permissions"])
        assert "payments_officer" not in told["roles"]
        assert "harbor" not in json.dumps(told).lower()


def test_sec_77_refreshing_keeps_the_company_that_was_chosen(either_world: World) -> None:
    browser = either_world.browser()
    northwind = browser.tokens(PRIYA, tenant="northwind")["refresh_token"]
    browser.tokens(PRIYA, tenant="harbor")
    renewed = either_world.refresh(northwind, tenant="harbor").json or {}
    assert claims_of(renewed["access_token"])["tenant"] == "northwind"


def test_sec_77_a_company_that_one_is_not_in_cannot_be_named(either_world: World) -> None:
    for tenant in ("harbor", "HARBOR", "harbor ", "no-such-company", "northwind harbor"):
        browser = either_world.browser()
        page = browser.sign_in(AMARA, tenant=tenant)
        assert page.status_code == 403, tenant
        assert "Harbor" not in page.text
        back = sent_back(browser.follow(browser.submit(page, decision="back")))
        assert back["error"] == "access_denied"
        answer = sent_back(browser.authorize(prompt="none", tenant=tenant))
        assert answer["error"] == "access_denied"
        assert "code" not in answer


def test_sec_77_the_choice_of_a_company_is_among_ones_own(either_world: World) -> None:
    either_world.apply(tenants=[{"slug": "other", "name": "Other Lending"}])
    browser = either_world.browser()
    page = browser.sign_in(PRIYA)
    assert "Other Lending" not in page.text
    for tenant in ("other", "", "no-such-company"):
        refused = browser.submit(page, tenant=tenant)
        assert refused.status_code == 400
        assert "Other Lending" not in refused.text
    assert "code" in sent_back(browser.follow(browser.submit(page, tenant="harbor")))


def test_sec_77_a_code_of_one_product_is_nothing_at_another(either_world: World) -> None:
    code = either_world.browser().code(AMARA, "payments")
    for client in ("lms", "connections"):
        refused = either_world.redeem(code, client, redirect_uri="http://localhost:8002/callback")
        assert (refused.json or {})["error"] == "invalid_grant"
    assert either_world.redeem(code, "payments").status_code == 200


def test_sec_77_the_menu_lists_ones_own_companies_alone(either_world: World) -> None:
    for email, slugs in ((AMARA, {"northwind"}), (HANA, {"harbor"})):
        token = either_world.browser().tokens(email)["access_token"]
        menu = either_world.get("/switcher", Authorization=f"Bearer {token}").json or {}
        assert {tenant["slug"] for tenant in menu["tenants"]} == slugs


def test_sec_77_a_session_of_somebody_else_cannot_be_ended(either_world: World) -> None:
    ben, amara = either_world.browser(), either_world.browser()
    ben.code(BEN)
    amara.code(AMARA)
    sessions = dict(either_world.run("SELECT user_id, id FROM sessions"))
    theirs = sessions[subject(either_world, BEN)]
    page = amara.get("/account")
    assert theirs not in page.text
    answer = amara.submit(page, "/account/sessions", session=theirs)
    assert answer.status_code == 404
    assert "code" in sent_back(ben.authorize(prompt="none"))


WANTED = {
    name: {"value": "forged", "essential": True} for name in (*OWN_CLAIMS, *STANDING, "is_admin")
}


def test_sec_81_asking_for_a_claim_by_name_cannot_set_it(world: World) -> None:
    plain = {"acr": None, "sub": None}  # with a value, these two ask for a sign-in, not for a claim
    wanted = {**WANTED, **plain, "name": {"value": "Somebody Else"}}
    asked = json.dumps({"id_token": wanted, "userinfo": wanted})
    given = world.browser().tokens(AMARA, claims=asked)
    unasked = world.browser().tokens(AMARA)
    told, expected = claims_of(given["id_token"]), claims_of(unasked["id_token"])
    for name in set(OWN_CLAIMS + STANDING) - {"sid"}:
        assert told[name] == expected[name], name
    assert told["name"] == "Amara Okafor"
    assert set(told) == {*expected, "name"}
    assert "forged" not in json.dumps([told, world.userinfo(given["access_token"]).json])


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_sec_81_no_role_and_no_client_is_called_like_a_claim(world: World, name: str) -> None:
    role = {"key": name, "name": "A role"}
    with pytest.raises(SetupMistake):
        world.apply(tenants=[{"slug": "northwind", "name": "Northwind", "roles": [role]}])
    with pytest.raises(SetupMistake):
        world.apply(
            clients=[
                {
                    "client_id": name,
                    "client_name": "X",
                    "product": "lms",
                    "redirect_uris": ["https://x.example/"],
                }
            ]
        )


def test_sec_81_every_claim_that_we_set_is_a_reserved_name(world: World) -> None:
    add_machine(world)
    tokens = world.browser().tokens()
    machine = world.post("/token", world.basic("lms-batch"), grant_type="client_credentials")
    told = {
        *claims_of(tokens["id_token"]),
        *claims_of(tokens["access_token"]),
        *(world.userinfo(tokens["access_token"]).json or {}),
        *claims_of(str((machine.json or {})["access_token"])),
    }
    assert told <= RESERVED_NAMES


@pytest.mark.parametrize("shape", ["a user's", "0" * 32, "deadbeef" * 4])
def test_sec_81_no_client_is_called_like_a_person(world: World, shape: str) -> None:
    """A machine is its own `sub`: as somebody's it would pass for them."""
    client_id = subject(world, AMARA) if shape == "a user's" else shape
    with pytest.raises(SetupMistake, match="client_id"):
        world.apply(
            clients=[
                {
                    "client_id": client_id,
                    "client_name": "X",
                    "product": "lms",
                    "grant_types": ["client_credentials"],
                }
            ]
        )


def test_sec_81_a_machines_token_opens_nothing_of_a_persons(world: World) -> None:
    answer = world.post("/token", world.basic("lms-batch"), grant_type="client_credentials")
    token = str((answer.json or {})["access_token"])
    assert claims_of(token)["sub"] == "lms-batch"
    assert world.userinfo(token).status_code == 401
    assert world.get("/switcher", Authorization=f"Bearer {token}").status_code == 401


def test_sec_81_a_name_that_reads_like_a_claim_stays_a_name(world: World) -> None:
    name = '", "sub": "' + subject(world, BEN) + '", "x": "'
    world.apply(users=[{"email": AMARA, "name": name}])
    told = world.userinfo(world.browser().tokens(AMARA)["access_token"]).json or {}
    assert (told["sub"], told["name"]) == (subject(world, AMARA), name)


def test_sec_81_a_guest_client_gets_the_scopes_it_registered_and_no_others(world: World) -> None:
    secret = add_third_party(world, scope="openid", first_party=True)
    browser = world.browser()
    asked = {"redirect_uri": "https://guest.example/callback", "scope": "openid email profile x"}
    answer = browser.sign_in(AMARA, client_id=THIRD_PARTY, **asked)
    redeemed = world.post(
        "/token",
        world.basic(THIRD_PARTY, secret),
        grant_type="authorization_code",
        code=sent_back(answer)["code"],
        redirect_uri=asked["redirect_uri"],
        code_verifier="v" * 64,
    )
    assert (redeemed.json or {})["scope"] == "openid"
    told = world.userinfo((redeemed.json or {})["access_token"]).json or {}
    assert "email" not in told
    assert "name" not in told
