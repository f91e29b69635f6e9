"""The console and the API, at each address, on both databases: whatever stands in a path, a query
or a field, nothing fails."""

from __future__ import annotations

import re

import pytest
from werkzeug.test import Client

from idp.app import create_pages
from idp.directory import imports
from tests.console.administering import administering
from tests.console.calling import platforms_machine, tenants_machine
from tests.security.browsing import rules
from tests.world import AMARA, OLU, Visitor, World

IN_PATHS = ("a%00b", "%00", "9" * 30, "9" * 5000, "-1", "%C3%A9", "%0D%0A", "..%2f..")
TYPED = ("9" * 30, "9" * 5000, "-9", "9999-12-31", "0001-01-01", "\N{SUPERSCRIPT TWO}", "1e9999")
QUERIES = ("after", "cursor", "limit", "from", "to", "since", "until", "who", "tag", "status", "q")


def paths_with(world: World, name: str) -> list[tuple[str, str]]:
    """Each address with a parameter, one of its parameters being `name`, at a time."""
    found = []
    for rule in create_pages(world.held).url_map.iter_rules():
        parameters = re.findall(r"<(?:path:)?(\w+)>", rule.rule)
        for chosen in parameters:
            path = re.sub(rf"<(?:path:)?{chosen}>", lambda _: name, rule.rule)
            path = re.sub(r"<(?:path:)?\w+>", "0" * 32, path.replace("<tenant>", "northwind"))
            methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            found += [(method, path) for method in methods]
    return found


def staff(world: World) -> list[Visitor]:
    """Signed in, one for a company's pages and one for the operators'."""
    admin, operator = world.browser(), world.browser()
    admin.enter("/manage/northwind", AMARA)
    operator.enter("/operate/tenants", OLU)
    return [admin, operator]


def test_no_name_in_a_path_is_an_accident(either_world: World) -> None:
    admin, operator = staff(either_world)
    tokens = [tenants_machine(either_world).token, platforms_machine(either_world).token]
    page = admin.get("/account")
    for name in IN_PATHS:
        for method, path in paths_with(either_world, name):
            if path.startswith("/api/"):
                at_platform = path.startswith("/api/v1/platform")
                headers = {"Authorization": f"Bearer {tokens[at_platform]}", "If-Match": "*"}
                client = Client(either_world.app, use_cookies=False)
                answer = client.open(path, method=method, json={}, headers=headers)
            else:
                visitor = operator if path.startswith("/operate") else admin
                answer = visitor.submit(page, path) if method == "POST" else visitor.get(path)
            assert answer.status_code < 500, (method, path[:200], answer.text)


def test_nothing_typed_into_a_query_is_an_accident(either_world: World) -> None:
    admin, operator = staff(either_world)
    with administering(either_world) as opened:
        made = imports.upload(opened, b"email,kind,roles\na@x.example,staff,agent\n", "en")
    pages = [path for method, path in rules(either_world.held) if method == "GET"]
    for path in (*pages, f"/manage/northwind/imports/{made}"):
        if path.startswith(("/manage", "/operate")):
            visitor = operator if path.startswith("/operate") else admin
            for typed in TYPED:
                answer = visitor.client.get(path, query_string=dict.fromkeys(QUERIES, typed))
                assert answer.status_code < 500, (path, typed[:30])
                answer.close()


FORMS = {
    "/operate/clients/lms/secrets": "hours",
    "/operate/clients/lms/edit": "default_max_age",
    "/operate/tenants/northwind/visit": "minutes",
    "/manage/northwind/access/new": "end",
}


@pytest.mark.parametrize("path", FORMS)
def test_nothing_typed_into_a_field_is_an_accident(either_world: World, path: str) -> None:
    admin, operator = staff(either_world)
    visitor = operator if path.startswith("/operate") else admin
    page = visitor.get(path.replace("/secrets", ""))
    for typed in TYPED:
        answer = visitor.submit(page, path, **{FORMS[path]: typed})
        assert answer.status_code < 500, (typed[:30], answer.text)
        assert answer.status_code == 422, (typed[:30], answer.status)
