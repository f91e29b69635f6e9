"""A company's identity providers at the API."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory.identity_providers import SECRET_PURPOSE
from tests.console.calling import Caller, machine, person, tenants_machine
from tests.console.company_providers_of import SECRET, columns, verified_domain
from tests.console.people_of import ask, member_id, user_id
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.console.test_company_providers_people import role_id
from tests.world import AMARA, BEN, HANA, World

PROVIDERS = "/tenants/northwind/identity-providers"
NEW: dict[str, Any] = {
    "name": "Northwind Entra",
    "issuer": "https://login.northwind.example/v2.0",
    "client_id": "latchkey",
    "client_secret": SECRET,
}


@pytest.fixture
def caller(either_world: World) -> Caller:
    return tenants_machine(either_world)


def test_a_program_sets_one_up(caller: Caller) -> None:
    world = caller.world
    agent, amara = role_id(world, "agent"), member_id(world, AMARA)
    more = {"is_only_way": True, "left_out": [amara], "admits_role_id": agent}
    more |= {"trusted_amr": ["mfa", "hwk"], "email_claim": "upn"}
    more |= {"hosted_domain": "northwind.example"}
    made = told(caller.post(PROVIDERS, {**NEW, **more}), 201)
    one = f"{PROVIDERS}/{made['id']}"
    assert {name: made[name] for name in more} == more
    assert made["redirect_uri"] == f"http://localhost:8000/login/upstream/{made['id']}/return"
    assert (made["status"], made["domains"]) == ("active", [])
    assert "secret" not in str(made)
    assert told(caller.get(one)) == made
    assert told(caller.get(PROVIDERS))["items"] == [made]
    kept = {name: made[name] for name in ("name", "issuer", "client_id")}
    changed = told(caller.change("PUT", one, {**kept, "name": "Entra"}))
    assert (changed["name"], changed["left_out"], changed["trusted_amr"]) == ("Entra", [], [])
    keys = world.held.secret_keys
    sealed = columns(world, made["id"])["sealed_secret"]
    assert keys.decrypt(sealed, SECRET_PURPOSE).decode() == SECRET
    assert caller.post(f"{one}/disable").status_code == 204
    assert told(caller.get(one))["status"] == "disabled"
    assert caller.post(f"{one}/enable").status_code == 204
    assert caller.change("DELETE", one, None).status_code == 204
    is_problem(caller.get(one), 404)


def test_a_program_routes_a_domain(caller: Caller) -> None:
    made = told(caller.post(PROVIDERS, NEW), 201)
    domain_id = verified_domain(caller.world)
    path = f"/tenants/northwind/domains/{domain_id}/identity-provider"
    assert told(caller.get(path)) == {"provider_id": None}
    for provider_id in (made["id"], None):
        answer = told(caller.change("PUT", path, {"provider_id": provider_id}))
        assert answer == {"provider_id": provider_id}
        domains = ["northwind.example"] if provider_id else []
        assert told(caller.get(f"{PROVIDERS}/{made['id']}"))["domains"] == domains
    is_problem(caller("PUT", path, {"provider_id": None}), 428)
    is_problem(caller("PUT", path, {"provider_id": None}, If_Match='"x"'), 412)
    is_problem(caller("PUT", path, {"provider_id": "nothing"}, If_Match="*"), 404)
    is_problem(caller.get("/tenants/northwind/domains/nothing/identity-provider"), 404)
    is_problem(caller("PUT", path, {}, If_Match="*"), 422)


def test_what_can_not_be_taken_is_told_by_field(caller: Caller) -> None:
    world = caller.world
    theirs = member_id(world, HANA, "harbor")
    for field, value in (
        ("issuer", "http://login.example"),
        ("issuer", "https://accounts.google.com"),
        ("client_secret", "a b"),
        ("left_out", [theirs]),
        ("left_out", [user_id(world, BEN)]),
        ("is_only_way", True),
        ("admits_role_id", role_id(world, "account_admin")),
        ("admits_role_id", role_id(world, "analyst", "harbor")),
        ("trusted_amr", ["pwd"]),
        ("trusted_amr", ["m fa"]),
        ("status", "disabled"),
    ):
        is_problem(caller.post(PROVIDERS, {**NEW, field: value}), 422)
    is_problem(caller.post(PROVIDERS, {k: v for k, v in NEW.items() if k != "client_secret"}), 422)
    assert ask(world, "SELECT * FROM company_providers") == []
    made = told(caller.post(PROVIDERS, NEW), 201)
    moved = {**NEW, "issuer": "https://evil.example", "client_secret": ""}
    is_problem(caller.change("PUT", f"{PROVIDERS}/{made['id']}", moved), 422)


def test_a_person_has_just_proven_a_second_factor(either_world: World) -> None:
    amara = person(either_world, AMARA)
    assert told(amara.get(PROVIDERS))["items"] == []
    refused = amara.post(PROVIDERS, NEW)
    assert refused.status_code == 401
    assert "insufficient_user_authentication" in refused.headers["WWW-Authenticate"]
    assert ask(either_world, "SELECT * FROM company_providers") == []


def test_a_token_without_the_scope_reads_nothing(caller: Caller) -> None:
    unable = machine(caller.world, "northwind-hr", scope="roles.manage")
    is_problem(unable.get(PROVIDERS), 403)
    is_problem(unable.post(PROVIDERS, NEW), 403)
