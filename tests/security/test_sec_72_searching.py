"""S72: what is looked for is only ever text, and a cursor is good for one list of one company."""

from __future__ import annotations

from html import unescape
from urllib.parse import quote

import pytest

from idp.directory import people
from idp.directory.paging import CursorRefused
from idp.directory.people import Wanted
from tests.console.people_of import administration
from tests.world import HANA, World

SEARCHES = [
    "%",
    "_",
    "a%",
    "\\",
    "' OR '1'='1",
    '{"$ne": null}',
    "*",
    "%" * 5_000,
    "a" * 10_000,
    "[a-z]",
]


@pytest.mark.parametrize("search", SEARCHES)
def test_sec_72_a_search_has_no_wildcards_and_no_syntax(either_world: World, search: str) -> None:
    browser = either_world.browser()
    browser.enter("/manage/northwind/people")
    page = browser.get(f"/manage/northwind/people?search={quote(search)}")
    assert page.status_code == 200
    assert "Nobody fits" in page.text
    assert "ben@" not in page.text


@pytest.mark.parametrize("field", ["status", "kind", "role"])
def test_sec_72_a_filter_is_a_value_and_never_a_column(either_world: World, field: str) -> None:
    browser = either_world.browser()
    for value in ("tenant_id", "1=1", "active' OR '1'='1", "%"):
        page = browser.enter(f"/manage/northwind/people?{field}={quote(value)}")
        assert "Nobody fits" in page.text
    page = browser.get("/manage/northwind/people?sort=user_id&order=desc;--&limit=100000")
    assert page.status_code == 200


def test_sec_72_a_cursor_is_good_for_its_list_alone(either_world: World) -> None:
    keys = either_world.held.secret_keys
    with administration(either_world) as admin:
        cursor = people.people(admin, keys, Wanted(), size=2).next
        assert cursor
        changed = "A" if cursor[9] != "A" else "B"
        forged = [cursor[:-4], cursor[:9] + changed + cursor[10:], "WyJhIiwiYiJd", "ä", "'"]
        forged.append("A" * 5000)
        for wrong in forged:
            with pytest.raises(CursorRefused):
                people.people(admin, keys, Wanted(), wrong)
        with pytest.raises(CursorRefused):
            people.people(admin, keys, Wanted(kind="staff"), cursor)
    with administration(either_world, "harbor") as other, pytest.raises(CursorRefused):
        people.people(other, keys, Wanted(), cursor)


def test_sec_72_what_is_looked_for_is_inert_text(world: World) -> None:
    browser = world.browser()
    search = '"><script>alert(1)</script>{{7*7}}'
    page = browser.enter(f"/manage/northwind/people?search={quote(search)}")
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "{{7*7}}" in unescape(page.text)
    assert "Nobody fits" in page.text


def test_sec_72_another_companys_cursor_is_refused_on_the_page(world: World) -> None:
    with administration(world) as admin:
        cursor = people.people(admin, world.held.secret_keys, Wanted(), size=2).next
    answer = world.browser().enter(f"/manage/harbor/people?after={cursor}", HANA)
    assert answer.status_code == 400
    assert "Ben" not in answer.text
