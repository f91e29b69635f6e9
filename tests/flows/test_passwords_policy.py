"""A company's terms for passwords: what a change leaves as it was, and what is no number
(product.md P1 to P3)."""

from __future__ import annotations

import orjson
import pytest

from idp.policies.password_rules import Why
from tests.console.test_password_policy import PAGE, STATED, save
from tests.console.test_policy import policy
from tests.mailed import NEW, state_policy
from tests.security.choosing import choose, why_not
from tests.world import PRIYA, World


def test_p3_saving_what_is_there_changes_nothing(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    saved = browser.follow(save(browser, browser.enter(PAGE), **STATED))
    kept = policy(world)
    world.clock.move(60)
    assert save(browser, saved, **STATED).status_code == 303
    assert policy(world) == kept
    assert len(world.audit("policy.changed")) == 1


def test_p3_what_else_a_company_has_stated_stays(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    others = {"customer": {"mode": "optional", "since": 5.0}}
    state_policy(world, second_factor=others)
    save(browser, browser.enter(PAGE), password_history="5")
    kept = orjson.loads(policy(world))
    assert kept == {"second_factor": others, "password_history": 5}


def test_p5_who_chose_another_form_meanwhile_is_not_overtaken(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    page = browser.enter(PAGE)
    assert save(browser, page, password_reset="link").status_code == 303
    assert save(browser, page, password_history="6").status_code == 409
    assert policy(world) == '{"password_reset":"link"}'


OVER = {
    "the membership": "UPDATE memberships SET status = 'ended' WHERE tenant_id ="
    " (SELECT id FROM tenants WHERE slug = 'harbor')",
    "the company": "UPDATE tenants SET status = 'ended' WHERE slug = 'harbor'",
}


@pytest.mark.parametrize("over", OVER)
def test_p1_what_a_company_asked_holds_no_longer_than_one_is_in_it(world: World, over: str) -> None:
    state_policy(world, "harbor", password_min_length=64)
    assert why_not(world, NEW, PRIYA) is Why.TOO_SHORT
    world.run(OVER[over])
    assert why_not(world, NEW, PRIYA) is None


def test_p2_a_company_that_remembers_fewer_refuses_fewer(world: World) -> None:
    for number in range(4):
        choose(world, f"{NEW} {number}")
        world.clock.move(1)
    state_policy(world, password_history=3)
    for number in (3, 2, 1):
        assert why_not(world, f"{NEW} {number}") is Why.USED_BEFORE
    assert why_not(world, f"{NEW} 0") is None


@pytest.mark.parametrize("typed", ["9" * 5000, "\u0661\u0662", "1e1", "12.0", "+12", "0x0c"])
def test_p1_what_is_no_plain_number_is_refused(world: World, typed: str) -> None:
    browser = world.browser()
    assert save(browser, browser.enter(PAGE), password_history=typed).status_code == 422
    assert policy(world) == "{}"
