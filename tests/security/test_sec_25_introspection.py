"""S25: introspection and userinfo look at whom a token is for, and of what kind it is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import Client

from idp.errors import SetupMistake
from idp.sessions.logout import logout_token_claims
from idp.tokens.signed_tokens import LOGOUT_TOKEN, mint
from tests.security.protocol import (
    KEEPING,
    MACHINE,
    SPA,
    Party,
    is_refused,
    post_as,
    register,
    segment,
    tokens_for,
)
from tests.security.registering import initial_token, registered
from tests.world import AMARA, ISSUER, PRIYA, World, claims_of

OF_NORTHWIND = Party(
    "northwind-reports",
    form={"grant_types": ["client_credentials"], "scope": "reports", "tenant": "northwind"},
)
OF_HARBOR = Party(
    "harbor-reports",
    form={"grant_types": ["client_credentials"], "scope": "reports", "tenant": "harbor"},
)
INACTIVE = {"active": False}


def seen_by(world: World, party: Party, token: str) -> dict[str, Any]:
    answer = post_as(world, party, "/introspect", token=token)
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def machine_token(world: World, party: Party) -> str:
    answer = post_as(world, party, "/token", grant_type="client_credentials")
    return str((answer.json or {})["access_token"])


def logout_token(world: World) -> str:
    now = world.clock()
    key = world.held.key_ring.current(now).signer("ES256", now)
    lms, keys = world.held.catalog.current(now).clients["lms"], world.held.secret_keys
    claims = logout_token_claims(ISSUER, lms, {"sub": "x", "sid": "x"}, keys, now)
    return mint(key, LOGOUT_TOKEN, {**claims, "client_id": "lms", "scope": "openid"})


def not_access_tokens(world: World, tokens: dict[str, Any]) -> dict[str, str]:
    access = str(tokens["access_token"])
    header, payload, signature = access.split(".")
    stolen = claims_of(access)
    return {
        "an ID token": tokens["id_token"],
        "a refresh token": tokens["refresh_token"],
        "a logout token": logout_token(world),
        "a token cut off by a letter": access[:-1],
        "a token without a signature": f"{header}.{payload}",
        "a token with an empty signature": f"{header}.{payload}.",
        "a token with a part more": f"{access}.{signature}",
        "a token of half the length": access[: len(access) // 2],
        "a payload alone": payload,
        "somebody else's payload": f"{header}.{segment({**stolen, 'sub': 'x'})}.{signature}",
        "an unsigned token": f"{segment({'alg': 'none', 'typ': 'at+jwt'})}.{payload}.",
        "a token with white space in it": f"{header}. {payload}.{signature}",
        "no token": "x",
        "no text": "é",
    }


def test_sec_25_nobody_asks_about_tokens_without_proving_who_they_are(world: World):
    register(world, KEEPING, SPA)
    token = tokens_for(world, SPA)["access_token"]
    for headers, form in (
        ({}, {}),
        ({}, {"client_id": "spa"}),
        ({}, {"client_id": "keeping"}),
        (world.basic("keeping", "wrong"), {}),
        ({"Authorization": f"Bearer {token}"}, {}),
    ):
        answer = world.post("/introspect", headers, token=token, **form)
        assert is_refused(answer, "invalid_client", 401), form


def test_sec_25_another_products_token_is_not_active(world: World):
    tokens = world.browser().tokens(client_id="payments")
    assert world.introspect(tokens["access_token"], "payments")["active"]
    for client_id in ("lms", "connections"):
        assert world.introspect(tokens["access_token"], client_id) == INACTIVE
        assert world.introspect(tokens["refresh_token"], client_id) == INACTIVE


def test_sec_25_another_clients_refresh_token_is_not_active(world: World):
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING)
    assert seen_by(world, KEEPING, tokens["refresh_token"])["active"]
    assert world.introspect(tokens["refresh_token"]) == INACTIVE


def test_sec_25_another_companys_token_is_not_active(world: World):
    """A machine that belongs to one company learns nothing of another one's people."""
    register(world, KEEPING, OF_NORTHWIND, OF_HARBOR)
    amaras = tokens_for(world, KEEPING, AMARA)["access_token"]
    priyas = tokens_for(world, KEEPING, PRIYA, tenant="harbor")["access_token"]
    machines = machine_token(world, OF_HARBOR)
    expected = {OF_NORTHWIND: {amaras: True, priyas: False, machines: False}}
    expected[OF_HARBOR] = {amaras: False, priyas: True, machines: True}
    expected[KEEPING] = {amaras: True, priyas: True, machines: True}
    for party, answers in expected.items():
        for token, active in answers.items():
            seen = seen_by(world, party, token)
            assert seen["active"] is active, (party.client_id, claims_of(token).get("tenant"))
            assert active or seen == INACTIVE


def test_sec_25_only_an_access_token_is_one(world: World):
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING)
    assert world.userinfo(tokens["access_token"]).status_code == 200
    for what, other in not_access_tokens(world, tokens).items():
        answer = world.get("/userinfo", Authorization=f"Bearer {other}".encode().decode("latin-1"))
        assert is_refused(answer, "invalid_token", 401), what
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"], what
        in_form = Client(world.app).post("/userinfo", data={"access_token": other})
        assert is_refused(in_form, "invalid_token", 401), what
        if what != "a refresh token":
            assert seen_by(world, KEEPING, other) == INACTIVE, what


def test_sec_25_a_header_that_is_no_bearer_token_is_refused(world: World):
    token = world.browser().tokens()["access_token"]
    for value in (token, f"Basic {token}", f"DPoP {token}", f"Bearer{token}", "Bearer", "Bearer "):
        assert world.get("/userinfo", Authorization=value).status_code == 401, value[:12]
    assert world.get("/userinfo").status_code == 401


def test_sec_25_a_machine_is_no_person(world: World):
    register(world, MACHINE)
    answer = world.userinfo(machine_token(world, MACHINE))
    assert is_refused(answer, "invalid_token", 401)


def test_sec_25_a_token_without_openid_is_not_for_userinfo(world: World):
    register(world, KEEPING)
    token = tokens_for(world, KEEPING, scope="email")["access_token"]
    assert claims_of(token)["aud"] == "urn:product:lms"
    assert is_refused(world.userinfo(token), "insufficient_scope", 403)
    assert world.introspect(token)["active"]


def test_sec_25_who_registered_itself_learns_of_its_own_tokens_alone(world: World):
    """It is a client of the product, and none of its APIs."""
    grants = ["authorization_code", "client_credentials"]
    register(world, MACHINE)
    initial = initial_token(world, grant_types=grants, scope="openid loans.read")
    told = registered(world, initial, grant_types=grants)
    proof = world.basic(told["client_id"], told["client_secret"])
    others = [world.browser().tokens()["access_token"], machine_token(world, MACHINE)]
    own = world.post("/token", proof, grant_type="client_credentials").json or {}
    for token in others:
        assert world.introspect(token)["active"]
        assert world.post("/introspect", proof, token=token).json == INACTIVE
    assert (world.post("/introspect", proof, token=own["access_token"]).json or {})["active"]


def test_sec_25_a_token_that_has_expired_is_none(world: World):
    tokens = world.browser().tokens()
    world.clock.move(599)
    assert world.userinfo(tokens["access_token"]).status_code == 200
    world.clock.move(1)
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert world.introspect(tokens["access_token"]) == INACTIVE


def test_sec_25_an_inactive_token_tells_nothing_of_itself(world: World):
    register(world, KEEPING)
    tokens = tokens_for(world, KEEPING)
    world.run("UPDATE users SET status = 'disabled'")
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert seen_by(world, KEEPING, token) == INACTIVE
    answer = world.userinfo(tokens["access_token"])
    assert claims_of(tokens["access_token"])["sub"] not in json.dumps(answer.json)


OWNERS = {
    "another product": ("product", "payments"),
    "a company": ("tenant", "northwind"),
}


@pytest.mark.parametrize("to", OWNERS)
def test_sec_25_a_client_is_not_moved_with_what_it_was_given(either_world: World, to: str):
    """By a file; the console and the API go by the same rule."""
    register(either_world, KEEPING)
    field, value = OWNERS[to]
    with pytest.raises(SetupMistake, match=f"{field}: A client stays where it was registered"):
        register(either_world, replace(KEEPING, form={**KEEPING.form, field: value}))
    found = either_world.run(
        "SELECT product_key, tenant_id FROM clients WHERE client_id = 'keeping'"
    )
    assert found == [("lms", None)]


def test_sec_25_a_companys_client_is_not_made_everybodys(either_world: World):
    register(either_world, OF_NORTHWIND)
    for tenant in (None, "harbor"):
        moved = replace(OF_NORTHWIND, form={**OF_NORTHWIND.form, "tenant": tenant})
        with pytest.raises(SetupMistake, match="tenant: A client stays"):
            register(either_world, moved)


def test_sec_25_a_token_counts_for_the_product_that_it_names_alone(either_world: World):
    """Even if its client were another product's by now: what it was given stays behind."""
    world = either_world
    register(world, KEEPING, MACHINE)
    tokens = tokens_for(world, KEEPING, scope="openid profile")
    of_machine = machine_token(world, MACHINE)
    assert seen_by(world, KEEPING, of_machine)["active"]
    world.run("UPDATE clients SET product_key = 'payments'")
    world.run("UPDATE catalog_version SET version = version + 1")
    world.clock.move(2)
    for token in (tokens["access_token"], of_machine):
        for party in (KEEPING, MACHINE):
            assert seen_by(world, party, token) == INACTIVE
    assert world.userinfo(tokens["access_token"]).status_code == 401


def test_sec_25_a_machine_is_described_as_it_is_registered_now(either_world: World):
    world = either_world
    form = {"grant_types": ["client_credentials"], "scope": "a b"}
    nodes = ["loans.read", "loans.write"]
    machine = Party("narrowed", form={**form, "permissions": nodes})
    register(world, machine, KEEPING)
    token = machine_token(world, machine)
    seen = seen_by(world, KEEPING, token)
    assert (seen["scope"], seen["permissions"]) == ("a b", nodes)
    register(world, replace(machine, form={**form, "scope": "b", "permissions": nodes[:1]}))
    seen = seen_by(world, KEEPING, token)
    assert (seen["scope"], seen["permissions"]) == ("b", nodes[:1])
    of_people = {"grant_types": ["authorization_code"], "redirect_uris": ["https://x.example/"]}
    register(world, replace(machine, form=of_people))
    assert seen_by(world, KEEPING, token) == INACTIVE


def test_sec_25_a_machine_of_another_company_has_nothing_of_one_that_had_its_name(
    either_world: World,
):
    world = either_world
    register(world, OF_NORTHWIND, KEEPING)
    token = machine_token(world, OF_NORTHWIND)
    assert seen_by(world, KEEPING, token)["active"] is True
    world.run(
        "UPDATE clients SET tenant_id = (SELECT id FROM tenants WHERE slug = 'harbor')"
        " WHERE client_id = :client",
        client=OF_NORTHWIND.client_id,
    )
    world.run("UPDATE catalog_version SET version = version + 1")
    world.clock.move(2)
    assert seen_by(world, KEEPING, token) == INACTIVE
