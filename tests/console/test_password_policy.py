"""Password policy: what a company asks of its people's passwords."""

from __future__ import annotations

import re

import orjson
import pytest
from werkzeug.test import TestResponse

from idp.directory.acting import RECENT, Forbidden
from idp.policies import password_terms
from tests.console.administering import administering, with_roles
from tests.console.test_policy import policy
from tests.security.choosing import why_not
from tests.world import AMARA, DANA, Visitor, World

PAGE = "/manage/northwind/password-policy"
STATED = {
    "password_min_alnum": "0",
    "password_min_length": "15",
    "password_history": "24",
    "password_max_age_days": "365",
    "password_reset": "link",
}


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
    assert "Recommended: 15" in page.text
    assert "Differs from what is recommended" in page.text
    saved = browser.follow(save(browser, page, **{**STATED, "password_max_age_days": ""}))
    assert saved.text.count(">As recommended<") == 4
    assert "Recommended: 10" in saved.text
    assert "advises against it" in saved.text


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
