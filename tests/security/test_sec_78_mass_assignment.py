"""S78: a write takes the fields that it declares. Whatever else is sent is refused, at the API, or
left lying, in a form; and nothing is changed by it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.console.calling import Caller, platforms_machine, tenants_machine
from tests.console.test_api import is_problem
from tests.security.other_tenants import (
    EXTRAS,
    OURS,
    THEIRS,
    Address,
    TwoCompanies,
    addresses,
    csrf_token,
    send,
)
from tests.world import AMARA, OLU, World

MARK = "planted-3c9e"


@pytest.fixture
def two(either_world: World) -> TwoCompanies:
    return TwoCompanies(either_world)


def writes(two: TwoCompanies) -> list[Address]:
    return [each for each in addresses(two.world) if each.method != "GET"]


def test_sec_78_no_write_of_the_api_takes_a_field_that_is_not_declared(two: TwoCompanies) -> None:
    ours, platforms = tenants_machine(two.world), platforms_machine(two.world)
    with_a_body = [each for each in writes(two) if each.route and each.route.body]
    assert len(with_a_body) >= 5
    for address in with_a_body:
        assert address.route
        assert address.route.body
        caller = ours if address.is_of_a_tenant else platforms
        path = address.filled(OURS, two.things[OURS])
        before = two.dump()
        for name in set(EXTRAS) - set(address.route.body.model_fields):
            body = {**address.route.body.example, name: MARK}
            told = is_problem(send(caller, address, path, body), 422)
            assert list(told["errors"]) == [name], f"{address}: {told}"
        assert two.dump() == before, str(address)


def test_sec_78_no_form_writes_a_field_that_it_does_not_have(two: TwoCompanies) -> None:
    """An operator and an admin send a form of nothing but such fields."""
    for email, is_of_a_tenant in ((AMARA, True), (OLU, False)):
        browser = two.world.browser()
        browser.tokens(AMARA) if is_of_a_tenant else browser.enter("/operate", OLU)
        token = csrf_token(browser.get("/account"))
        mine = [
            each
            for each in writes(two)
            if not each.is_api and each.is_of_a_tenant == is_of_a_tenant
        ]
        assert mine
        for address in mine:
            path = address.filled(OURS, two.things[OURS])
            before = two.dump()
            fields = {"csrf_token": token, **dict.fromkeys(EXTRAS, MARK)}
            answer = browser.client.post(path, data=fields)
            assert answer.status_code < 500, f"{email} {address}: {answer.text}"
            check_is_unmarked(two, before, str(address))


def check_is_unmarked(two: TwoCompanies, before: dict[str, set[str]], what: str) -> None:
    for table, rows in two.dump().items():
        for row in rows - before[table]:
            assert MARK not in row, f"{what}: {table}: {row}"
    operators: list[Any] = two.world.run("SELECT email FROM users WHERE is_operator")
    assert operators == [(OLU,)], what


def test_sec_78_a_mark_would_be_seen(two: TwoCompanies) -> None:
    before = two.dump()
    two.world.run("UPDATE roles SET description = :m WHERE key = 'analyst'", m=MARK)
    with pytest.raises(AssertionError):
        check_is_unmarked(two, before, "a role")


def test_sec_78_an_id_in_the_body_moves_nothing_elsewhere(two: TwoCompanies) -> None:
    caller: Caller = tenants_machine(two.world)
    body = {"name": "Auditor", "tenant_id": two.things[THEIRS]["the company's id"]}
    is_problem(caller.post("/tenants/northwind/roles", body), 422)
    made = caller.post("/tenants/northwind/roles", {"name": "Auditor"})
    [(slug,)] = two.world.run(
        "SELECT slug FROM tenants JOIN roles ON roles.tenant_id = tenants.id WHERE roles.id = :id",
        id=(made.json or {})["id"],
    )
    assert slug == OURS
