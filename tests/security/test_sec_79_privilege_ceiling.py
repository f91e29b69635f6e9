"""S79: no admin gets, or hands on, more than they have themselves, however a form is filled in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.directory.acting import RECENT
from idp.directory.roles import ACCOUNT_ADMIN
from tests.console.administering import with_roles
from tests.world import DANA, Visitor, World

ROLES = "/manage/northwind/roles"
EDITOR = {
    "editor": {"permissions": {"console": ["roles.manage"], "lms": ["loans.read"]}, "rank": 20}
}


def attempt(browser: Visitor, path: str, **fields: Any) -> TestResponse:
    """A form of one's own making, with the token and the digest of a real page."""
    page = browser.enter(f"{ROLES}/new", DANA)
    shown = browser.get(path).text + page.text
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
    digest = re.findall(r'name="seen" value="(\w+)"', shown)
    seen = {"seen": digest[0]} if digest else {}
    return browser.post(path, csrf_token=token, **seen, **fields)


def state(world: World) -> list[Any]:
    """Roles, what they select, and who has them."""
    return [
        world.run("SELECT id, name, rank, all_permissions FROM roles ORDER BY id"),
        world.run("SELECT * FROM role_permissions ORDER BY role_id, product_key, permission_key"),
        world.run("SELECT * FROM membership_roles ORDER BY membership_id, role_id"),
    ]


def role_id(world: World, key: str) -> str:
    ((found,),) = world.run(
        "SELECT r.id FROM roles r JOIN tenants t ON t.id = r.tenant_id"
        " WHERE t.slug = 'northwind' AND r.key = :key",
        key=key,
    )
    return str(found)


@pytest.mark.parametrize(
    ("role", "page", "fields"),
    [
        ("editor", "/access", {"node": ["console/roles.manage", "console/people.manage"]}),
        ("editor", "/access", {"node": ["payments/payouts.send"]}),
        ("agent", "/access", {"node": ["console/audit.read"]}),
        ("agent", "/access", {"node": ["platform/tenants.manage"]}),
        ("editor", "", {"name": "Editor", "rank": "21"}),
        ("agent", "", {"name": "Agent", "rank": "100"}),
        ("security", "", {"name": "Security", "rank": "1"}),
        ("security", "/access", {"node": ["lms/loans.read"]}),
        ("security", "/delete", {}),
        (ACCOUNT_ADMIN, "", {"name": "Nobody", "rank": "1"}),
        (ACCOUNT_ADMIN, "/access", {"node": ["lms/loans.read"]}),
        (ACCOUNT_ADMIN, "/delete", {}),
    ],
)
def test_sec_79_an_editor_of_roles_gains_and_takes_nothing_above_themselves(
    either_world: World, role: str, page: str, fields: dict[str, Any]
) -> None:
    with_roles(either_world, DANA, {"security": {"rank": 30}})
    with_roles(either_world, DANA, EDITOR)
    path = f"{ROLES}/{role_id(either_world, role)}{page}"
    before = state(either_world)
    answer = attempt(either_world.browser(), path, **fields)
    assert answer.status_code in (403, 422)
    assert state(either_world) == before


def test_sec_79_a_new_role_is_not_above_its_maker(world: World) -> None:
    with_roles(world, DANA, EDITOR)
    before, browser = state(world), world.browser()
    for rank in ("21", "99", "100", "2147483648", "20.5", "0x20"):
        answer = attempt(browser, f"{ROLES}/new", name="Mine", description="", rank=rank)
        assert answer.status_code == 422
    assert state(world) == before


def test_sec_79_fields_that_no_form_has_change_nothing(world: World) -> None:
    """Mass assignment, as S78 has it."""
    with_roles(world, DANA, EDITOR)
    path = f"{ROLES}/{role_id(world, 'agent')}"
    more = {"all_permissions": "1", "key": "account_admin", "tenant_id": "x", "id": "x"}
    answer = attempt(world.browser(), path, name="Renamed", rank="10", description="", **more)
    assert answer.status_code == 303
    ((key, has_all),) = world.run("SELECT key, all_permissions FROM roles WHERE name = 'Renamed'")
    assert (key, bool(has_all)) == ("agent", False)


def test_sec_79_a_change_needs_a_sign_in_that_is_recent(world: World) -> None:
    with_roles(world, DANA, EDITOR)
    browser = world.browser()
    browser.enter(f"{ROLES}/new", DANA)
    path = f"{ROLES}/{role_id(world, 'agent')}"
    page = browser.get(path)
    world.clock.move(RECENT + 1)
    before = state(world)
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    answer = browser.post(path, **hidden, name="Renamed", rank="10", description="")
    assert answer.headers["Location"].startswith("/authorize?attempt=")
    assert state(world) == before
