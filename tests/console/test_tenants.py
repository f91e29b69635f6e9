"""Operators look after tenants: find, make, suspend, resume and end them."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from joserfc import jws
from joserfc.jwk import KeySet

from idp.directory import invitations
from idp.directory.acting import Forbidden, Mistake, NotFound, RecentSignInNeeded
from idp.directory.domains import Domain
from idp.directory.paging import CursorRefused
from idp.directory.tenants import Tenant
from idp.evidence import verify
from idp.operators import ending, tenants
from idp.operators.tenants import Invited, Wanted
from idp.outbox import OutboxMessage
from idp.secret_values import new_id
from idp.sessions import logout
from tests.console.administering import administering
from tests.console.operations import operation, operator, send, user_id
from tests.world import AMARA, BEN, HANA, OLU, PRIYA, Visitor, World, claims_of

ALL = Wanted()
DEAD = {"error": "invalid_grant", "error_description": "The grant is no longer valid."}


def invited(world: World, email: str) -> Invited:
    return Invited(world.held.secret_keys, email, "en")


def found(world: World, wanted: Wanted = ALL, cursor: str = "", size: int = 50) -> Any:
    with operation(world) as opened:
        return tenants.find_tenants(opened, world.held.secret_keys, wanted, cursor, size)


def status_of(world: World, slug: str = "northwind") -> str:
    return str(world.run("SELECT status FROM tenants WHERE slug = :slug", slug=slug)[0][0])


def add_tenants(world: World, count: int) -> None:
    with world.held.database.session() as session:
        session.add_all(
            Tenant(id=new_id(), slug=f"t{number:05}", name=f"Company {number:05}", created_at=1.0)
            for number in range(count)
        )


def test_tenants_are_listed_by_name_and_page_by_page(either_world: World) -> None:
    add_tenants(either_world, 7)
    pages, cursor = [], ""
    while True:
        page = found(either_world, cursor=cursor, size=3)
        pages.append([each.name for each in page.tenants])
        cursor = page.next or ""
        if not cursor:
            break
    names = [name for page in pages for name in page]
    assert names == [f"Company {number:05}" for number in range(7)] + [
        "Harbor Credit Union",
        "Northwind Lending",
    ]
    assert [len(page) for page in pages] == [3, 3, 3]


@pytest.mark.parametrize("search", ["north", "NORTHWIND l", "northwind", "  Nor "])
def test_a_tenant_is_found_by_the_beginning_of_its_name_or_slug(
    either_world: World, search: str
) -> None:
    assert [each.slug for each in found(either_world, Wanted(search)).tenants] == ["northwind"]


@pytest.mark.parametrize("search", ["%", "_orthwind", "lending", "north%", "\\", "x" * 5000])
def test_what_is_searched_for_is_text_and_no_pattern(either_world: World, search: str) -> None:
    assert found(either_world, Wanted(search)).tenants == []


def test_tenants_are_found_by_status(either_world: World) -> None:
    either_world.run("UPDATE tenants SET status = 'suspended' WHERE slug = 'harbor'")
    assert [each.slug for each in found(either_world, Wanted("", "suspended")).tenants] == [
        "harbor"
    ]


def test_a_cursor_of_another_search_or_of_nobody_is_refused(either_world: World) -> None:
    add_tenants(either_world, 3)
    cursor = found(either_world, size=1).next
    for wanted, forged in ((Wanted("comp"), cursor), (ALL, cursor[:-2] + "xx"), (ALL, "x")):
        with pytest.raises(CursorRefused):
            found(either_world, wanted, forged)


@pytest.mark.parametrize("wanted", [Wanted(), Wanted("company 09"), Wanted("", "suspended")])
def test_ten_thousand_tenants_are_never_read_from_end_to_end(
    either_world: World, wanted: Wanted
) -> None:
    add_tenants(either_world, 10_000)
    either_world.run("ANALYZE tenants")
    statement = tenants._narrowed(wanted).limit(51)
    engine = either_world.held.database.engine
    compiled = statement.compile(engine, compile_kwargs={"literal_binds": True})
    asked = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    with engine.connect() as connection:
        plan = "\n".join(str(row) for row in connection.execute(sa.text(asked + str(compiled))))
    assert "Seq Scan" not in plan
    assert "SCAN tenants'" not in plan, plan


def test_a_new_tenant_has_an_account_admins_role_and_nobody_in_it(either_world: World) -> None:
    with operation(either_world) as opened:
        zoe = invited(either_world, "Zoe@acme.example")
        made = tenants.create(opened, "acme", "Acme Loans", zoe)
        assert tenants.facts(opened, made) == (0, 0, 0)
    roles = either_world.run(
        "SELECT r.key, r.all_permissions FROM roles r JOIN tenants t ON t.id = r.tenant_id"
        " WHERE t.slug = 'acme'"
    )
    assert [(key, bool(has_all)) for key, has_all in roles] == [("account_admin", True)]
    assert [event["slug"] for event in either_world.audit("tenant.created")] == ["acme"]
    (sent,) = either_world.run("SELECT email, role_ids FROM invitations")
    role = either_world.run(
        "SELECT r.id FROM roles r JOIN tenants t ON t.id = r.tenant_id WHERE t.slug = 'acme'"
    )
    assert sent == ("Zoe@acme.example", f'["{role[0][0]}"]')


@pytest.mark.parametrize(
    ("slug", "name", "field"),
    [
        ("northwind", "Another", "slug"),
        ("Northwind", "Another", "slug"),
        ("a", "Too short", "slug"),
        ("1st", "A digit first", "slug"),
        ("a/../b", "A path", "slug"),
        ("good", "", "name"),
        ("good", "two\nlines", "name"),
        ("good", "x" * 121, "name"),
    ],
)
def test_what_a_tenant_can_not_be_called(
    either_world: World, slug: str, name: str, field: str
) -> None:
    before = either_world.run("SELECT count(*) FROM tenants")
    with pytest.raises(Mistake) as refused, operation(either_world) as opened:
        tenants.create(opened, slug, name)
    assert list(refused.value.errors) == [field]
    assert either_world.run("SELECT count(*) FROM tenants") == before


def test_no_tenant_is_made_without_an_address_to_invite(either_world: World) -> None:
    for email in ("", "nobody", "a@b@c.example"):
        meant = invited(either_world, email)
        with pytest.raises(Mistake) as refused, operation(either_world) as opened:
            tenants.create(opened, "acme", "Acme", meant)
        assert list(refused.value.errors) == ["email"]
    assert either_world.run("SELECT count(*) FROM tenants WHERE slug = 'acme'") == [(0,)]


def test_an_account_admin_is_invited_where_there_is_none_and_nowhere_else(
    either_world: World,
) -> None:
    def invite(slug: str) -> None:
        with operation(either_world) as opened:
            tenant = tenants.get_tenant(opened, slug)
            tenants.invite_account_admin(opened, tenant, invited(either_world, HANA))

    with pytest.raises(Mistake):
        invite("northwind")
    assert either_world.run("SELECT count(*) FROM invitations") == [(0,)]
    either_world.run("UPDATE users SET status = 'disabled' WHERE email = :e", e=AMARA)
    invite("northwind")
    assert either_world.run("SELECT email FROM invitations") == [(HANA,)]


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
    counts = end(world).counts
    assert (counts["invitations"], counts["domains"]) == (1, 1)
    assert world.run("SELECT count(*) FROM domains") == [(0,)]
    assert world.run("SELECT count(*) FROM invitations WHERE revoked_at IS NULL") == [(0,)]


def test_what_was_typed_stays_when_it_can_not_be_taken(world: World) -> None:
    browser = operator(world)
    page = send(
        browser, "/operate/tenants/new", slug="northwind", name="Acme <b>", email="z@acme.example"
    )
    assert page.status_code == 422
    assert 'value="Acme &lt;b&gt;"' in page.text
    assert 'href="#slug"' in page.text
    made = send(
        browser, "/operate/tenants/new", slug="acme", name="Acme Loans", email="z@acme.example"
    )
    assert made.headers["Location"] == "/operate/tenants/acme"
    assert "Acme Loans has been made, and z@acme.example is invited." in browser.follow(made).text


def test_suspending_tells_first_what_happens_to_how_many(world: World) -> None:
    world.browser().tokens(BEN)
    page = operator(world).get("/operate/tenants/northwind/suspend").text
    people = world.run(
        "SELECT count(*) FROM memberships m JOIN tenants t ON t.id = m.tenant_id"
        " WHERE t.slug = 'northwind' AND m.status = 'active'"
    )[0][0]
    assert f"{people} people open nothing in it any more." in page
    assert "1 of them is signed into a product now" in page
    assert status_of(world) == "active"


def test_a_suspended_tenant_is_dead_within_a_second_and_alive_again_when_resumed(
    either_world: World,
) -> None:
    world = either_world
    tokens = world.browser().tokens(BEN, scope="openid offline_access")
    elsewhere = world.browser().tokens(HANA)
    with operation(world) as opened:
        tenants.suspend(opened, tenants.get_tenant(opened, "northwind"))
    world.clock.move(1.0)
    assert world.refresh(tokens["refresh_token"]).json == DEAD
    assert world.introspect(tokens["access_token"]) == {"active": False}
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert world.browser().enter("/manage/northwind", AMARA).status_code != 200
    assert world.introspect(elsewhere["access_token"])["active"] is True
    with operation(world) as opened:
        tenants.resume(opened, tenants.get_tenant(opened, "northwind"))
    world.clock.move(1.0)
    assert world.introspect(tokens["access_token"])["active"] is True


def test_products_are_told_of_the_tenant_they_are_signed_in_for_alone(either_world: World) -> None:
    world = either_world
    world.browser().tokens(BEN)
    world.browser().tokens(HANA)
    moved_on = world.browser()
    moved_on.tokens(PRIYA, tenant="northwind")
    world.clock.move(5)
    moved_on.tokens(PRIYA, tenant="harbor")
    with operation(world) as opened:
        assert tenants.suspend(opened, tenants.get_tenant(opened, "northwind")) == 1
    ben = world.run("SELECT id FROM users WHERE email_canonical = :e", e=BEN)[0][0]
    with world.held.database.session() as session:
        sent = sa.select(OutboxMessage).where(OutboxMessage.kind == logout.MESSAGE)
        told = session.scalars(sent).all()
        assert [(each.client_id, each.payload["sub"]) for each in told] == [("lms", ben)]


def test_of_two_who_suspend_at_once_one_does_it(either_world: World) -> None:
    with operation(either_world) as opened:
        tenant = tenants.get_tenant(opened, "northwind")
        tenants.suspend(opened, tenant)
        with pytest.raises(Mistake):
            tenants.suspend(opened, tenant)
    assert len(either_world.audit("tenant.suspended")) == 1


def test_suspending_resuming_and_ending_want_a_recent_sign_in(either_world: World) -> None:
    old = either_world.clock() - 901
    acts: list[Any] = [
        tenants.suspend,
        tenants.resume,
        lambda o, t: ending.end(o, t, "northwind"),
    ]
    for act in acts:
        with pytest.raises(RecentSignInNeeded), operation(either_world, auth_time=old) as opened:
            act(opened, tenants.get_tenant(opened, "northwind"))
    assert status_of(either_world) == "active"


def test_each_rule_asks_for_the_right_itself(either_world: World) -> None:
    with operation(either_world) as opened:
        tenant = tenants.get_tenant(opened, "northwind")
    keys = either_world.held.secret_keys
    acts: list[Any] = [
        lambda o: tenants.find_tenants(o, keys, Wanted()),
        lambda o: tenants.get_tenant(o, "northwind"),
        lambda o: tenants.facts(o, tenant),
        lambda o: tenants.create(o, "acme", "Acme"),
        lambda o: tenants.invite_account_admin(o, tenant, invited(either_world, OLU)),
        lambda o: tenants.suspend(o, tenant),
        lambda o: tenants.resume(o, tenant),
        lambda o: ending.end(o, tenant, "northwind"),
    ]
    for act in acts:
        with (
            pytest.raises(Forbidden),
            operation(either_world, permissions=frozenset({"keys.manage"})) as opened,
        ):
            act(opened)
    assert status_of(either_world) == "active"


def test_a_tenants_admin_finds_none_of_it(world: World) -> None:
    browser = world.browser()
    browser.tokens(AMARA)
    for path in ("", "/new", "/northwind", "/northwind/suspend", "/northwind/end"):
        assert browser.get(f"/operate/tenants{path}").status_code == 404
    assert status_of(world) == "active"


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
    assert ended.counts["people"] > 3
    assert ended.counts["sign-ins"] == 1
    assert ended.counts["clients"] >= 1
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


def test_an_unknown_tenant_is_not_found(world: World) -> None:
    with pytest.raises(NotFound), operation(world) as opened:
        tenants.get_tenant(opened, "nobody")


def test_pages_of_the_list_are_linked(world: World) -> None:
    add_tenants(world, 60)
    browser = operator(world)
    page = browser.get("/operate/tenants?search=company")
    link = re.findall(r'href="([^"]+)" rel="next"', page.text)[0]
    assert link.startswith("?search=company&amp;after=")
    assert "Company 00049" in page.text
    assert "Company 00050" in browser.get("/operate/tenants" + unescape(link)).text
    assert browser.get("/operate/tenants?after=forged").status_code == 400
    assert "No tenant begins like that." in browser.get("/operate/tenants?search=zzz").text
