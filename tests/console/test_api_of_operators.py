"""What operators' pages do, done by the platform's program: trees, clients and their secrets, keys,
first admins, evidence, health."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest

from idp import evidence
from idp.operators import health
from tests.console.calling import Caller, machine, platforms_machine, tenants_machine
from tests.console.people_of import letters
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.world import AMARA, World

NODES = "/platform/products/connections/nodes"
CLIENT = "/platform/clients/lms"
PRIVATE_KEY = {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}


@pytest.fixture
def platforms(either_world: World) -> Caller:
    return platforms_machine(either_world)


def keys_of(caller: Caller, path: str = NODES) -> list[str]:
    return [each["key"] for each in told(caller.get(path))["items"]]


def test_a_tree_grows_is_changed_and_pruned(platforms: Caller) -> None:
    before = keys_of(platforms)
    new = {"key": "banks", "name": "Banks", "parent": "connections"}
    made = platforms.post(NODES, new, Idempotency_Key="n")
    assert told(made, 201) == {**new, "description": "", "id": "banks"}
    assert made.headers["Location"] == f"/api/v1{NODES}/banks"
    assert platforms.post(NODES, new, Idempotency_Key="n").data == made.data
    told(platforms.post(NODES, {"key": "bank-a", "name": "Bank A", "parent": "banks"}), 201)
    told(platforms.post(NODES, {"key": "bank-b", "name": "Bank B", "parent": "banks"}), 201)
    assert platforms.post(f"{NODES}/bank-b/move", {"to": "up"}).status_code == 204
    order = keys_of(platforms)
    assert order.index("banks") < order.index("bank-b") < order.index("bank-a")
    moved = told(platforms.change("PATCH", f"{NODES}/bank-a", {"parent": None, "name": "A"}))
    assert (moved["parent"], moved["name"]) == (None, "A")
    assert platforms("DELETE", f"{NODES}/banks").status_code == 204
    assert platforms("DELETE", f"{NODES}/bank-a").status_code == 204
    assert keys_of(platforms) == before


def test_whose_roles_lose_a_node_is_seen_before(platforms: Caller) -> None:
    whole = told(platforms.get(f"{NODES}/company-view/roles"))
    assert whole["total"] == len(whole["shown"])
    lms = told(platforms.get("/platform/products/lms/nodes/loans.read/roles"))
    assert {"tenant", "role", "nodes"} == set(lms["shown"][0])
    assert "Northwind Lending" in {each["tenant"] for each in lms["shown"]}


REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("POST", NODES, {"key": "connections.read", "name": "Again"}, 422, "key"),
    ("POST", NODES, {"key": "No Key", "name": "x"}, 422, "key"),
    ("POST", NODES, {"key": "x", "name": "x", "parent": "nowhere"}, 422, "parent"),
    ("POST", "/platform/products/console/nodes", {"key": "x", "name": "x"}, 422, "key"),
    ("POST", "/platform/products/nothing/nodes", {"key": "x", "name": "x"}, 404, ""),
    ("PATCH", f"{NODES}/company-view", {"parent": "connections"}, 422, "parent"),
    ("PATCH", f"{NODES}/company-view", {"name": None}, 422, "name"),
    ("PATCH", f"{NODES}/nowhere", {"name": "x"}, 404, ""),
    ("DELETE", f"{NODES}/nowhere", None, 404, ""),
    ("DELETE", "/platform/products/console/nodes/people.read", None, 422, "key"),
    ("POST", f"{NODES}/nowhere/move", {"to": "up"}, 404, ""),
    ("POST", f"{NODES}/company-view/move", {"to": "left"}, 422, "to"),
    ("GET", f"{NODES}/nowhere/roles", None, 404, ""),
    ("PATCH", CLIENT, {"redirect_uris": None}, 422, "redirect_uris"),
    ("PATCH", CLIENT, {"redirect_uris": ["javascript:x"]}, 422, "redirect_uris"),
    ("PATCH", CLIENT, {"jwks": PRIVATE_KEY}, 422, "jwks"),
    ("PATCH", CLIENT, {"tenant": "nowhere"}, 422, "tenant"),
    ("PATCH", CLIENT, {"product": "payments"}, 422, "product"),
    ("PATCH", CLIENT, {"client_secret": "x" * 40}, 422, "client_secret"),
    ("PATCH", "/platform/clients/nobody", {"client_name": "x"}, 404, ""),
    ("DELETE", f"{CLIENT}/secrets/0000000000000000", None, 404, ""),
    ("POST", "/platform/keys/nothing/revoke", {"confirm": "ES256"}, 404, ""),
    ("POST", "/platform/tenants/northwind/invite", {"email": "a@b.example"}, 422, "email"),
    ("POST", "/platform/tenants/nowhere/invite", {"email": "a@b.example"}, 404, ""),
    ("POST", "/platform/tenants/northwind/evidence", None, 404, ""),
    ("GET", "/platform/audit-events/1-0000000000000000", None, 404, ""),
]


def test_what_the_pages_refuse_is_refused(platforms: Caller) -> None:
    world = platforms.world
    before = [world.run(f"SELECT * FROM {table}") for table in ("clients", "permissions")]
    for method, path, body, status, field in REFUSED:
        headers = {"If_Match": "*"} if method in ("PATCH", "DELETE") else {}
        answer = platforms(method, path, body, **headers)
        assert answer.status_code == status, f"{method} {path} {body}: {answer.text}"
        assert not field or list(is_problem(answer, status)["errors"]) == [field]
    assert [world.run(f"SELECT * FROM {t}") for t in ("clients", "permissions")] == before


def test_a_product_gets_another_audience_and_no_way_into_it(platforms: Caller) -> None:
    address = "/platform/products/connections"
    more = {"resource": "https://api.connections.example", "launch_client": None}
    changed = told(platforms.change("PATCH", address, more))
    assert (changed["resource"], changed["launch_client_id"]) == (more["resource"], None)
    back = told(platforms.change("PATCH", address, {"launch_client": "connections"}))
    assert back == {**changed, "launch_client_id": "connections"}
    for wrong in ({"name": None}, {"resource": "no address"}, {"launch_client": "lms"}):
        is_problem(platforms.change("PATCH", address, wrong), 422)
    assert told(platforms.get(address)) == back


def test_a_client_is_changed_by_who_read_it(platforms: Caller) -> None:
    shown = told(platforms.get(CLIENT))
    is_problem(platforms("PATCH", CLIENT, {"client_name": "Loans"}), 428)
    tag = platforms.get(CLIENT).headers["ETag"]
    more = {"default_max_age": 600, "refresh_token_rotation": True, "client_name": "Loans"}
    changed = platforms("PATCH", CLIENT, more, If_Match=tag)
    assert told(changed) == {**shown, **more, "client_secret": None}
    is_problem(platforms("PATCH", CLIENT, {"scope": "openid"}, If_Match=tag), 412)
    less = platforms("PATCH", CLIENT, {"default_max_age": None}, If_Match=changed.headers["ETag"])
    assert told(less)["default_max_age"] is None
    [event] = platforms.world.audit("client.changed")[-1:]
    assert event["fields"] == {"default_max_age": [600, None]}


def test_a_secret_is_replaced_and_the_old_one_removed(platforms: Caller) -> None:
    world, address = platforms.world, "/platform/clients/lms-batch/secrets"
    [old] = told(platforms.get(address))["items"]
    is_problem(platforms("DELETE", f"{address}/{old['id']}"), 422)  # the only one
    made = told(platforms.post(address, {"hours": 24}), 201)
    assert {each["id"] for each in told(platforms.get(address))["items"]} == {made["id"], old["id"]}
    world.clock.move(2)
    machine(world, "lms-batch")
    assert platforms("DELETE", f"{address}/{old['id']}").status_code == 204
    world.clock.move(2)
    machine(world, "lms-batch", made["client_secret"])
    answer = world.post("/token", world.basic("lms-batch"), grant_type="client_credentials")
    assert answer.status_code == 401
    assert made["client_secret"] not in platforms.get(address).text


def test_a_key_is_revoked_by_who_names_its_algorithm(platforms: Caller) -> None:
    [kid, *_others] = told(platforms.post("/platform/keys/rotate"))["kids"]
    platforms.world.clock.move(2)
    alg, state = known_keys(platforms)[kid]
    assert state == "published, not signing yet"
    clients = told(platforms.get("/platform/clients?limit=100"))["items"]
    shown = told(platforms.get(f"/platform/keys/{kid}"))
    assert 0 <= shown["clients_of_access_tokens"] <= len(clients)
    address = f"/platform/keys/{kid}/revoke"
    is_problem(platforms.post(address, {"confirm": "none"}), 422)
    assert platforms.post(address, {"confirm": alg}).status_code == 204
    is_problem(platforms.post(address, {"confirm": alg}), 404)
    is_problem(platforms.get(f"/platform/keys/{kid}"), 404)
    platforms.world.clock.move(2)
    assert known_keys(platforms)[kid] == (alg, "revoked")


def known_keys(caller: Caller) -> dict[str, tuple[str, str]]:
    items = told(caller.get("/platform/keys"))["items"]
    return {each["kid"]: (each["alg"], each["state"]) for each in items}


def test_a_company_gets_its_first_admin_and_its_end_leaves_evidence(platforms: Caller) -> None:
    world, address = platforms.world, "/platform/tenants/pinewood"
    new = {"slug": "pinewood", "name": "Pinewood Homes", "account_admin": "no address"}
    is_problem(platforms.post("/platform/tenants", new), 422)
    is_problem(platforms.get(address), 404)
    told(platforms.post("/platform/tenants", {**new, "account_admin": "a@pine.example"}), 201)
    assert platforms.post(f"{address}/invite", {"email": "b@pine.example"}).status_code == 204
    invited = {each["to"] for each in letters(world) if each["template"] == "invitation"}
    assert invited == {"a@pine.example", "b@pine.example"}
    told(platforms.post(f"{address}/end", {"confirm": "pinewood"}))
    packed = platforms.post(f"{address}/evidence")
    assert (packed.status_code, packed.mimetype) == (200, "application/zip")
    assert "manifest.json" in zipfile.ZipFile(BytesIO(packed.data)).namelist()
    packed.close()
    assert len(world.audit("tenant.evidence_taken")) == 1


def test_an_audit_log_is_read_event_by_event_and_taken_away_whole(
    platforms: Caller, tmp_path: Path
) -> None:
    ours = tenants_machine(platforms.world)
    told(ours.post("/tenants/northwind/roles", {"name": "Auditor"}), 201)
    told(platforms.post("/platform/operators", {"email": AMARA}), 201)
    jwks = platforms.world.get("/jwks").json or {}
    for caller, base in ((ours, "/tenants/northwind"), (platforms, "/platform")):
        newest, *_older = told(caller.get(f"{base}/audit-events"))["items"]
        assert told(caller.get(f"{base}/audit-events/{newest['id']}")) == newest
        taken = caller.get(f"{base}/audit-evidence")
        assert (taken.status_code, taken.mimetype) == (200, "application/jsonl")
        file = tmp_path / "audit.jsonl"
        file.write_bytes(taken.data)
        taken.close()
        assert evidence.verify(file, jwks).faults == []
        assert orjson.loads(file.read_bytes().splitlines()[-2])["event"]["tag"] == newest["tag"]
    unable = machine(platforms.world, "northwind-hr")
    is_problem(unable.get("/tenants/northwind/audit-evidence"), 403)
    is_problem(unable.get("/tenants/northwind/audit-events/1-0"), 403)


def test_health_is_told_as_the_page_tells_it(platforms: Caller) -> None:
    world = platforms.world
    unseen = told(platforms.get("/platform/health"))
    assert (unseen["is_well"], unseen["worker_seen_at"]) == (False, None)
    faults = {each["name"] for each in unseen["findings"] if each["fault"]}
    assert (len(unseen["findings"]), faults) == (7, {"mail"})  # a world sends none
    health.tell_of_worker(world.held, world.clock())
    seen = told(platforms.get("/platform/health"))
    assert (seen["is_worker_late"], seen["is_behind"]) == (False, False)
    world.clock.move(health.LATE + 1)
    late = told(platforms_machine(world).get("/platform/health"))
    assert (late["is_worker_late"], late["is_behind"]) == (True, False)
    narrow = machine(world, "platform-automation", scope="keys.manage")
    for path in ("/platform/health", NODES, f"{CLIENT}/secrets", "/platform/audit-evidence"):
        is_problem(narrow.get(path), 403)
