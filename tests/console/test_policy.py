"""Sign-in policy: stricter than the platform, never looser, and in force at once."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from idp.directory.acting import RECENT, Forbidden, Mistake
from idp.policies import tenant_policy
from tests.console.administering import administering, with_roles
from tests.world import AMARA, BEN, DANA, PASSWORD, Visitor, World

POLICY = "/manage/northwind/policy"


def policy(world: World, slug: str = "northwind") -> str:
    ((found,),) = world.run("SELECT policy FROM tenants WHERE slug = :slug", slug=slug)
    return str(found)


def save(browser: Visitor, page: TestResponse, idle: str, absolute: str) -> TestResponse:
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return browser.post(
        POLICY, **hidden, session_idle_minutes=idle, session_absolute_hours=absolute
    )


def test_a_company_shortens_its_sessions(either_world: World) -> None:
    browser = either_world.browser()
    saved = browser.follow(save(browser, browser.enter(POLICY), "20", " 8 "))
    assert "The policy is saved." in saved.text
    assert policy(either_world) == '{"session_idle_minutes":20,"session_absolute_hours":8}'
    assert policy(either_world, "harbor") == '{"session_idle_minutes":30}'
    event = either_world.audit("policy.changed")[0]
    assert event["before"] == {"session_idle_minutes": None, "session_absolute_hours": None}
    assert event["after"] == {"session_idle_minutes": 20, "session_absolute_hours": 8}
    cleared = browser.follow(save(browser, saved, "", ""))
    assert policy(either_world) == "{}"
    assert "In force: 60 minutes" in cleared.text


def test_it_is_in_force_for_sessions_that_are_open(either_world: World) -> None:
    worker, admin = either_world.browser(), either_world.browser()
    worker.tokens(BEN)
    either_world.clock.move(600)
    save(admin, admin.enter(POLICY), "9", "")
    either_world.clock.move(1)
    assert 'name="password"' in worker.follow(worker.authorize()).text


@pytest.mark.parametrize(
    ("idle", "absolute", "field"),
    [
        ("0", "", "session_idle_minutes"),
        ("61", "", "session_idle_minutes"),
        ("1441", "", "session_idle_minutes"),
        ("-5", "", "session_idle_minutes"),
        ("5.5", "", "session_idle_minutes"),
        ("five", "", "session_idle_minutes"),
        ("", "0", "session_absolute_hours"),
        ("", "25", "session_absolute_hours"),
        ("", "99999", "session_absolute_hours"),
    ],
)
def test_out_of_bounds_is_refused_beside_the_field(
    world: World, idle: str, absolute: str, field: str
) -> None:
    browser = world.browser()
    answer = save(browser, browser.enter(POLICY), idle, absolute)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert f'value="{idle or absolute}"' in answer.text
    assert policy(world) == "{}"


def test_being_unused_for_longer_than_the_whole_is_refused(world: World) -> None:
    settings = replace(world.settings, session_idle_lifetime=7200)
    claimed = {"session_idle_minutes": "61", "session_absolute_hours": "1"}
    with administering(world) as admin:
        seen = tenant_policy.digest(admin)
        with pytest.raises(Mistake):
            tenant_policy.change_sessions(admin, settings, seen, claimed)


def test_what_differs_from_the_recommendation_is_said(world: World) -> None:
    page = world.browser().enter(POLICY)
    assert page.text.count("As recommended") == 2
    settings = replace(world.settings, session_idle_lifetime=7200, session_absolute_lifetime=864000)
    with administering(world) as admin:
        terms = tenant_policy.session_terms(admin, settings)
    assert [term.is_longer_than_recommended for term in terms] == [True, True]
    assert [term.most for term in terms] == [120, 240]


def test_whoever_saves_second_is_told(world: World) -> None:
    browser = world.browser()
    page = browser.enter(POLICY)
    assert save(browser, page, "20", "").status_code == 303
    told = save(browser, page, "50", "")
    assert told.status_code == 409
    assert 'value="20"' in told.text
    assert policy(world) == '{"session_idle_minutes":20}'


def test_it_needs_the_permission_and_a_recent_sign_in(world: World) -> None:
    browser = world.browser()
    page = browser.enter(POLICY)
    world.clock.move(RECENT + 1)
    asked = browser.follow(save(browser, page, "20", ""))
    assert 'name="password"' in asked.text
    assert policy(world) == "{}"
    kept = browser.follow(browser.submit(asked, email=AMARA, password=PASSWORD))
    assert browser.submit(kept, POLICY).status_code == 303
    assert policy(world) == '{"session_idle_minutes":20}'
    with_roles(world, DANA, {"reader": {"permissions": {"console": ["people.read"]}}})
    other = world.browser()
    other.enter("/manage/northwind", DANA)
    assert other.get(POLICY).status_code == 403
    with administering(world, DANA) as admin, pytest.raises(Forbidden):
        tenant_policy.change_sessions(admin, world.settings, "", {})
