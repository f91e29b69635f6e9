"""The audit log as admins and operators read it: the rule, the pages, the exports, the API."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp import audit, evidence
from idp.audit import TAGS, Origin
from idp.directory import history
from idp.directory.acting import Forbidden, NotFound
from idp.directory.history import Wanted
from idp.directory.paging import CursorRefused
from idp.web.audit_words import SUBJECTS, WORDS
from idp.web.manage import audit_detail
from idp.web.manage.audit_detail import Change
from tests.console.calling import machine, person, platforms_machine, tenants_machine
from tests.console.operations import operation, operator
from tests.console.people_of import administration, company, user_id
from tests.console.test_api import is_problem
from tests.storage.test_audit_chain import drop_triggers
from tests.world import AMARA, BEN, DANA, HANA, OLU, START, World

HOUR = 3600.0
PLACE = Origin("198.51.100.7", "the-request", "")
NOBODY: frozenset[str] = frozenset()


@pytest.fixture
def told(either_world: World) -> World:
    """An hour of northwind's, in which Amara and Ben did things, and one of harbor's."""
    northwind, harbor = (company(either_world, slug).id for slug in ("northwind", "harbor"))
    amara, ben, hana, dana = (user_id(either_world, email) for email in (AMARA, BEN, HANA, DANA))
    with either_world.held.database.transaction() as db:
        for number in range(8):
            tag = ["role.changed", "person.disabled"][number % 2]
            actor, at = [amara, ben][number % 2], START + number * HOUR
            whom = {"person": dana} if tag == "person.disabled" else {}
            audit.record(db, tag, at, PLACE, actor=actor, tenant=northwind, number=number, **whom)
        audit.record(db, "role.changed", START, PLACE, actor=hana, tenant=harbor, secret="harbor's")
    either_world.clock.move(8 * HOUR)
    return either_world


def numbers(page: history.Page) -> list[Any]:
    return [told.entry.detail.get("number") for told in page.events]


def read(world: World, *, size: int = 50, cursor: str = "", **wanted: Any) -> history.Page:
    with administration(world) as admin:
        return history.events(admin, world.held.secret_keys, Wanted(**wanted), cursor, size)


def test_an_admin_reads_what_was_done_for_the_company_and_by_whom(told: World) -> None:
    page = read(told)
    assert numbers(page) == list(range(7, -1, -1))
    newest = page.events[0]
    assert (newest.actor, newest.email) == ("Ben Castillo", BEN)
    assert (newest.entry.address, newest.entry.request_id) == ("198.51.100.7", "the-request")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"tag": "role."}, [6, 4, 2, 0]),
        ({"tag": "person.disabled"}, [7, 5, 3, 1]),
        ({"who": BEN}, [7, 5, 3, 1]),
        ({"who": "  BEN@Northwind.example "}, [7, 5, 3, 1]),
        ({"who": BEN, "tag": "role."}, []),
        ({"who": HANA}, []),
        ({"who": "nobody@nowhere.example"}, []),
        ({"who": "@"}, []),
        ({"who": "not-an-id"}, []),
        ({"since": START + 2 * HOUR, "until": START + 4 * HOUR}, [3, 2]),
    ],
    ids=str,
)
def test_a_search_is_narrowed(told: World, wanted: dict[str, Any], expected: list[int]) -> None:
    assert numbers(read(told, **wanted)) == expected


def test_a_person_is_found_by_id_too(told: World) -> None:
    assert numbers(read(told, who=user_id(told, AMARA))) == [6, 4, 2, 0]


def test_pages_follow_each_other_by_cursors_that_are_good_for_nothing_else(told: World) -> None:
    first = read(told, size=3)
    second = read(told, size=3, cursor=first.next or "")
    third = read(told, size=3, cursor=second.next or "")
    assert [numbers(page) for page in (first, second, third)] == [[7, 6, 5], [4, 3, 2], [1, 0]]
    assert third.next is None
    for cursor, tag in ((first.next, "role."), ("5", ""), ("x" * 5000, "")):
        with pytest.raises(CursorRefused):
            read(told, cursor=str(cursor), tag=tag)
    with administration(told, "harbor") as admin, pytest.raises(CursorRefused):
        history.events(admin, told.held.secret_keys, Wanted(), str(first.next))


def test_who_may_not_read_gets_nothing_of_any_form(told: World) -> None:
    """Also not what is streamed, whose first line nobody has asked for yet."""
    name = read(told).events[0].entry.name
    ring, keys = told.held.key_ring.current(told.clock()), told.held.secret_keys
    asks: list[Callable[[history.Reader], object]] = [
        lambda reader: history.events(reader, keys, Wanted()),
        lambda reader: history.event(reader, name),
        lambda reader: history.every_event(reader, Wanted()),
        lambda reader: evidence.export_for(reader, ring, "https://id.example"),
    ]
    for ask in asks:
        with administration(told, may=NOBODY) as admin, pytest.raises(Forbidden):
            ask(admin)
        with operation(told, permissions=NOBODY) as operated, pytest.raises(Forbidden):
            ask(operated)


@pytest.mark.parametrize(
    "name", ["0-", "1", "1-", "01-{digest}", "1-{digest}0", "2-{digest}", "x-{digest}", "9" * 30]
)
def test_an_event_has_one_name(told: World, name: str) -> None:
    with administration(told) as admin:
        first = audit.find(admin.db, admin.tenant.id, 1)
        assert first is not None
        assert history.event(admin, first.name).entry == first
        with pytest.raises(NotFound):
            history.event(admin, name.format(digest=first.digest[:16]))


def test_an_event_of_another_company_is_not_there(told: World) -> None:
    with administration(told, "harbor") as admin:
        name = history.events(admin, told.held.secret_keys, Wanted()).events[0].entry.name
        assert history.event(admin, name).entry.detail == {"secret": "harbor's"}
    with administration(told) as admin, pytest.raises(NotFound):
        history.event(admin, name)


def test_operators_read_the_platform_s_and_no_company_s(told: World) -> None:
    with operation(told) as operated:
        page = history.events(operated, told.held.secret_keys, Wanted())
    assert page.events
    assert {each.entry.tenant_id for each in page.events} == {None}
    assert "role.changed" not in {each.entry.tag for each in page.events}


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"reason": "x"}, []),
        (
            {"before": {"a": 1, "b": True, "c": "x"}, "after": {"a": 2, "b": True, "d": []}},
            [Change("", "a", "1", "2"), Change("", "c", "x", "")],
        ),
        ({"before": ["a"], "after": ["a", "b"]}, [Change("", "", "a", "a, b")]),
        ({"after": {"name": "New"}}, [Change("", "name", "", "New")]),
        ({"before": {"name": "Old"}}, [Change("", "name", "Old", "")]),
        ({"fields": {"a": [None, ["x", "y"]]}}, [Change("", "a", "", "x, y")]),
        (
            {"changes": [{"kind": "role", "name": "agent", "fields": {"rank": [1, 2]}}]},
            [Change("role agent", "rank", "1", "2")],
        ),
        (
            {"changes": [{"kind": "role", "name": "agent", "action": "create", "fields": {}}]},
            [Change("role agent", "", "", "create")],
        ),
        ({"before": {"a": {"x": [1]}}, "after": "gone"}, [Change("", "a", '{"x": [1]}', "")]),
        ({"fields": "text", "changes": {"a": 1}, "before": None}, []),
    ],
    ids=str,
)
def test_a_change_is_told_field_by_field(
    world: World, detail: dict[str, Any], expected: list[Change]
) -> None:
    found = [
        change._replace(before=re.sub(r"\s+", " ", change.before).replace("{ ", "{"))
        for change in audit_detail.changes(detail)
    ]
    tidy = [each._replace(before=each.before.replace("[ 1 ] }", "[1]}")) for each in found]
    assert [each for each in tidy if any(each[2:])] == expected


def test_every_tag_has_words_and_a_subject() -> None:
    assert set(WORDS) == set(TAGS)
    assert {tag.partition(".")[0] for tag in TAGS} == set(SUBJECTS)


def rows_of(answer: TestResponse) -> list[str]:
    """The table's cells of the first column."""
    return re.findall(r'<td><a href="[^"]*/audit/([^"]+)">', answer.text)


def test_the_page_lists_filters_and_turns(told: World) -> None:
    browser = told.browser()
    page = browser.enter("/manage/northwind/audit", AMARA)
    assert page.status_code == 200
    assert len(rows_of(page)) == 8
    assert "Ben Castillo" in page.text
    assert "harbor" not in page.text.casefold().replace("harbor credit union", "")
    narrowed = browser.get(f"/manage/northwind/audit?tag=role.&who={AMARA}&from=2026-11-18")
    assert len(rows_of(narrowed)) == 4
    assert 'value="role." selected' in narrowed.text
    assert f'value="{AMARA}"' in narrowed.text
    assert rows_of(browser.get("/manage/northwind/audit?to=2026-11-17")) == []
    assert "Nothing fits" in browser.get("/manage/northwind/audit?to=2026-11-17").text
    wrong = browser.get("/manage/northwind/audit?from=yesterday")
    assert "Give a day like this" in wrong.text
    assert rows_of(wrong) == []


def test_the_page_turns_by_its_links(told: World) -> None:
    northwind = company(told, "northwind").id
    with told.held.database.transaction() as db:
        for number in range(history.PAGE):
            audit.record(db, "domain.added", START + 10 * HOUR, tenant=northwind, number=number)
    browser = told.browser()
    first = browser.enter("/manage/northwind/audit", AMARA)
    following = re.findall(r'href="(\?[^"]*after=[^"]+)"', first.text)[0]
    second = browser.get("/manage/northwind/audit" + following)
    assert (len(rows_of(first)), len(rows_of(second))) == (history.PAGE, 8)
    assert not set(rows_of(first)) & set(rows_of(second))
    assert "after=" not in re.sub(r"search\?", "", second.text).partition("Back to the start")[2]
    assert browser.get("/manage/northwind/audit?after=forged").status_code == 400


def test_one_event_is_told_with_before_and_after(told: World) -> None:
    northwind = company(told, "northwind").id
    before, after = {"name": "Agent", "rank": 10}, {"name": "<b>Clerk</b>", "rank": 10}
    with told.held.database.transaction() as db:
        audit.record(
            db,
            "role.changed",
            START + 9 * HOUR,
            PLACE,
            actor=user_id(told, AMARA),
            tenant=northwind,
            client="lms",
            key="agent",
            before=before,
            after=after,
        )
    browser = told.browser()
    listed = browser.enter("/manage/northwind/audit", AMARA)
    page = browser.get(f"/manage/northwind/audit/{rows_of(listed)[0]}").text
    assert "Role changed" in page
    assert '<span class="was">Agent</span>' in page
    assert "&lt;b&gt;Clerk&lt;/b&gt;" in page
    assert "<code>rank</code>" not in page
    assert "198.51.100.7" in page
    assert AMARA in page
    assert browser.get("/manage/northwind/audit/1-0000000000000000").status_code == 404


@pytest.mark.parametrize("path", ["", ".csv", ".jsonl", "/1-x"])
def test_the_pages_are_for_whoever_has_the_permission(told: World, path: str) -> None:
    ben = told.browser()
    assert ben.enter(f"/manage/northwind/audit{path}", BEN).status_code in (403, 404)
    amara = told.browser()
    amara.enter("/manage/northwind", AMARA)
    assert amara.get(f"/operate/audit{path}").status_code == 404
    assert amara.get(f"/manage/harbor/audit{path}").status_code == 404


def test_the_table_has_what_the_list_was_narrowed_to_and_no_formulas(told: World) -> None:
    northwind = company(told, "northwind").id
    told.run("UPDATE users SET name = '=HYPERLINK(1)' WHERE email = :e", e=AMARA)
    with told.held.database.transaction() as db:
        for number in range(history.EXPORT_PAGE):
            audit.record(db, "domain.added", START, PLACE, tenant=northwind, number=number)
    browser = told.browser()
    browser.enter("/manage/northwind", AMARA)
    answer = browser.get("/manage/northwind/audit.csv?tag=role.")
    assert answer.mimetype == "text/csv"
    assert "northwind-audit.csv" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["detail"] for row in rows] == [f'{{"number":{n}}}' for n in (6, 4, 2, 0)]
    assert {row["person"] for row in rows} == {"'=HYPERLINK(1)"}
    assert rows[0]["time"] == "2026-11-18T17:06:40+00:00"
    everything = list(csv.DictReader(io.StringIO(browser.get("/manage/northwind/audit.csv").text)))
    assert len({row["event"] for row in everything}) == len(everything) == history.EXPORT_PAGE + 10
    assert len(browser.get("/manage/northwind/audit.csv?from=never").text.splitlines()) == 1


def test_the_export_with_proof_is_verified_by_outsiders(told: World) -> None:
    for slug, path, email in (
        ("northwind", "/manage/northwind", AMARA),
        (None, "/operate", OLU),
    ):
        browser = told.browser()
        browser.enter(path, email)
        answer = browser.get(f"{path}/audit.jsonl")
        file = told.folder / "export.jsonl"
        file.write_bytes(answer.data)
        answer.close()
        claims, faults = evidence.verify(file, dict(told.get("/jwks").json or {}))
        assert (claims["tenant"], faults) == (slug, [])


def test_who_takes_the_log_away_is_written_down(told: World) -> None:
    browser = told.browser()
    browser.enter("/manage/northwind", AMARA)
    browser.get("/manage/northwind/audit.csv?tag=role.&who=nobody").close()
    browser.get("/manage/northwind/audit.jsonl").close()
    events = told.audit("audit.exported")
    assert [event["as"] for event in events] == ["csv", "jsonl"]
    assert events[0]["wanted"] == {"tag": "role.", "who": "nobody"}
    ((amara,),) = told.run("SELECT id FROM users WHERE email = :e", e=AMARA)
    assert {event["actor"] for event in events} == {amara}
    whose = told.run("SELECT DISTINCT tenant_id FROM audit_events WHERE tag = 'audit.exported'")
    assert whose == [(company(told, "northwind").id,)]


def test_of_a_damaged_log_no_proof_is_given(told: World) -> None:
    browser = told.browser()
    browser.enter("/manage/northwind", AMARA)
    drop_triggers(told.held.database)
    told.run("UPDATE audit_events SET actor_id = 'x' WHERE seq = 3 AND tenant_id IS NOT NULL")
    answer = browser.get("/manage/northwind/audit.jsonl")
    assert answer.status_code == 500
    assert "The audit log is damaged" in answer.text
    assert told.audit("audit.exported") == []


def test_operators_have_the_same_pages_for_the_platform(told: World) -> None:
    browser = operator(told)
    page = browser.get("/operate/audit")
    assert "Signed in" in page.text
    assert "Role changed</a>" not in page.text
    event = browser.get(f"/operate/audit/{rows_of(page)[0]}")
    assert event.status_code == 200
    assert browser.get("/operate/audit.csv").status_code == 200


EVENTS = "/tenants/northwind/audit-events"


def test_the_api_tells_the_same(told: World) -> None:
    caller = tenants_machine(told)
    answer = caller.get(f"{EVENTS}?limit=3&tag=role.")
    assert answer.status_code == 200, answer.text
    part = dict(answer.json or {})
    assert [item["detail"]["number"] for item in part["items"]] == [6, 4, 2]
    first = part["items"][0]
    assert (first["actor_name"], first["actor_email"]) == ("Amara Okafor", AMARA)
    assert first["at"] == "2026-11-18T17:06:40Z"
    rest = caller.get(f"{EVENTS}?limit=3&tag=role.&cursor={part['next']}").json or {}
    assert [item["detail"]["number"] for item in rest["items"]] == [0]
    assert rest["next"] is None
    window = caller.get(
        f"{EVENTS}?since=2026-11-18T13:00:00Z&until=2026-11-18T15:30:00%2B01:00&who={BEN}"
    )
    assert [item["detail"]["number"] for item in (window.json or {})["items"]] == [3]


def test_the_api_asks_for_the_permission_first(told: World) -> None:
    is_problem(person(told, scope="people.read").get(EVENTS), 403)
    is_problem(machine(told, "northwind-hr").get(EVENTS), 403)
    is_problem(tenants_machine(told, "harbor").get(EVENTS), 404)
    is_problem(tenants_machine(told).get("/platform/audit-events"), 401)
    caller = tenants_machine(told)
    for query in ("since=yesterday", "since=2026-11-18T13:00:00", "tag=" + "x" * 65, "size=3"):
        is_problem(caller.get(f"{EVENTS}?{query}"), 422)


def test_the_platform_s_api_tells_the_platform_s(told: World) -> None:
    told.apply(
        clients=[
            {
                "client_id": "platform-automation",
                "client_name": "Automation",
                "product": "platform",
                "permissions": ["platform.audit", "tenants.manage"],
                "scope": "platform.audit tenants.manage",
            }
        ]
    )
    told.clock.move(2)
    answer = platforms_machine(told).get("/platform/audit-events?tag=setup.")
    assert answer.status_code == 200, answer.text
    assert {item["tag"] for item in (answer.json or {})["items"]} == {"setup.applied"}
