"""Password policy: what a company asks of its people's passwords."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from werkzeug.test import TestResponse

from idp.directory.acting import RECENT, Forbidden
from idp.policies import password_terms
from idp.web.manage.password_policy_api import NewPasswordPolicy
from tests.console.administering import administering, with_roles
from tests.console.calling import person, tenants_machine
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.console.test_policy import policy
from tests.security.choosing import why_not
from tests.world import AMARA, DANA, Visitor, World

PAGE = "/manage/northwind/password-policy"
API = "/tenants/northwind/password-policy"
STATED = {
    "password_min_alnum": "0",
    "password_min_length": "15",
    "password_history": "24",
    "password_max_age_days": "365",
    "password_reset": "link",
}


def badge(words: str, kind: str = "") -> str:
    return f'<span class="badge-state{kind}">{words}</span>'


def save(browser: Visitor, page: TestResponse, **typed: str) -> TestResponse:
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return browser.post(PAGE, **{"password_reset": "temporary_password", **hidden, **typed})


def test_a_company_states_what_a_password_has_to_be(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    saved = browser.follow(save(browser, browser.enter(PAGE), **STATED))
    assert "The policy is saved." in saved.text
    kept = orjson.loads(policy(world))
    assert {name: str(kept[name]) for name in STATED} == STATED
    assert kept["password_max_age_since"] == world.clock()
    assert "password" not in policy(world, "harbor")
    [event] = world.audit("policy.changed")
    assert event["before"] == dict.fromkeys(STATED)
    assert event["after"]["password_min_length"] == 15
    assert why_not(world, "violet-teapots", AMARA) == "too_short"
    cleared = browser.follow(save(browser, saved))
    assert policy(world) == "{}"
    assert "In force: never" in cleared.text


def test_each_line_says_whether_it_is_as_recommended(world: World) -> None:
    browser = world.browser()
    page = browser.enter(PAGE)
    assert page.text.count(">As recommended<") == 2
    assert badge("Less than the recommended 15", " badge-bad") in page.text
    assert badge("Stricter than the recommended 0") in page.text
    assert "Differs from what is recommended" in page.text
    saved = browser.follow(save(browser, page, **{**STATED, "password_max_age_days": ""}))
    assert saved.text.count(">As recommended<") == 4
    assert badge("Stricter than the recommended 10") in saved.text
    assert "advises against it" in saved.text
    assert "badge-bad" not in saved.text
    rotated = browser.follow(save(browser, saved, **STATED))
    assert badge("Recommended: never") in rotated.text


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("password_min_alnum", "21"),
        ("password_min_length", "7"),
        ("password_min_length", "65"),
        ("password_history", "25"),
        ("password_history", "-1"),
        ("password_max_age_days", "29"),
        ("password_max_age_days", "731"),
        ("password_max_age_days", "ninety"),
        ("password_reset", "sms"),
        ("password_reset", ""),
    ],
)
def test_out_of_bounds_is_refused_beside_the_field(world: World, name: str, typed: str) -> None:
    browser = world.browser()
    answer = save(browser, browser.enter(PAGE), **{name: typed})
    assert answer.status_code == 422
    assert f'id="{name}-error"' in answer.text
    assert policy(world) == "{}"


def test_whoever_saves_second_is_told(either_world: World) -> None:
    browser = either_world.browser()
    page = browser.enter(PAGE)
    assert save(browser, page, password_history="5").status_code == 303
    assert save(browser, page, password_history="6").status_code == 409
    assert policy(either_world) == '{"password_history":5}'


def test_it_needs_the_permission_and_a_recent_sign_in(world: World) -> None:
    browser = world.browser()
    page = browser.enter(PAGE)
    world.clock.move(RECENT + 1)
    assert 'name="password"' in browser.follow(save(browser, page, **STATED)).text
    assert policy(world) == "{}"
    with_roles(world, DANA, {"reader": {"permissions": {"console": ["people.read"]}}})
    other = world.browser()
    other.enter("/manage/northwind", DANA)
    assert other.get(PAGE).status_code == 403
    assert other.post(PAGE).status_code in (400, 403)
    with administering(world, DANA) as admin, pytest.raises(Forbidden):
        password_terms.change(admin, "", STATED)


def test_the_api_states_it_by_the_same_rule(either_world: World) -> None:
    ours = tenants_machine(either_world)
    found = told(ours.get(API))
    assert found["password_min_length"] is None
    assert found["password_reset"] == "temporary_password"
    assert found["recommended_reset"] == "link"
    terms = {each["name"]: each for each in found["terms"]}
    assert terms["password_min_length"] == {
        "name": "password_min_length",
        "least": 8,
        "most": 64,
        "in_force": 10,
        "recommended": 15,
        "compared": "weaker",
    }
    assert terms["password_max_age_days"]["in_force"] is None
    wanted = {name: int(text) if text.isdigit() else text for name, text in STATED.items()}
    changed = told(ours.change("PUT", API, wanted))
    assert {name: changed[name] for name in wanted} == wanted
    assert [each["compared"] for each in changed["terms"]] == [
        *("same", "same", "stricter", "discouraged")
    ]
    kept = orjson.loads(policy(either_world))
    assert {name: kept[name] for name in wanted} == wanted
    assert kept["password_max_age_since"] == either_world.clock()
    assert told(ours.change("PUT", API, {}))["password_reset"] == "temporary_password"
    assert policy(either_world) == "{}"
    assert len(either_world.audit("policy.changed")) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password_min_alnum", 21),
        ("password_min_alnum", -1),
        ("password_min_length", 7),
        ("password_min_length", 65),
        ("password_history", 25),
        ("password_max_age_days", 29),
        ("password_max_age_days", 731),
        ("password_max_age_days", "90"),
        ("password_reset", "sms"),
        ("password_reset", None),
        ("password_max_age_since", 1.0),
    ],
)
def test_the_api_refuses_what_is_out_of_bounds(world: World, name: str, value: Any) -> None:
    refused = tenants_machine(world).change("PUT", API, {name: value})
    assert list(is_problem(refused, 422)["errors"]) == [name]
    assert policy(world) == "{}"


def test_the_api_changes_only_what_was_read(either_world: World) -> None:
    ours, longer = tenants_machine(either_world), {"password_min_length": 15}
    is_problem(ours("PUT", API, longer), 428)
    tag = ours.get(API).headers["ETag"]
    told(ours("PUT", API, longer, If_Match=tag))
    is_problem(ours("PUT", API, {}, If_Match=tag), 412)
    assert policy(either_world) == '{"password_min_length":15}'


def test_the_api_needs_the_permission_a_recent_sign_in_and_the_own_company(world: World) -> None:
    other = person(world, scope="people.read domains.manage")
    is_problem(other.get(API), 403)
    is_problem(other("PUT", API, {}, If_Match="*"), 403)
    is_problem(tenants_machine(world, "harbor").get(API), 404)
    hers = person(world)
    world.clock.move(RECENT + 1)
    is_problem(hers("PUT", API, {"password_min_length": 15}, If_Match="*"), 401)
    assert policy(world) == "{}"


def test_the_document_has_the_bounds_and_the_recommended_as_example(world: World) -> None:
    schemas = world.get("/api/v1/openapi.json").json["components"]["schemas"]  # type: ignore[index]
    for whole in password_terms.WHOLES:
        number = schemas["NewPasswordPolicy"]["properties"][whole.name]["anyOf"][0]
        assert (number["minimum"], number["maximum"]) == (whole.least, whole.most)
    assert NewPasswordPolicy.example["password_min_length"] == 15
    assert NewPasswordPolicy.example["password_reset"] == "link"
