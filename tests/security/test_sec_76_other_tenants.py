"""S76: whatever address of the console or the API, whoever asks, in whatever place they name
another company's things: those are not there, nothing is told and nothing is written.

The addresses are the application's own, so that a new one is tried without being listed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.console.calling import Caller, nobody, person, platforms_machine, tenants_machine
from tests.console.operators_tokens import operators_app
from tests.security.other_tenants import (
    CANARY,
    OURS,
    THEIRS,
    Address,
    TwoCompanies,
    addresses,
    csrf_token,
    send,
)
from tests.world import AMARA, BEN, HANA, OLU, World

Ask = Callable[[Address, str], TestResponse]
LONG = pytest.mark.timeout(600)  # every address, with every thing in every place


@pytest.fixture
def two(either_world: World) -> TwoCompanies:
    return TwoCompanies(either_world)


def visitor(world: World, email: str | None) -> Ask:
    """Somebody's browser; it sends every field that any form of the console has."""
    browser = world.browser()
    token = ""
    if email:
        browser.enter("/account", email)
        token = csrf_token(browser.get("/account"))

    def ask(address: Address, path: str) -> TestResponse:
        if address.method == "GET":
            return browser.get(path)
        return browser.client.post(path, data={"csrf_token": token} if token else {})

    return ask


def program(caller: Caller) -> Ask:
    return lambda address, path: send(caller, address, path)


def attempts(two: TwoCompanies, address: Address) -> Iterator[str]:
    """Paths that name something of harbor's: the company, or a thing of it below northwind."""
    theirs = two.things[THEIRS]
    if address.is_of_a_tenant:
        yield address.filled(THEIRS, theirs)
        yield address.filled(THEIRS, two.things[OURS])
        for mix in two.mixes(address):
            yield address.filled(OURS, mix)
    else:
        yield address.filled("", theirs)


def check_nothing_is_there(
    two: TwoCompanies, asked: list[Address], asks: dict[str, tuple[Ask, set[int]]]
) -> None:
    assert asked
    before = two.dump()
    for address in asked:
        for path in attempts(two, address):
            for who, (ask, expected) in asks.items():
                is_barred = who == "a program" and is_tenants_and_for_people(address)
                statuses = {403, 404} if is_barred else expected
                answer, what = ask(address, path), f"{who}: {address.method} {path}"
                assert answer.status_code in statuses, f"{what}: {answer.status} {answer.text}"
                assert CANARY not in answer.text + str(answer.headers), what
        assert two.dump() == before, str(address)


def is_tenants_and_for_people(address: Address) -> bool:
    route = address.route
    return route is not None and route.is_tenants and route.is_for_people


def chosen(two: TwoCompanies, *, api: bool, tenants: bool) -> list[Address]:
    return [
        each
        for each in addresses(two.world)
        if (each.is_api, each.is_of_a_tenant) == (api, tenants)
    ]


def test_sec_76_no_page_shows_or_changes_what_is_anothers(two: TwoCompanies) -> None:
    asks = {
        "an account admin": (visitor(two.world, AMARA), {404}),
        "a member": (visitor(two.world, BEN), {403, 404}),
        "an operator": (visitor(two.world, OLU), {404}),
        "nobody": (visitor(two.world, None), {303, 400, 403}),
    }
    check_nothing_is_there(two, chosen(two, api=False, tenants=True), asks)


def test_sec_76_no_operators_page_is_there_for_others(two: TwoCompanies) -> None:
    asks = {
        "an account admin": (visitor(two.world, AMARA), {404}),
        "a member": (visitor(two.world, BEN), {404}),
        "nobody": (visitor(two.world, None), {303, 400, 403}),
    }
    check_nothing_is_there(two, chosen(two, api=False, tenants=False), asks)


def test_sec_76_no_token_reaches_what_is_anothers(two: TwoCompanies) -> None:
    world = two.world
    product = Caller(world, world.browser().tokens(BEN)["access_token"])
    asks = {
        "a program": (program(tenants_machine(world)), {404}),
        "an account admin": (program(person(world, AMARA)), {404}),
        "the platform's program": (program(platforms_machine(world)), {401}),
        "an operator": (program(operators_app(world)), {404}),
        "a member with a product's token": (program(product), {401}),
        "nobody": (program(nobody(world)), {401}),
    }
    check_nothing_is_there(two, chosen(two, api=True, tenants=True), asks)


def test_sec_76_no_tenants_token_reaches_what_is_the_platforms(two: TwoCompanies) -> None:
    world = two.world
    asks = {
        "a program": (program(tenants_machine(world)), {401}),
        "an account admin": (program(person(world, AMARA)), {401}),
        "nobody": (program(nobody(world)), {401}),
    }
    check_nothing_is_there(two, chosen(two, api=True, tenants=False), asks)


@LONG
def test_sec_76_nothing_of_anothers_can_be_named_in_a_body_or_a_query(two: TwoCompanies) -> None:
    callers = [tenants_machine(two.world), person(two.world, AMARA)]
    before = two.dump()
    for address in chosen(two, api=True, tenants=True):
        path = address.filled(OURS, two.things[OURS])
        for caller in callers:
            for body, query in named_elsewhere(two, address):
                answer = send(caller, address, path, body, query)
                what = f"{address} {body} {query}: {answer.status}"
                assert answer.status_code < 500, what
                assert CANARY not in answer.text, what
        before = two.check_harbor_is_untouched(before, str(address))


def named_elsewhere(two: TwoCompanies, address: Address) -> Iterator[tuple[Any, str]]:
    """A body or a query with something of harbor's in each of its places."""
    route = address.route
    assert route, f"{address} is not declared"
    for theirs in sorted(two.foreign):
        if route.body:
            yield replaced(route.body.example, theirs), ""
        for name in route.query.model_fields if route.query else ():
            yield None, f"?{name}={theirs}"


def replaced(value: Any, theirs: str) -> Any:
    if isinstance(value, dict):
        return {name: replaced(each, theirs) for name, each in value.items()}
    if isinstance(value, list):
        return [*value, theirs, *(f"{theirs}/{theirs}" for _ in value)]
    return theirs if isinstance(value, str) else value


@LONG
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_sec_76_nothing_of_anothers_can_be_filled_into_a_form(
    two: TwoCompanies, method: str
) -> None:
    """Every field that a form of the console has, at every page, with harbor's things in it."""
    browser = two.world.browser()
    browser.tokens(AMARA)
    token = csrf_token(browser.get("/account"))
    asked = [each for each in chosen(two, api=False, tenants=True) if each.method == method]
    assert len(asked) > 20
    before = two.dump()
    for address in asked:
        path = address.filled(OURS, two.things[OURS])
        for theirs in sorted(two.foreign):
            fields = dict.fromkeys(two.field_names, theirs)
            if method == "GET":
                answer = browser.client.get(path, query_string=fields)
            else:
                answer = browser.client.post(path, data={"csrf_token": token, **fields})
            assert answer.status_code < 500, f"{address}, {theirs}: {answer.text}"
            assert CANARY.encode() not in answer.data, f"{address}, {theirs}"
            answer.close()  # a download's file
        before = two.check_harbor_is_untouched(before, str(address))


def test_sec_76_a_leak_would_be_seen(two: TwoCompanies) -> None:
    """The admin of harbor sees the canary, and what they change is seen as harbor's."""
    browser, before = two.world.browser(), two.dump()
    browser.tokens(HANA)
    assert CANARY in browser.get(f"/manage/{THEIRS}/people").text
    two.world.run("UPDATE roles SET rank = 11 WHERE id = :id", id=two.things[THEIRS]["role"])
    with pytest.raises(AssertionError):
        two.check_harbor_is_untouched(before, "a change of harbor's")
