"""Operators look after tenants: find, make, suspend, resume and end them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa

from idp.directory.acting import Forbidden, Mistake, NotFound, RecentSignInNeeded
from idp.directory.paging import CursorRefused
from idp.directory.tenants import Tenant
from idp.operators import ending, tenants
from idp.operators.tenants import Invited, Wanted
from idp.outbox import OutboxMessage
from idp.secret_values import new_id
from idp.sessions import logout
from tests.console.operations import operation, operator, send
from tests.world import AMARA, BEN, HANA, OLU, PRIYA, World

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
            Tenant(
                id=new_id(),
                slug=f"t{number:05}",
                name=f"Company {number:05}",
                created_at=1.0,
                confirmed_at=1.0,
            )
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


@pytest.mark.parametrize(
    "wanted",
    [
        *(Wanted(), Wanted("company 09"), Wanted("", "suspended")),
        Wanted("", tenants.UNCONFIRMED),
    ],
)
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
    assert sent == ("zoe@acme.example", f'["{role[0][0]}"]')


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


def test_of_very_many_who_are_signed_in_no_more_are_counted_than_it_tells(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for email in (AMARA, BEN, PRIYA):
        either_world.browser().tokens(email, tenant=None if email == BEN else "northwind")
    for most, counted in ((1, 1), (2, 2), (9, 3)):
        monkeypatch.setattr(tenants, "MANY", most - 1)
        with operation(either_world) as opened:
            tenant = tenants.get_tenant(opened, "northwind")
            assert tenants.facts(opened, tenant).signed_in == counted
    monkeypatch.setattr(tenants, "MANY", 2)
    told = {"": "More than 1,000", "/suspend": "of them are", "/end": "people are signed out"}
    for page, words in told.items():
        text = operator(either_world).get(f"/operate/tenants/northwind{page}").text
        assert "More than 1,000" in text, page
        assert words in text, page


def test_a_suspended_tenant_is_dead_within_a_second_and_goes_on_when_resumed(
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
    assert world.introspect(tokens["access_token"]) == {"active": False}
    assert world.refresh(tokens["refresh_token"]).json == DEAD
    assert world.introspect(world.browser().tokens(BEN)["access_token"])["active"] is True


def test_products_are_told_of_the_tenant_they_are_signed_in_for_alone(either_world: World) -> None:
    world = either_world
    world.browser().tokens(BEN)
    world.browser().tokens(HANA)
    moved_on = world.browser()
    moved_on.tokens(PRIYA, tenant="northwind")
    world.clock.move(5)
    moved_on.tokens(PRIYA, tenant="harbor")
    with operation(world) as opened:
        tenants.suspend(opened, tenants.get_tenant(opened, "northwind"))
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
