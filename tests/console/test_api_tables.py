"""Tables that the consoles and the API give alike: of an audit log, and of what an import did."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from werkzeug.test import TestResponse

from idp import worker
from idp.web.manage import api_document, audit_table, import_report
from idp.web.manage.api_nouns import NOUNS
from tests.console.calling import person, platforms_machine, tenants_machine
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.world import AMARA, HANA, OLU, World

PEOPLE = b"email,kind,roles\nnew@northwind.example,staff,agent\n=1+1,staff,agent\n"


def table(answer: TestResponse) -> list[list[str]]:
    assert (answer.status_code, answer.mimetype) == (200, "text/csv"), answer.text
    assert answer.headers["Content-Disposition"].startswith("attachment")
    return list(csv.reader(io.StringIO(answer.text)))


@pytest.mark.parametrize("whose", ["tenant", "platform"])
def test_an_audit_log_is_the_same_table_at_the_api_as_on_the_page(
    either_world: World, whose: str
) -> None:
    world = either_world
    if whose == "tenant":
        caller, here, email = tenants_machine(world), "/tenants/northwind", AMARA
        page, tag = "/manage/northwind", "role"
        told(caller.post(f"{here}/roles", {"name": "Auditor"}), 201)
    else:
        caller, here, email = platforms_machine(world), "/platform", OLU
        page, tag = "/operate", "operator"
        told(caller.post("/platform/operators", {"email": AMARA}), 201)
    world.clock.move(5)
    until = datetime.fromtimestamp(world.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = table(caller.get(f"{here}/audit-table?tag={tag}&until={until}"))
    assert given[0] == list(audit_table.COLUMNS)
    assert len(given) > 1
    assert all(row[2].startswith(tag) for row in given[1:])
    browser = world.browser()
    browser.enter(page, email)
    assert table(browser.get(f"{page}/audit.csv?tag={tag}")) == given
    exports = [event for event in world.audit("audit.exported") if event["as"] == "csv"]
    assert len(exports) == 2
    is_problem(caller.get(f"{here}/audit-table?cursor=x"), 422)


def test_nobody_takes_a_table_without_the_right(either_world: World) -> None:
    unable = person(either_world, scope="people.read")
    is_problem(unable.get("/tenants/northwind/audit-table"), 403)
    is_problem(unable.get("/platform/audit-table"), 401)
    harbor = person(either_world, HANA, "harbor")
    is_problem(harbor.get("/tenants/northwind/audit-table"), 404)
    assert either_world.audit("audit.exported") == []


def test_an_imports_report_is_the_same_table_at_the_api_as_on_the_page(
    either_world: World,
) -> None:
    world, caller = either_world, person(either_world)
    made = told(caller.send("/tenants/northwind/imports", PEOPLE, "text/csv"), 201)["id"]
    while worker.import_people(world.held):
        world.clock.move(1)
    here = f"/tenants/northwind/imports/{made}/report"
    given = table(caller.get(here))
    assert given[0] == list(import_report.COLUMNS)
    assert [row[:2] for row in given[1:]] == [["2", "new@northwind.example"], ["3", "'=1+1"]]
    assert [row[4] for row in given[1:]] == ["invite", "refuse"]
    browser = world.browser()
    browser.enter("/manage/northwind")
    assert table(browser.get(f"/manage/northwind/imports/{made}/report.csv")) == given
    is_problem(person(world, scope="audit.read").get(here), 403)
    is_problem(person(world, HANA, "harbor").get(here.replace("northwind", "harbor")), 404)


def test_the_document_says_what_a_body_can_be_refused_for() -> None:
    for route in (route for noun in NOUNS for route in noun.routes):
        said = list(api_document.refusals(route))
        assert said == sorted(said)
        assert {400, 401, 403, 404, 414, 422, 431, 503} <= set(said)
        is_sent = bool(route.body or route.upload)
        assert {408, 411, 413, 415} & set(said) == ({408, 411, 413, 415} if is_sent else set())
        assert set(said) <= set(api_document.REFUSALS)
