"""Roles: made and edited on two pages, within one's own rank and access, and never written over."""

from __future__ import annotations

import re
from threading import Barrier, Thread
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.directory import role_editing, role_listing
from idp.directory.acting import RECENT, Administration, Changed, Forbidden, Mistake, NotFound
from idp.directory.roles import ACCOUNT_ADMIN, Role
from tests.console.administering import administering, with_roles
from tests.world import AMARA, BEN, DANA, HANA, PASSWORD, Visitor, World, claims_of

ROLES = "/manage/northwind/roles"
FORM = {"name": "Payout clerk", "description": "Sends payouts", "rank": "10"}
PAYOUTS = ["payments/payouts.read", "payments/payouts.send"]
EDITOR = {"editor": {"permissions": {"console": ["roles.manage"], "lms": ["loans.read"]}}}


def id_of(world: World, key: str, slug: str = "northwind") -> str:
    ((found,),) = world.run(
        "SELECT r.id FROM roles r JOIN tenants t ON t.id = r.tenant_id"
        " WHERE r.key = :key AND t.slug = :slug",
        key=key,
        slug=slug,
    )
    return str(found)


def seen(admin: Administration, role_id: str) -> str:
    return role_editing.digest(admin.get(Role, role_id))


def nodes(world: World, role_id: str) -> set[str]:
    rows = world.run(
        "SELECT product_key, permission_key FROM role_permissions WHERE role_id = :id", id=role_id
    )
    return {"/".join(row) for row in rows}


def ticked(page: TestResponse) -> set[str]:
    boxes = re.findall(r'<input[^>]*name="node" value="([^"]+)"([^>]*)>', page.text)
    return {value for value, rest in boxes if "checked" in rest}


def save(browser: Visitor, page: TestResponse, **fields: Any) -> TestResponse:
    """The page's form, with what it had hidden."""
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return browser.post(page.request.path, **{**hidden, **fields})


def make(world: World, email: str = AMARA, *selected: str, **form: str) -> str:
    with administering(world, email) as admin:
        role_id = role_editing.make(admin, {**FORM, **form}).id
        admin.rows.flush()
        if selected:
            role_editing.select(admin, role_id, seen(admin, role_id), selected)
    return role_id


def test_a_role_is_made_on_two_pages(either_world: World) -> None:
    browser = either_world.browser()
    page = save(browser, browser.enter(f"{ROLES}/new"), **FORM)
    access = browser.follow(page)
    assert "The role Payout clerk is made." in access.text
    assert access.request.path.endswith("/access")
    assert ticked(access) == set()
    saved = browser.follow(save(browser, access, node=PAYOUTS))
    assert "It counts from now on" in saved.text
    assert ticked(saved) == set(PAYOUTS)
    assert nodes(either_world, id_of(either_world, "payout_clerk")) == set(PAYOUTS)
    made, changed = either_world.audit("role.made"), either_world.audit("role.changed")
    assert made[0]["after"] == {"name": "Payout clerk", "description": "Sends payouts", "rank": 10}
    assert changed[0]["before"] == {"nodes": []}
    assert changed[0]["after"] == {"nodes": PAYOUTS}


def test_the_list_tells_what_each_opens_and_how_many_have_it(world: World) -> None:
    with administering(world) as admin:
        found = {role.key: role for role in role_listing.roles(admin)}
    assert found[ACCOUNT_ADMIN].has_all
    assert not found[ACCOUNT_ADMIN].may_change
    assert found["payments_officer"].opens == ["LMS", "Secure Payments"]
    ((people,),) = world.run(
        "SELECT count(*) FROM membership_roles WHERE role_id = :id", id=id_of(world, "agent")
    )
    assert found["agent"].people == people > 0
    page = world.browser().enter(ROLES)
    assert "LMS, Secure Payments" in page.text
    assert "Everything" in page.text


def test_many_people_are_counted_up_to_a_bound(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(role_listing, "COUNTED", 1)
    with administering(world) as admin:
        found = {role.key: role for role in role_listing.roles(admin)}
    assert (found["agent"].people, found["agent"].has_more) == (1, True)
    assert "over 1" in world.browser().enter(ROLES).text


def test_a_box_is_stored_by_itself_and_stands_alone_in_tokens(either_world: World) -> None:
    """A parent brings no child, a child no parent; the script alone ticks whole branches."""
    role_id = make(either_world, AMARA, "payments/secure-payments")
    assert nodes(either_world, role_id) == {"payments/secure-payments"}
    with_roles(either_world, BEN, {"payout_clerk": {}})
    token = either_world.browser().tokens(BEN, "payments")["access_token"]
    assert claims_of(token)["permissions"] == ["secure-payments"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Payout clerk", "payout_clerk"),
        ("Crédit – Übersicht 2", "credit_ubersicht"),
        ("融資担当", "role"),
        ("X", "role_x"),
        ("7 of 9", "of"),
        ("Account Admin!", "account_admin_2"),
        ("Sub", "sub_2"),
        ("Permissions", "permissions_2"),
        ("Tenant ID", "tenant_id_2"),
    ],
)
def test_the_key_is_made_from_the_name(world: World, name: str, key: str) -> None:
    made = make(world, name=name)
    assert id_of(world, key) == made


def test_the_key_stays_when_the_name_changes(world: World) -> None:
    role_id = make(world)
    with administering(world) as admin:
        role_editing.change(
            admin, role_id, seen(admin, role_id), {**FORM, "name": "Clerk of payouts"}
        )
    assert id_of(world, "payout_clerk") == role_id
    another = make(world)
    assert id_of(world, "payout_clerk_2") == another


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 81),
        ("name", "Pay\u202eout"),
        ("name", "Pay\x07out"),
        ("name", "LOAN AGENT"),
        ("description", "x" * 301),
        ("description", "one\u2028two\u200bthree"),
        ("rank", ""),
        ("rank", "0"),
        ("rank", "100"),
        ("rank", "-1"),
        ("rank", "1e1"),
        ("rank", "٣"),
    ],
)
def test_what_can_not_be_taken_is_said_beside_the_field(
    world: World, field: str, value: str
) -> None:
    before = world.run("SELECT count(*) FROM roles")
    browser = world.browser()
    answer = save(browser, browser.enter(f"{ROLES}/new"), **{**FORM, field: value})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert "Sends payouts" in answer.text or field == "description"
    assert world.run("SELECT count(*) FROM roles") == before


def test_a_name_is_shown_as_text_wherever_it_stands(world: World) -> None:
    role_id, browser = make(world, name="<b onclick=x>Bold</b>"), world.browser()
    pages = [browser.enter(ROLES)]
    pages += [browser.get(f"{ROLES}/{role_id}{path}") for path in ("", "/access", "/delete")]
    pages.append(browser.follow(save(browser, pages[2], node=[])))
    pages.append(browser.follow(save(browser, pages[3], seen="")))
    for page in pages:
        assert "&lt;b onclick=x&gt;Bold" in page.text
        assert "<b onclick" not in page.text


def test_a_company_has_a_bounded_number_of_roles(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(role_editing, "MAX_ROLES", 6)
    with pytest.raises(Mistake):
        make(world)


def test_nobody_puts_in_what_they_do_not_hold(either_world: World) -> None:
    with_roles(either_world, DANA, EDITOR)
    role_id = make(either_world, DANA, "lms/loans.read")
    for node in ("payments/payouts.send", "lms/loans.write", "console/people.manage"):
        with administering(either_world, DANA) as admin, pytest.raises(Forbidden):
            role_editing.select(admin, role_id, seen(admin, role_id), ["lms/loans.read", node])
    assert nodes(either_world, role_id) == {"lms/loans.read"}


def test_what_one_does_not_hold_stays_as_it_is(world: World) -> None:
    with_roles(world, DANA, EDITOR)
    role_id = id_of(world, "payments_officer")
    browser = world.browser()
    page = browser.enter(f"{ROLES}/{role_id}/access", DANA)
    assert re.search(r'value="payments/payouts.send" checked disabled', page.text)
    assert "You don't have this yourself" in page.text
    assert save(browser, page, node=[]).status_code == 303
    assert nodes(world, role_id) == {"payments/payouts.read", "payments/payouts.send"}


@pytest.mark.parametrize(
    "node", ["platform/tenants.manage", "lms/no-such", "lms", "", "/", "no/such", "lms/loans.read "]
)
def test_a_node_that_is_in_no_tree_of_a_companys_is_refused(world: World, node: str) -> None:
    """The platform's least of all."""
    role_id = make(world)
    with administering(world) as admin, pytest.raises(Mistake):
        role_editing.select(admin, role_id, seen(admin, role_id), [node, "lms/loans.read"])
    assert nodes(world, role_id) == set()
    assert "platform/" not in world.browser().enter(f"{ROLES}/{role_id}/access").text


def test_nobody_touches_a_role_above_their_own_rank(either_world: World) -> None:
    with_roles(either_world, DANA, EDITOR)
    above = make(either_world, rank="11")
    for act in (
        lambda admin: role_editing.change(admin, above, seen(admin, above), FORM),
        lambda admin: role_editing.select(admin, above, seen(admin, above), []),
        lambda admin: role_editing.delete(admin, above, seen(admin, above)),
    ):
        with administering(either_world, DANA) as admin, pytest.raises(Forbidden):
            act(admin)
    with administering(either_world, DANA) as admin, pytest.raises(Mistake):
        role_editing.make(admin, {**FORM, "name": "Mine", "rank": "11"})
    own = id_of(either_world, "editor")
    with administering(either_world, DANA) as admin, pytest.raises(Mistake):
        role_editing.change(admin, own, seen(admin, own), {**FORM, "name": "E", "rank": "11"})


def test_the_built_in_account_admin_is_changed_by_nobody(world: World) -> None:
    role_id, browser = id_of(world, ACCOUNT_ADMIN), world.browser()
    page = browser.enter(f"{ROLES}/{role_id}")
    digest = re.findall(r'name="seen" value="(\w+)"', page.text)[0]
    assert "can't be changed" in page.text
    for path in ("", "/access", "/delete"):
        token = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
        answer = browser.post(f"{ROLES}/{role_id}{path}", csrf_token=token, seen=digest, **FORM)
        assert answer.status_code == 403
    assert browser.get(f"{ROLES}/{role_id}/delete").status_code == 403
    assert world.run("SELECT all_permissions, rank FROM roles WHERE id = :i", i=role_id) in (
        [(1, 100)],
        [(True, 100)],
    )


def test_another_companys_role_is_not_there(either_world: World) -> None:
    foreign = id_of(either_world, "agent", "harbor")
    browser = either_world.browser()
    token = re.findall(r'name="csrf_token" value="([^"]+)"', browser.enter(f"{ROLES}/new").text)[0]
    for path in ("", "/access", "/delete"):
        assert browser.get(f"{ROLES}/{foreign}{path}").status_code == 404
        answer = browser.post(f"{ROLES}/{foreign}{path}", csrf_token=token, seen="x", **FORM)
        assert answer.status_code == 404
    with administering(either_world, HANA, "harbor") as admin:
        digest = seen(admin, foreign)
    with administering(either_world) as admin, pytest.raises(NotFound):
        role_editing.delete(admin, foreign, digest)


def test_without_the_permission_there_are_no_roles_to_see(world: World) -> None:
    with_roles(world, DANA, {"reader": {"permissions": {"console": ["people.read"]}}})
    browser, role_id = world.browser(), id_of(world, "agent")
    assert browser.enter("/manage/northwind", DANA).status_code == 200
    for path in ("", "/new", f"/{role_id}", f"/{role_id}/access", f"/{role_id}/delete"):
        assert browser.get(ROLES + path).status_code == 403
    with administering(world, DANA) as admin, pytest.raises(Forbidden):
        role_editing.make(admin, FORM)


def test_whoever_saves_second_is_told_and_writes_nothing_over(either_world: World) -> None:
    role_id = make(either_world)
    first, second = either_world.browser(), either_world.browser()
    pages = [each.enter(f"{ROLES}/{role_id}/access") for each in (first, second)]
    assert save(first, pages[0], node=PAYOUTS).status_code == 303
    told = save(second, pages[1], node=["lms/loans.read"])
    assert told.status_code == 409
    assert "Somebody else has changed this." in told.text
    assert ticked(told) == set(PAYOUTS)
    assert nodes(either_world, role_id) == set(PAYOUTS)
    assert save(second, told, node=["lms/loans.read"]).status_code == 303
    page = second.get(f"{ROLES}/{role_id}")
    stale = first.get(f"{ROLES}/{role_id}/delete")
    assert save(second, page, **{**FORM, "rank": "5"}).status_code == 303
    told = save(second, page, **{**FORM, "rank": "6"})
    assert (told.status_code, 'value="5"' in told.text) == (409, True)
    assert save(first, stale).status_code == 409


def test_of_two_who_save_at_once_one_is_told(either_world: World) -> None:
    role_id = make(either_world)
    with administering(either_world) as admin:
        digest = seen(admin, role_id)
    started, outcomes = Barrier(6), []

    def edit(node: str) -> None:
        started.wait()
        try:
            with administering(either_world) as admin:
                role_editing.select(admin, role_id, digest, [node])
            outcomes.append(node)
        except Changed:
            outcomes.append("told")

    threads = [Thread(target=edit, args=(node,)) for node in [*PAYOUTS, "lms/loans.read"] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes).count("told") == 5
    assert nodes(either_world, role_id) == {next(each for each in outcomes if each != "told")}


def test_a_change_needs_a_recent_sign_in_and_what_was_filled_in_is_kept(world: World) -> None:
    role_id, browser = make(world), world.browser()
    page = browser.enter(f"{ROLES}/{role_id}/access")
    world.clock.move(RECENT + 1)
    asked = browser.follow(save(browser, page, node=PAYOUTS))
    assert 'name="password"' in asked.text
    assert nodes(world, role_id) == set()
    confirm = browser.follow(browser.submit(asked, email=AMARA, password=PASSWORD))
    assert "Save your change" in confirm.text
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', confirm.text)
    form: dict[str, Any] = {name: [] for name, _ in hidden}
    for name, value in hidden:
        form[name].append(value)
    assert browser.post(f"{ROLES}/{role_id}/access", **form).status_code == 303
    assert nodes(world, role_id) == set(PAYOUTS)


def test_before_a_role_is_deleted_its_people_and_what_they_lose_are_shown(
    either_world: World,
) -> None:
    role_id = make(either_world, AMARA, *PAYOUTS, "lms/loans.read")
    with_roles(either_world, BEN, {"payout_clerk": {}, "agent": {}})
    browser = either_world.browser()
    page = browser.enter(f"{ROLES}/{role_id}/delete")
    assert "1 person has this role" in page.text
    assert BEN in page.text
    assert re.search(r"Loses\">\s*Secure Payments\s*<", page.text)
    answer = browser.follow(save(browser, page))
    assert "is deleted" in answer.text
    assert either_world.run("SELECT count(*) FROM roles WHERE id = :id", id=role_id) == [(0,)]
    assert either_world.run("SELECT 1 FROM membership_roles WHERE role_id = :id", id=role_id) == []
    event = either_world.audit("role.deleted")[0]
    assert event["before"]["nodes"] == sorted([*PAYOUTS, "lms/loans.read"])


def test_whoever_has_it_by_another_role_loses_no_product(world: World) -> None:
    role_id = make(world, AMARA, *PAYOUTS)
    with_roles(world, BEN, {"payout_clerk": {}, "payments_officer": {}})
    with_roles(world, DANA, {"payout_clerk": {}, ACCOUNT_ADMIN: {}})
    with administering(world) as admin:
        deletion = role_listing.deletion(admin, admin.get(Role, role_id))
    assert deletion.people_count == 2
    assert [list(loss.products) for loss in deletion.people] == [[], []]


def test_a_change_is_in_force_within_a_second(either_world: World) -> None:
    """At userinfo, introspection, in refreshed tokens and at sign-in, by a clock that moves one."""
    with_roles(either_world, BEN, {"agent": {}})
    role_id, browser = id_of(either_world, "agent"), either_world.browser()
    tokens = browser.tokens(BEN, "lms", scope="openid profile offline_access")
    access, refresh = tokens["access_token"], tokens["refresh_token"]
    assert "loans.write" in either_world.userinfo(access).json["permissions"]  # type: ignore[index]

    def select(*wanted: str) -> None:
        with administering(either_world) as admin:
            role_editing.select(admin, role_id, seen(admin, role_id), wanted)
        either_world.clock.move(1)

    select("lms/loans.read", "payments/payouts.read")
    assert either_world.userinfo(access).json["permissions"] == ["loans.read"]  # type: ignore[index]
    assert either_world.introspect(access)["permissions"] == ["loans.read"]
    renewed = either_world.refresh(refresh).json or {}
    assert claims_of(renewed["access_token"])["permissions"] == ["loans.read"]
    opened = browser.tokens(BEN, "payments")
    assert claims_of(opened["access_token"])["permissions"] == ["payouts.read"]

    select("payments/payouts.read")
    assert either_world.userinfo(renewed["access_token"]).status_code == 401
    assert not either_world.introspect(renewed["access_token"])["active"]
    assert either_world.refresh(renewed["refresh_token"]).status_code == 400


def test_a_deleted_role_is_gone_within_a_second(either_world: World) -> None:
    role_id = make(either_world, AMARA, *PAYOUTS)
    with_roles(either_world, BEN, {"payout_clerk": {}})
    token = either_world.browser().tokens(BEN, "payments")["access_token"]
    with administering(either_world) as admin:
        role_editing.delete(admin, role_id, seen(admin, role_id))
    either_world.clock.move(1)
    assert either_world.userinfo(token).status_code == 401
    assert not either_world.introspect(token, "payments")["active"]
