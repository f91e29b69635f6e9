"""The switcher says which product asks for one more step first (product.md N7): by what decides
when it is opened, so that what it says is what happens."""

from __future__ import annotations

from typing import Any

from tests.credentials.proving import code_of, enrol_app
from tests.security.second_factors import demand_a_second_factor
from tests.world import AMARA, Visitor, World

MINUTE = 60.0


def token_of(visitor: Visitor, email: str = AMARA) -> str:
    return str(visitor.tokens(email)["access_token"])


def told(world: World, token: str) -> dict[str, Any]:
    """The step of each product."""
    answer = world.get("/switcher", Authorization=f"Bearer {token}").json or {}
    return {each["key"]: each["step"] for each in answer["products"]}


def steps(world: World, visitor: Visitor) -> dict[str, Any]:
    return told(world, token_of(visitor))


def test_n7_nothing_is_said_of_what_opens_at_once(either_world: World):
    assert set(steps(either_world, either_world.browser()).values()) == {None}


def test_n7_a_product_that_wants_a_second_factor_says_so(either_world: World):
    demand_a_second_factor(either_world)
    told = steps(either_world, either_world.browser())
    assert told == {"lms": None, "payments": "enrol", "connections": None}
    enrol_app(either_world)
    assert steps(either_world, either_world.browser())["payments"] == "second_factor"


def test_n7_what_is_proven_is_asked_for_no_more_until_it_is_too_old(either_world: World):
    demand_a_second_factor(either_world)
    either_world.run("UPDATE products SET second_factor_minutes = 5 WHERE key = 'payments'")
    secret, visitor = enrol_app(either_world), either_world.browser()
    token = token_of(visitor)
    either_world.clock.move(31)
    page = visitor.follow(visitor.authorize("payments"))
    visitor.follow(visitor.submit(page, code=code_of(secret, either_world.clock.now)))
    assert told(either_world, token)["payments"] is None
    either_world.clock.move(5 * MINUTE + 1)
    assert told(either_world, token)["payments"] == "second_factor"


def test_n7_a_password_that_has_to_be_changed_is_asked_for(either_world: World):
    token = token_of(either_world.browser())
    either_world.run("UPDATE passwords SET must_change = 'compromised'")
    assert set(told(either_world, token).values()) == {"new_password"}
    either_world.clock.move(6 * MINUTE)
    assert set(told(either_world, token).values()) == {"password"}


def test_n7_our_own_menu_says_the_same(either_world: World):
    words = "asks for one more step"
    assert words not in either_world.browser().enter("/account").text
    demand_a_second_factor(either_world)
    visitor = either_world.browser()
    assert visitor.enter("/account").text.count(words) == 1
