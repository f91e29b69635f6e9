"""The management API's frame: who comes in, what is read, what is answered."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask
from flask_wtf.csrf import CSRFProtect
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import Client, TestResponse

from idp.app import create_pages
from idp.errors import StoreUnavailable
from idp.web.manage import api_document, api_nouns
from idp.web.manage.api_nouns import NOUNS
from tests.console.calling import (
    APP,
    Caller,
    add_clients,
    machine,
    nobody,
    person,
    platforms_machine,
    tenants_machine,
)
from tests.security.browsing_acts import Away, failing
from tests.world import AMARA, BEN, HANA, OLU, World

COMPANY = "/tenants/northwind"


def is_problem(answer: TestResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    told: dict[str, Any] = answer.json or {}
    assert told["status"] == status
    assert {"type", "title", "code", "request_id"} <= set(told)
    return told


def test_a_companys_program_sees_where_it_may_act(world: World) -> None:
    answer = machine(world, "northwind-hr").get(COMPANY)
    assert answer.status_code == 200
    told = answer.json or {}
    assert (told["slug"], told["name"]) == ("northwind", "Northwind Lending")
    assert told["permissions"] == ["people.manage", "people.read", "roles.manage"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_a_token_was_not_given_it_may_not(world: World) -> None:
    narrow = machine(world, "northwind-hr", scope="people.read")
    assert (narrow.get(COMPANY).json or {})["permissions"] == ["people.read"]
    his = person(world, AMARA, scope="audit.read")
    assert (his.get(COMPANY).json or {})["permissions"] == ["audit.read"]


def test_what_a_role_does_not_give_no_scope_gives(world: World) -> None:
    world.run("UPDATE clients SET permissions = '[]' WHERE client_id = 'northwind-hr'")
    world.run("UPDATE catalog_version SET version = version + 1")
    world.clock.move(2)
    assert (machine(world, "northwind-hr").get(COMPANY).json or {})["permissions"] == []


def test_without_a_token_there_is_nothing(world: World) -> None:
    for path in (COMPANY, "/platform", "/tenants/no-such-company"):
        answer = nobody(world).get(path)
        assert is_problem(answer, 401)["code"] == "unauthorized"
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="latchkey"'


def test_a_cookie_is_no_authority(world: World) -> None:
    browser = world.browser()
    assert browser.enter("/manage/northwind", AMARA).status_code == 200
    is_problem(browser.get(f"/api/v1{COMPANY}"), 401)
    is_problem(browser.enter("/api/v1/platform", OLU), 401)


@pytest.mark.parametrize("product", ["lms", "lms-batch"])
def test_a_token_for_another_product_is_none_here(world: World, product: str) -> None:
    token = (
        Caller(world, world.browser().tokens(AMARA)["access_token"])
        if product == "lms"
        else machine(world, product)
    )
    for path in (COMPANY, "/platform"):
        is_problem(token.get(path), 401)


def test_a_token_of_one_company_finds_no_other(world: World) -> None:
    for caller in (tenants_machine(world, "harbor"), person(world, HANA, "harbor")):
        there, nowhere = caller.get(COMPANY), caller.get("/tenants/no-such-company")
        alike = [{**is_problem(each, 404), "request_id": ""} for each in (there, nowhere)]
        assert alike[0] == alike[1]


def test_the_platform_is_for_the_platforms_own_programs(world: World) -> None:
    assert platforms_machine(world).get("/platform").status_code == 200
    is_problem(platforms_machine(world).get(COMPANY), 401)
    for caller in (tenants_machine(world), person(world, AMARA)):
        is_problem(caller.get("/platform"), 401)


def test_who_has_no_role_of_the_console_gets_no_token_for_it(world: World) -> None:
    add_clients(world)
    answer = world.browser().sign_in(BEN, client_id=APP, tenant="northwind")
    assert "code=" not in answer.headers.get("Location", "")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE memberships SET status = 'disabled'",
        "UPDATE tenants SET status = 'suspended'",
        "UPDATE clients SET status = 'disabled' WHERE client_id = 'console-app'",
        "UPDATE users SET status = 'disabled'",
        "DELETE FROM membership_roles",
    ],
)
def test_what_is_taken_away_counts_at_the_next_request(world: World, sql: str) -> None:
    hers = person(world, AMARA)
    assert hers.get(COMPANY).status_code == 200
    world.run(sql)
    world.run("UPDATE catalog_version SET version = version + 1")
    world.clock.move(2)
    assert hers.get(COMPANY).status_code in (401, 404)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "", 404),
        ("POST", COMPANY, 405),
        ("OPTIONS", COMPANY, 405),
        ("GET", f"{COMPANY}/", 404),
        ("GET", f"{COMPANY}?x=1", 422),
        ("GET", f"{COMPANY}?x=1&x=2", 400),
        ("GET", f"{COMPANY}?x=%00", 400),
        ("GET", f"{COMPANY}?{'x' * 20_000}", 414),
        ("GET", "/tenants/%00", 404),
        ("GET", "/tenants/..%2f", 404),
    ],
)
def test_whatever_goes_wrong_is_a_problem_and_no_page(
    world: World, method: str, path: str, status: int
) -> None:
    is_problem(machine(world, "northwind-hr")(method, path), status)


def test_a_store_that_is_away_is_a_problem_too(world: World) -> None:
    caller, away = machine(world, "northwind-hr"), Away(lambda: StoreUnavailable("away"))
    with failing(away):
        caller.get(COMPANY)
        asked = away.asked
        for left in range(asked):
            away.asked, away.left = 0, left
            answer = caller.get(COMPANY)
            assert is_problem(answer, 503)["code"] == "temporarily_unavailable"
            assert answer.headers["Retry-After"] == "1"


def test_what_was_read_already_is_not_sent_again(world: World) -> None:
    caller = machine(world, "northwind-hr")
    tag = caller.get(COMPANY).headers["ETag"]
    again = caller.get(COMPANY, If_None_Match=tag)
    assert (again.status_code, again.data) == (304, b"")
    assert caller.get(COMPANY, If_None_Match='"another"').status_code == 200


def test_the_document_is_public_sound_and_complete(world: World) -> None:
    answer = nobody(world).get("/openapi.json")
    told = answer.json or {}
    OpenAPIV31SpecValidator(told).validate()
    assert told["openapi"].startswith("3.1")
    rules = {rule.rule.removeprefix("/api/v1") for rule in routes_of(world)}
    paths = {path.replace("{", "<").replace("}", ">") for path in told["paths"]}
    assert paths == rules - {"/docs", "/openapi.json"}
    scopes = told["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"]
    assert scopes["people.read"] == "See people"
    assert {"tenants.manage", "keys.manage"} <= set(scopes)


def test_whatever_the_document_points_at_is_in_it(world: World) -> None:
    document = world.get("/api/v1/openapi.json").json or {}
    pointed = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert pointed <= document["components"]["schemas"].keys()


@pytest.mark.parametrize("path", ["openapi.json", "docs"])
def test_what_the_api_tells_of_itself_is_made_once_and_not_sent_again(
    world: World, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = nobody(world)
    first = asked.get(f"/{path}")
    for maker in ("document", "parameters"):
        monkeypatch.delattr(api_document, maker)
    assert asked.get(f"/{path}").data == first.data
    again = asked.get(f"/{path}", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    assert asked.get(f"/{path}", If_None_Match='"another"').status_code == 200
    assert "Set-Cookie" not in first.headers


def test_the_page_about_the_api_is_kept_in_each_language(world: World) -> None:
    asked, tags = nobody(world), ("en", "es", "xx", "es-MX")
    pages, again = (
        {tag: asked.get("/docs", Accept_Language=tag) for tag in tags} for _time in range(2)
    )
    assert "API de administración" in pages["es"].text
    assert pages["es"].data == pages["es-MX"].data != pages["en"].data == pages["xx"].data
    assert {tag: page.data for tag, page in again.items()} == {
        tag: page.data for tag, page in pages.items()
    }
    assert "Accept-Language" in pages["es"].headers["Vary"]
    spanish = asked.get("/docs", Accept_Language="es", If_None_Match=pages["en"].headers["ETag"])
    assert spanish.status_code == 200


def test_the_document_follows_a_permission_that_has_another_name(world: World) -> None:
    first = nobody(world).get("/openapi.json")
    world.run("UPDATE permissions SET name = 'Look at people' WHERE key = 'people.read'")
    world.run("UPDATE catalog_version SET version = version + 1")
    world.clock.move(2)
    second = nobody(world).get("/openapi.json", If_None_Match=first.headers["ETag"])
    assert second.status_code == 200
    assert "Look at people" in second.text


def routes_of(world: World) -> list[Any]:
    found = create_pages(world.held).url_map.iter_rules()
    return [rule for rule in found if rule.rule.startswith("/api/")]


def test_every_example_fits_its_form(world: World) -> None:
    for route in (route for noun in NOUNS for route in noun.routes if route.body):
        assert route.body
        route.body.model_validate_json(json.dumps(route.body.example))


def test_the_page_for_people_needs_no_token_and_no_script(world: World) -> None:
    page = Client(world.app).get("/api/v1/docs")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert COMPANY.replace("northwind", "&lt;tenant&gt;") in page.text


def test_the_api_is_given_to_one_application_after_another() -> None:
    for name in ("one", "another"):
        api_nouns.install(Flask(name), CSRFProtect())
