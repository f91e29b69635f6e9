"""A tenant is ended in one act, for good, with evidence that anybody can check (product.md N9)."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from idp.directory import invitations
from idp.directory.acting import Mistake
from idp.directory.domains import Domain
from idp.evidence import verify
from idp.operators import ending, tenants
from idp.secret_values import new_id
from tests.console.administering import administering
from tests.console.company_providers_of import SOUND, add, link, only_way
from tests.console.operations import operation, operator, send, user_id
from tests.console.test_tenants import DEAD, status_of
from tests.world import AMARA, BEN, HANA, OLU, PRIYA, Visitor, World, claims_of


@pytest.mark.parametrize("typed", ["", "Northwind", "northwind lending", "harbor"])
def test_ending_wants_the_name_typed(either_world: World, typed: str) -> None:
    with pytest.raises(Mistake) as refused, operation(either_world) as opened:
        ending.end(opened, tenants.get_tenant(opened, "northwind"), typed)
    assert list(refused.value.errors) == ["confirm"]
    assert status_of(either_world) == "active"


def end(world: World, slug: str = "northwind") -> Any:
    with operation(world) as opened:
        return ending.end(opened, tenants.get_tenant(opened, slug), slug)


def add_machine(world: World) -> None:
    world.apply(
        clients=[
            {
                "client_id": "northwind-export",
                "client_name": "Export",
                "product": "lms",
                "tenant": "northwind",
                "grant_types": ["client_credentials"],
                "client_secret": "s" * 40,
            }
        ]
    )
    world.clock.move(2)


def test_an_ended_tenant_takes_everything_of_it_along(either_world: World) -> None:
    world = either_world
    add_machine(world)
    tokens = world.browser().tokens(BEN, scope="openid offline_access")
    machine = {"Authorization": world.basic("northwind-export", "s" * 40)["Authorization"]}
    assert world.post("/token", machine, grant_type="client_credentials").status_code == 200
    ended = end(world)
    world.clock.move(1.0)
    assert ended["people"] > 3
    assert ended["sign-ins"] == 1
    assert ended["clients"] >= 1
    assert world.refresh(tokens["refresh_token"]).json == DEAD
    assert world.introspect(tokens["access_token"]) == {"active": False}
    assert world.post("/token", machine, grant_type="client_credentials").status_code == 401
    left = world.run(
        "SELECT count(*) FROM memberships m JOIN tenants t ON t.id = m.tenant_id"
        " WHERE t.slug = 'northwind' AND m.status != 'ended'"
    )
    assert left == [(0,)]
    of_tenant = "SELECT DISTINCT status FROM clients WHERE tenant_id IS NOT NULL"
    assert world.run(of_tenant) == [("disabled",)]
    assert world.browser().tokens(PRIYA)["access_token"]  # in the other company all goes on


def test_an_ended_tenant_never_comes_back_nor_does_its_slug(either_world: World) -> None:
    world = either_world
    end(world)
    with operation(world) as opened:
        tenant = tenants.get_tenant(opened, "northwind")
        for act in (tenants.suspend, tenants.resume):
            with pytest.raises(Mistake):
                act(opened, tenant)
        with pytest.raises(Mistake):
            ending.end(opened, tenant, "northwind")
        with pytest.raises(Mistake):
            tenants.create(opened, "northwind", "Again")
    for described in (
        {"tenants": [{"slug": "northwind", "name": "Northwind", "status": "active"}]},
        {
            "users": [
                {"email": BEN, "name": "Ben", "memberships": [{"tenant": "northwind"}]},
            ]
        },
    ):
        with pytest.raises(Exception, match="this tenant has ended"):
            world.apply(**described)
    assert status_of(world) == "ended"
    assert len(world.audit("tenant.ended")) == 1


def take(world: World, browser: Visitor, slug: str = "northwind") -> zipfile.ZipFile:
    path = f"/operate/tenants/{slug}"
    answer = send(browser, f"{path}/evidence", page=path)
    assert answer.status_code == 200, answer.text
    assert f"{slug}-ended.zip" in answer.headers["Content-Disposition"]
    pack = zipfile.ZipFile(io.BytesIO(answer.data))
    answer.close()
    return pack


def test_the_evidence_can_be_checked_with_nothing_but_the_published_keys(
    either_world: World, tmp_path: Path
) -> None:
    world = either_world
    world.browser().tokens(BEN)
    browser = operator(world)
    page = send(browser, "/operate/tenants/northwind/end", confirm="Northwind Lending")
    assert "Northwind Lending has ended." in browser.follow(page).text
    pack = take(world, browser)
    statement = pack.read("statement.jws").decode()
    keys = KeySet.import_key_set(json.loads(world.get("/jwks").data))
    signed = jws.deserialize_compact(statement, keys, algorithms=["ES256"])
    claims = claims_of(statement)
    assert signed.headers()["typ"] == "tenant-ending+jwt"
    assert claims == json.loads(pack.read("manifest.json"))
    assert (claims["iss"], claims["tenant"]) == (world.settings.issuer, "northwind")
    assert set(claims["files"]) | {"manifest.json", "statement.jws"} == set(pack.namelist())
    for name, told in claims["files"].items():
        assert sha256(pack.read(name)).hexdigest() == told["sha256"]
    people = [json.loads(line) for line in pack.read("people.jsonl").splitlines()]
    assert {"account_admin"} == {
        role for each in people if each["email"] == AMARA for role in each["roles"]
    }
    assert len(people) == claims["ended"]["people"]
    assert b"tenant.ended" in pack.read("audit.jsonl")
    (tmp_path / "audit.jsonl").write_bytes(pack.read("audit.jsonl"))
    proven = verify(tmp_path / "audit.jsonl", json.loads(pack.read("keys.json")))
    assert (proven.faults, proven.claims["tenant"]) == ([], "northwind")
    assert b"harbor" not in b"".join(pack.read(name) for name in pack.namelist()).lower()
    assert len(world.audit("tenant.evidence_taken")) == 1


def test_a_pack_that_was_changed_is_found_out(world: World) -> None:
    end(world)
    pack = take(world, operator(world))
    files = claims_of(pack.read("statement.jws").decode())["files"]
    changed = pack.read("people.jsonl").replace(b"account_admin", b"agent")
    assert sha256(changed).hexdigest() != files["people.jsonl"]["sha256"]


def test_no_evidence_is_signed_of_an_audit_log_that_was_changed(world: World) -> None:
    end(world)
    world.run("DROP TRIGGER audit_events_no_update")
    world.run("UPDATE audit_events SET detail = '{}' WHERE tag = 'tenant.ended'")
    path = "/operate/tenants/northwind"
    answer = send(operator(world), f"{path}/evidence", page=path)
    assert answer.status_code == 500
    assert "The audit log is damaged." in answer.text
    assert len(world.audit("tenant.evidence_refused")) == 1


KEPT = "UPDATE tenant_ending_files SET packed = :packed WHERE name = 'people.jsonl'"
DAMAGES: dict[str, Callable[[World], Any]] = {
    "a line is taken out": lambda world: world.run(KEPT, packed=without_a_line(world)),
    "it can't be unpacked": lambda world: world.run(KEPT, packed=b"damaged"),
    "a file is gone": lambda world: world.run(
        "DELETE FROM tenant_ending_files WHERE name = 'clients.jsonl'"
    ),
    "a file has another name": lambda world: world.run(
        "UPDATE tenant_ending_files SET name = 'staff.jsonl' WHERE name = 'people.jsonl'"
    ),
    "two have changed places": lambda world: world.run(
        "UPDATE tenant_ending_files SET packed = (SELECT f.packed FROM tenant_ending_files f"
        " WHERE f.name = 'domains.jsonl') WHERE name = 'people.jsonl'"
    ),
}


def without_a_line(world: World) -> bytes:
    ((packed,),) = world.run("SELECT packed FROM tenant_ending_files WHERE name = 'people.jsonl'")
    return zlib.compress(b"".join(zlib.decompress(packed).splitlines(keepends=True)[1:]))


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_evidence_is_signed_of_files_that_were_changed(either_world: World, damage: str) -> None:
    world, path = either_world, "/operate/tenants/northwind"
    end(world)
    DAMAGES[damage](world)
    answer = send(operator(world), f"{path}/evidence", page=path)
    assert answer.status_code == 500
    assert "has been changed since. Nothing was signed." in answer.text
    assert len(world.audit("tenant.evidence_refused")) == 1
    assert world.audit("tenant.evidence_taken") == []


def test_what_the_manifest_says_of_the_end_is_what_the_log_says(either_world: World) -> None:
    """Nothing of it rests on a row that can be changed unnoticed."""
    world = either_world
    end(world)
    changed = "UPDATE tenant_endings SET ended_by = 'nobody', ended_at = 1, counts = '{}'"
    world.run(changed)
    claims = claims_of(take(world, operator(world)).read("statement.jws").decode())
    assert claims["ended_by"] == user_id(world, OLU)
    assert claims["ended_at"] == world.clock()
    assert claims["ended"]["people"] > 3


def test_there_is_no_evidence_of_a_tenant_that_goes_on(world: World) -> None:
    browser = operator(world)
    answer = send(
        browser, "/operate/tenants/northwind/evidence", page="/operate/tenants/northwind/end"
    )
    assert answer.status_code == 404


def test_a_statement_of_an_end_is_no_token(world: World) -> None:
    end(world)
    statement = take(world, operator(world)).read("statement.jws").decode()
    assert world.userinfo(statement).status_code == 401
    assert world.introspect(statement) == {"active": False}


def test_open_invitations_and_domains_end_with_the_tenant(either_world: World) -> None:
    world = either_world
    with administering(world) as admin:
        invitations.invite(admin, world.held.secret_keys, "new@acme.example", "staff", [], "en")
        admin.rows.add(
            Domain(
                id=new_id(),
                tenant_id=admin.tenant.id,
                name="northwind.example",
                challenge="x",
                created_at=1.0,
                verified_at=2.0,
            )
        )
    counts = end(world)
    assert (counts["invitations"], counts["domains"]) == (1, 1)
    assert world.run("SELECT count(*) FROM domains") == [(0,)]
    assert world.run("SELECT count(*) FROM invitations WHERE revoked_at IS NULL") == [(0,)]


def test_its_identity_providers_are_written_down_and_who_was_linked_there(
    either_world: World,
) -> None:
    world = either_world
    ours = add(world, **only_way(world, AMARA))
    for key, who in ((ours, BEN), (add(world, HANA, "harbor"), PRIYA)):
        link(world, who, key, f"there-{who}")
    counts = end(world)
    assert (counts["identity-providers"], counts["linked-accounts"]) == (1, 1)
    [provider] = written_down(world, "identity-providers.jsonl")
    assert (provider["provider_id"], provider["name"]) == (ours, SOUND.name)
    assert provider["is_only_way"] is True
    assert not any("secret" in name for name in provider)
    [linked] = written_down(world, "linked-accounts.jsonl")
    assert linked["user_id"] == user_id(world, BEN)
    assert (linked["provider_id"], linked["issuer"]) == (ours, SOUND.issuer)
    assert (linked["subject"], linked["email"]) == (f"there-{BEN}", BEN)
    assert world.run("SELECT count(*) FROM linked_accounts") == [(1,)]


def written_down(world: World, name: str) -> list[dict[str, Any]]:
    [(packed,)] = world.run("SELECT packed FROM tenant_ending_files WHERE name = :n", n=name)
    return [json.loads(line) for line in zlib.decompress(packed).splitlines()]
