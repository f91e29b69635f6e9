"""What the console says of somebody's second factor is what happens when they sign in (product.md
N1): for each person, product and policy of a table, both are asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from werkzeug.test import TestResponse

from idp import explanation
from idp.explanation import Explained, Next
from tests.console.company_providers_of import add, only_way, route, verified_domain
from tests.console.people_of import member_id, user_id
from tests.console.test_factor_reset import with_second_factor
from tests.console.test_multi_factor import enrolled
from tests.federation.companies import by_company, companys, set_up
from tests.machine.upstream.accounts import Account
from tests.security.second_factors import demand_a_second_factor, require_of_staff
from tests.world import AMARA, BEN, DANA, PRIYA, World

BEFORE, TURNED_ON = 5.0, 60.0
PRODUCTS = ("lms", "payments")
POLICIES: dict[str, dict[str, Any]] = {
    "says nothing": {},
    "asks its staff": {"second_factor": {"staff": {"mode": "optional"}}},
    "requires it of its staff": {"second_factor": {"staff": {"mode": "required"}}},
    "takes keys alone": {
        "second_factor": {"staff": {"mode": "required"}},
        "second_factor_methods": ["passkey"],
    },
    "has turned it on again": {
        "second_factor": {"staff": {"mode": "required", "since": TURNED_ON}}
    },
    "wants it in one product": {"second_factor_products": {"lms": 15}},
}


@pytest.fixture
def people(world: World) -> World:
    """Ben has an authenticator app, Dana has skipped, Priya is selected, Amara is none of these."""
    enrolled(world, BEN, BEFORE)
    world.clock.move(100)
    for email, changed in (
        (DANA, "second_factor_skipped_at = 90.0"),
        (PRIYA, "second_factor_selected = true"),
    ):
        whose = user_id(world, email)
        world.run(f"UPDATE memberships SET {changed} WHERE user_id = :u", u=whose)
    demand_a_second_factor(world, "payments")
    return world


@pytest.mark.parametrize("policy", POLICIES)
def test_n1_what_is_explained_is_what_a_sign_in_asks(people: World, policy: str) -> None:
    text = orjson.dumps(POLICIES[policy]).decode()
    people.run("UPDATE tenants SET policy = :p WHERE slug = 'northwind'", p=text)
    for email in (AMARA, BEN, DANA, PRIYA):
        found = explained(people, email)
        for product in PRODUCTS:
            page = people.browser().sign_in(email, client_id=product, tenant="northwind")
            assert met(page) == found.get(product), f"{email} at {product}: {page.text}"


def explained(world: World, email: str) -> dict[str, Next]:
    return {each.product.key: each.next for each in explanations(world, email)}


def explanations(world: World, email: str) -> list[Explained]:
    with world.held.database.connection() as db:
        return explanation.explained(
            world.held, db, user_id(world, email), "northwind", world.clock()
        )


def met(page: TestResponse) -> Next | None:
    """None where the product does not open. Who has only what does not count proves it before they
    enrol another."""
    if "code=" in page.headers.get("Location", ""):
        return Next.NOTHING
    if page.request.path == "/login/second_factor":
        return Next.ENROL if "Before you set up another way" in page.text else Next.PROVE
    return Next.ENROL if page.request.path == "/login/enrol" else None


def test_n1_it_names_the_only_way_in_and_what_is_asked_after_it(world: World) -> None:
    set_only_way(world)
    demand_a_second_factor(world, "payments")
    found = {email: explanations(world, email) for email in (AMARA, BEN)}
    assert [each.only_way for each in found[AMARA]] == [None] * len(found[AMARA])
    assert {each.only_way and each.only_way.name for each in found[BEN]} == {"Northwind Entra"}
    assert [(each.product.key, each.next) for each in found[BEN]] == [("lms", Next.NOTHING)]
    page = world.browser()
    page.enter("/manage/northwind")
    shown = page.get(f"/manage/northwind/people/{member_id(world, BEN)}").text
    assert "Comes in by Northwind Entra alone." in shown


@pytest.mark.parametrize("email", [PRIYA, BEN])
@pytest.mark.parametrize("operates", [False, True])
@pytest.mark.parametrize("trusted_amr", ["", "hwk"])
def test_n1_who_comes_by_the_only_way_is_told_what_their_sign_in_asks(
    either_world: World, email: str, operates: bool, trusted_amr: str
) -> None:
    """Priya is in another company too."""
    require_of_staff(either_world)
    who = user_id(either_world, email)
    either_world.run("UPDATE users SET is_operator = :o WHERE id = :u", o=operates, u=who)
    with companys(either_world) as upstream:
        set_up(either_world, upstream, trusted_amr=trusted_amr, **only_way(either_world, AMARA))
        upstream.account = Account("there", email, email_verified=None)
        found = explained(either_world, email)["lms"]
        page = by_company(either_world.browser(), email=email, tenant="northwind")
        steps = {"/login/password": Next.PASSWORD, "/login/enrol": Next.ENROL}
        assert found == steps[page.request.path]
        assert (found is Next.PASSWORD) is (operates or email == PRIYA)
        upstream.account = replace(upstream.account, amr=("hwk",))
        answer = by_company(either_world.browser(), email=email, tenant="northwind")
        (one,) = [each for each in explanations(either_world, email) if each.product.key == "lms"]
        assert ("Location" in answer.headers) is (one.trusted is not None)
        assert (one.trusted is not None) is (trusted_amr != "")


def test_n1_the_page_says_what_is_asked_besides_and_what_would_do(either_world: World) -> None:
    page = with_second_factor(either_world, AMARA)
    require_of_staff(either_world)
    set_only_way(either_world, trusted_amr="hwk")
    shown = page.get(f"/manage/northwind/people/{member_id(either_world, PRIYA)}").text
    assert "Their own password or passkey is asked for too, and then they set one up." in shown
    assert "A second factor at Northwind Entra counts too." in shown
    shown = page.get(f"/manage/northwind/people/{member_id(either_world, BEN)}").text
    assert "They are asked to set one up." in shown


def test_n1_no_provider_is_named_that_nobody_trusts_or_needs(either_world: World) -> None:
    set_only_way(either_world, trusted_amr="hwk")
    assert {each.trusted for each in explanations(either_world, BEN)} == {None}, "none is asked for"
    assert {each.next for each in explanations(either_world, PRIYA)} == {Next.NOTHING}


def set_only_way(world: World, **more: Any) -> None:
    key = add(world, **only_way(world, AMARA), **more)
    route(world, verified_domain(world), key)
    world.clock.move(2)
