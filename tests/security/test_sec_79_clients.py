"""S79: whoever looks after products gets no standing access by a client: not to the platform above
themselves, and not to any company."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from idp.directory.acting import Forbidden, Mistake
from idp.directory.operating import Operation
from idp.operators import clients
from tests.console.calling import Caller, machine, secret_of, tenants_machine
from tests.console.operations import EVERY_RIGHT, operation, operator
from tests.console.operators_tokens import DESK, NODES, OTHER, form_of, operators_app
from tests.world import World

MACHINE = {
    "client_id": "night-door",
    "client_name": "Night door",
    "grant_types": ["client_credentials"],
}
WEAK = "products-only"
PRODUCTS = frozenset({"products.manage"})
OPERATORS = PRODUCTS | {"operators.manage"}
PLATFORMS = {"product": "platform", "scope": "keys.manage", "permissions": ["keys.manage"]}
TENANTS = {
    "product": "console",
    "tenant": "northwind",
    "scope": "people.manage",
    "permissions": ["people.manage"],
}

Act = Callable[[Operation], Any]


def weak_machine(world: World, permissions: str = "products.manage") -> Caller:
    """A program of the platform's that looks after products."""
    form: dict[str, Any] = {
        "client_id": WEAK,
        "client_name": "Products only",
        "product": "platform",
        "client_secret": secret_of(WEAK),
        "grant_types": ["client_credentials"],
        "scope": permissions,
        "permissions": permissions.split(),
    }
    world.apply(clients=[form])
    world.clock.move(2)
    return machine(world, WEAK, secret_of(WEAK))


def kept(world: World) -> list[Any]:
    return [
        world.run("SELECT client_id, product_key, tenant_id, permissions, status FROM clients"),
        world.run("SELECT client_id, secret_hash, expires_at FROM client_secrets"),
    ]


def refused(world: World, act: Act, permissions: frozenset[str], **actor: Any) -> None:
    before = kept(world)
    with (
        pytest.raises(Mistake if act in MOVES.values() else Forbidden),  # it stays where it is
        operation(world, permissions=permissions, **actor) as opened,
    ):
        act(opened)
    assert kept(world) == before


def of(client_id: str, act: Callable[[Operation, Any], Any]) -> Act:
    return lambda opened: act(opened, clients.get_client(opened, client_id))


def moved_to(product: str, permissions: list[str]) -> Act:
    values = {"client_name": "Batch", "product": product, "permissions": permissions}
    return of("lms-batch", lambda o, c: clients.change(o, c, values))


REGISTERS: dict[str, Act] = {
    "a client of the platform's": lambda o: clients.register(o, {**MACHINE, **PLATFORMS}),
    "a company's machine": lambda o: clients.register(o, {**MACHINE, **TENANTS}),
    "a client of the console's": lambda o: clients.register(o, {**MACHINE, "product": "console"}),
}
TAKES: dict[str, Act] = {
    f"{what} of {client_id}": of(client_id, act)
    for client_id in ("platform-automation", "northwind-hr")
    for what, act in {
        "a secret": lambda o, c: clients.rotate_secret(o, c, 24),
        "the secret": lambda o, c: clients.remove_secret(
            o, c, clients.secrets_of(c, o.now)[0].fingerprint
        ),
        "the name": lambda o, c: clients.change(
            o, c, {"client_name": "Mine", "product": c.product_key}
        ),
        "the start": lambda o, c: clients.set_status(o, c, "active"),
    }.items()
}
MOVES: dict[str, Act] = {
    "a client to the platform": moved_to("platform", ["keys.manage"]),
    "a client to the console": moved_to("console", ["people.manage"]),
}
EVERY_ACT = {**REGISTERS, **TAKES, **MOVES}


@pytest.mark.parametrize("what", EVERY_ACT)
def test_sec_79_who_has_products_alone_gets_no_way_into_the_platform_or_a_company(
    either_world: World, what: str
) -> None:
    refused(either_world, EVERY_ACT[what], PRODUCTS)


@pytest.mark.parametrize("what", EVERY_ACT)
def test_sec_79_no_machine_touches_one_even_with_every_permission(world: World, what: str) -> None:
    refused(world, EVERY_ACT[what], EVERY_RIGHT, user_id=None, client_id="platform-automation")


@pytest.mark.parametrize("what", [each for each in EVERY_ACT if "automation" in each])
def test_sec_79_nobody_touches_a_client_that_may_more_than_they(world: World, what: str) -> None:
    refused(world, EVERY_ACT[what], OPERATORS)


def more_for(client_id: str) -> Act:
    values = {"client_name": "More", "product": "platform", "permissions": ["keys.manage"]}
    return of(client_id, lambda o, c: clients.change(o, c, values))


@pytest.mark.parametrize("what", ["register", "change"])
def test_sec_79_nobody_gives_a_client_more_than_they_have(world: World, what: str) -> None:
    weak_machine(world)
    act = REGISTERS["a client of the platform's"] if what == "register" else more_for(WEAK)
    refused(world, act, OPERATORS)


@pytest.mark.parametrize("what", [each for each in EVERY_ACT if "platform" not in each])
def test_sec_79_no_operator_makes_a_companys_machine_or_takes_it_over(
    world: World, what: str
) -> None:
    refused(world, EVERY_ACT[what], EVERY_RIGHT)


def test_sec_79_who_looks_after_operators_registers_up_to_what_they_have(
    either_world: World,
) -> None:
    with operation(either_world, permissions=OPERATORS | {"keys.manage"}) as opened:
        made = clients.register(opened, {**MACHINE, **PLATFORMS})
        clients.rotate_secret(opened, made.client, 24)
        clients.set_status(opened, made.client, "disabled")
    either_world.clock.move(2)
    assert len(either_world.audit("client.disabled")) == 1


def test_sec_79_an_operator_stops_a_companys_machine_and_does_not_start_it(
    either_world: World,
) -> None:
    ours = tenants_machine(either_world)
    with operation(either_world) as opened:
        clients.set_status(opened, clients.get_client(opened, "northwind-all"), "disabled")
    either_world.clock.move(2)
    assert ours.get("/tenants/northwind").status_code == 401
    act = of("northwind-all", lambda o, c: clients.set_status(o, c, "active"))
    refused(either_world, act, EVERY_RIGHT)
    act = of("northwind-hr", lambda o, c: clients.set_status(o, c, "disabled"))
    refused(either_world, act, PRODUCTS)


@pytest.mark.parametrize("form", [PLATFORMS, TENANTS])
def test_sec_79_at_the_api_a_program_of_the_platforms_makes_none(
    either_world: World, form: dict[str, Any]
) -> None:
    caller = weak_machine(either_world, "products.manage operators.manage keys.manage")
    before = kept(either_world)
    answer = caller.post("/platform/clients", {**MACHINE, **form})
    assert answer.status_code == 403
    for client_id in ("platform-automation", "northwind-hr"):
        for act, body in (("secrets", {"hours": 24}), ("disable", None), ("enable", None)):
            sent = caller.post(f"/platform/clients/{client_id}/{act}", body)
            assert sent.status_code == 403
    assert kept(either_world) == before


def test_sec_79_pages_offer_what_may_be_done(world: World) -> None:
    browser = operator(world)
    assert 'value="platform"' in browser.get("/operate/clients/new").text
    assert 'value="console"' not in browser.get("/operate/clients/new").text
    own = browser.get("/operate/clients/northwind-hr").text
    assert "Here it can be stopped, and no more." in own
    for offered in ("/edit", "/secrets"):
        assert f"/operate/clients/northwind-hr{offered}" not in own
        assert f"/operate/clients/lms{offered}" in browser.get("/operate/clients/lms").text


def test_sec_79_by_a_token_nobody_makes_a_client_that_reaches_further(
    either_world: World,
) -> None:
    """Neither what it may itself, nor what people who sign in at it would hand it."""
    narrow = operators_app(either_world, scope="products.manage operators.manage")
    before = kept(either_world)
    app = {**form_of(OTHER, permissions=[]), "scope": "openid keys.manage"}
    app.pop("client_secret")
    for form in ({**MACHINE, **PLATFORMS}, app, {**MACHINE, **TENANTS}):
        assert narrow.post("/platform/clients", form).status_code == 403, form
    for path, body in (
        ("/platform/clients/platform-automation/secrets", {"hours": 24}),
        (f"/platform/clients/{DESK}/secrets", {"hours": 24}),
        ("/platform/clients/northwind-hr/secrets", {"hours": 24}),
    ):
        assert narrow.post(path, body).status_code == 403, path
    assert kept(either_world) == before


@pytest.mark.parametrize("missing", ["products.manage", "operators.manage"])
def test_sec_79_a_token_without_either_permission_touches_none(
    either_world: World, missing: str
) -> None:
    caller = operators_app(either_world, scope=NODES.replace(missing, "").replace("  ", " "))
    before = kept(either_world)
    assert caller.post("/platform/clients", {**MACHINE, **PLATFORMS}).status_code == 403
    assert kept(either_world) == before


def test_sec_79_by_a_token_an_operator_registers_up_to_what_it_carries(
    either_world: World,
) -> None:
    caller = operators_app(either_world, scope="products.manage operators.manage keys.manage")
    made = caller.post("/platform/clients", {**MACHINE, **PLATFORMS})
    assert made.status_code == 201, made.text
    either_world.clock.move(2)
    program = machine(either_world, "night-door", (made.json or {})["client_secret"])
    assert (program.get("/platform").json or {})["permissions"] == ["keys.manage"]
    [event] = either_world.audit("client.registered")
    assert (event["actor"] is not None, event["client"]) == (True, DESK)
