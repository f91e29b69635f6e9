"""Invitations, policy, domains and visits; products, clients, keys and operators, at the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.console.calling import Caller, machine, person, platforms_machine, tenants_machine
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.world import AMARA, OLU, World

NORTHWIND = "/tenants/northwind"
NEW = {"email": "new@northwind.example", "roles": ["agent"]}


@pytest.fixture
def ours(either_world: World) -> Caller:
    return tenants_machine(either_world)


@pytest.fixture
def platforms(either_world: World) -> Caller:
    return platforms_machine(either_world)


def test_somebody_is_invited_and_no_answer_has_the_link(ours: Caller) -> None:
    address = f"{NORTHWIND}/invitations"
    made = ours.post(address, NEW)
    one = f"{address}/{told(made, 201)['id']}"
    [(hashed,)] = ours.world.run("SELECT token_hash FROM invitations")
    shown = made.text + ours.get(address).text
    assert hashed not in shown
    assert "/invitation" not in shown.replace("/invitations", "")
    assert ours.post(f"{one}/again").status_code == 204
    assert ours("DELETE", one).status_code == 204
    assert told(ours.get(address))["items"] == []
    is_problem(ours.post(f"{one}/again"), 422)
    is_problem(ours.post(address, {**NEW, "roles": ["account_admin"]}), 403)


def test_policy_is_stated_and_left_to_the_platform(ours: Caller) -> None:
    address = f"{NORTHWIND}/policy"
    stricter = {"session_idle_minutes": 20, "session_absolute_hours": None}
    assert told(ours.change("PUT", address, stricter)) == stricter
    tag = ours.get(address).headers["ETag"]
    assert told(ours("PUT", address, {}, If_Match=tag))["session_idle_minutes"] is None
    is_problem(ours("PUT", address, {}, If_Match=tag), 412)
    is_problem(ours.change("PUT", address, {"session_idle_minutes": 1441}), 422)


def test_a_domain_is_claimed_and_removed(ours: Caller) -> None:
    address = f"{NORTHWIND}/domains"
    made = told(ours.post(address, {"name": "Northwind.Example"}), 201)
    assert made["verified_at"] is None
    assert made["record_text"].startswith("latchkey-domain=")
    assert told(ours.get(f"{address}/{made['id']}")) == made
    is_problem(ours.post(address, {"name": "not a domain"}), 422)
    assert ours("DELETE", f"{address}/{made['id']}").status_code == 204
    is_problem(ours.get(f"{address}/{made['id']}"), 404)


def test_visits_are_seen_and_only_an_account_admin_ends_one(world: World) -> None:
    is_problem(tenants_machine(world).post(f"{NORTHWIND}/visits/none/end"), 403)
    hers = person(world, AMARA)
    assert told(hers.get(f"{NORTHWIND}/visits"))["items"] == []
    is_problem(hers.post(f"{NORTHWIND}/visits/none/end"), 404)


def test_a_product_is_made_and_changed(platforms: Caller) -> None:
    address = "/platform/products"
    made = told(platforms.post(address, {"key": "wiki", "name": "Wiki"}), 201)
    assert made["resource"] == "urn:product:wiki"
    changed = told(platforms.change("PATCH", f"{address}/wiki", {"name": "Wikis"}))
    assert (changed["name"], changed["key"]) == ("Wikis", "wiki")
    keys = [each["key"] for each in told(platforms.get(address))["items"]]
    assert {"lms", "payments", "connections", "wiki"} <= set(keys)
    is_problem(platforms.change("PATCH", f"{address}/wiki", {"color": "red"}), 422)
    is_problem(platforms.get(f"{address}/nothing"), 404)


def test_a_client_tells_its_secret_once(platforms: Caller) -> None:
    """S82: the answer that made it has it, also when it is asked for again by its key."""
    world, address = platforms.world, "/platform/clients"
    new: dict[str, Any] = {
        "client_id": "night-report",
        "client_name": "Night report",
        "product": "lms",
        "grant_types": ["client_credentials"],
        "scope": "reports",
    }
    made = told(platforms.post(address, new, Idempotency_Key="n"), 201)
    again = told(platforms.post(address, new, Idempotency_Key="n"), 201)
    assert made == again
    world.clock.move(2)
    machine(world, "night-report", made["client_secret"])
    second = told(platforms.post(f"{address}/night-report/secrets", {"hours": 24}), 201)
    world.clock.move(2)
    for secret in (made["client_secret"], second["client_secret"]):
        machine(world, "night-report", secret)
        for path in (address, f"{address}/night-report", "/platform/tenants"):
            assert secret not in platforms.get(path).text
        assert secret not in str(world.audit())
    assert platforms.post(f"{address}/night-report/disable").status_code == 204
    assert told(platforms.get(f"{address}/night-report"))["status"] == "disabled"
    assert platforms.post(f"{address}/night-report/enable").status_code == 204
    is_problem(platforms.post(address, {**new, "client_id": "lms"}), 422)
    is_problem(platforms.post(address, {**new, "client_id": "x-y", "product": "nothing"}), 422)


def test_keys_are_told_by_what_everybody_may_know(platforms: Caller) -> None:
    before = told(platforms.get("/platform/keys"))["items"]
    assert {"kid", "alg", "state", "created_at", "active_from", "revoked_at"} == set(before[0])
    made = told(platforms.post("/platform/keys/rotate"))["kids"]
    events = platforms.world.audit("signing_key.made")[-len(made) :]
    assert {(event["actor"], event["client"]) for event in events} == {
        (None, "platform-automation")
    }
    after = told(platforms.get("/platform/keys"))["items"]
    assert {each["kid"] for each in after} == {each["kid"] for each in before} | set(made)


def test_operators_are_made_and_unmade(platforms: Caller) -> None:
    address = "/platform/operators"
    [olu] = told(platforms.get(address))["items"]
    assert olu["email"] == OLU
    is_problem(platforms("DELETE", f"{address}/{olu['id']}"), 422)
    made = told(platforms.post(address, {"email": AMARA}), 201)
    assert told(platforms.get(f"{address}/{made['id']}")) == made
    assert platforms("DELETE", f"{address}/{made['id']}").status_code == 204
    is_problem(platforms("DELETE", f"{address}/{made['id']}"), 404)
