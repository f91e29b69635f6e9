"""What a set-up file refers to has to be there, and has to fit."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from idp.directory.products import BUILT_IN
from idp.errors import SetupMistake
from tests.setup.conftest import Desk, small

REFERENCES: list[tuple[str, Callable[[dict[str, Any]], None], str]] = [
    (
        "a client of no product",
        lambda content: content["clients"][0].update(product="nothing"),
        "client loans-web, product: there is no product nothing",
    ),
    (
        "a client of no tenant",
        lambda content: content["clients"][0].update(tenant="nothing"),
        "client loans-web, tenant: there is no tenant nothing",
    ),
    (
        "a client's permission in no tree",
        lambda content: content["clients"][0].update(permissions=["loans.burn"]),
        "client loans-web, permissions: 'loans.burn' is not in the product's tree",
    ),
    (
        "a role's permission in no tree",
        lambda content: content["tenants"][0]["roles"][0].update(
            permissions={"loans": ["loans.burn"]}
        ),
        "role acme/agent, permissions: loans.burn is not in the tree of loans",
    ),
    (
        "a role's permission of no product",
        lambda content: content["tenants"][0]["roles"][0].update(
            permissions={"nothing": ["loans.read"]}
        ),
        "loans.read is not in the tree of nothing",
    ),
    (
        "a membership in no tenant",
        lambda content: content["users"][0].update(memberships=[{"tenant": "nothing"}]),
        "membership mia@acme.example in nothing: there is no such tenant",
    ),
    (
        "a membership with no role",
        lambda content: content["users"][0]["memberships"][0].update(roles=["boss"]),
        "membership mia@acme.example in acme, roles: there is no role boss",
    ),
    (
        "a launch client that is none",
        lambda content: content["products"][0].update(launch_client="nothing"),
        "product loans, launch_client: nothing is no client",
    ),
    (
        "a launch client that can't launch",
        lambda content: content["products"][0].update(launch_client="loans-web"),
        "product loans, launch_client: loans-web has no initiate_login_uri",
    ),
    (
        "a bad redirect URI",
        lambda content: content["clients"][0].update(redirect_uris=["javascript:alert(1)"]),
        "client loans-web, redirect_uris: javascript:alert(1) must begin with https://",
    ),
]


@pytest.mark.parametrize(("_name", "spoil", "words"), REFERENCES)
def test_what_leads_nowhere_is_refused(
    desk: Desk, _name: str, spoil: Callable[[dict[str, Any]], None], words: str
) -> None:
    content = copy.deepcopy(small())
    spoil(content)
    with pytest.raises(SetupMistake) as caught:
        desk.apply(content)
    assert words in str(caught.value)
    assert all(row[0] in BUILT_IN for row in desk.dump()["products"])


def test_a_client_of_another_product_launches_nothing(desk: Desk) -> None:
    content = small()
    content["clients"][0]["initiate_login_uri"] = "https://loans.example/login"
    content["products"].append({"key": "other", "name": "Other", "launch_client": "loans-web"})
    with pytest.raises(SetupMistake, match="loans-web is a client of loans"):
        desk.apply(content)


def test_a_launch_client_keeps_its_address(desk: Desk) -> None:
    content = small()
    content["products"][0]["launch_client"] = "loans-web"
    content["clients"][0]["initiate_login_uri"] = "https://loans.example/login"
    desk.apply(content)
    assert desk.apply(content).changes == []
    only = {"clients": [{**content["clients"][0], "initiate_login_uri": None}]}
    with pytest.raises(SetupMistake, match="has no initiate_login_uri"):
        desk.apply(only)


def test_two_products_never_have_one_resource(desk: Desk) -> None:
    content = small()
    content["products"].append({"key": "other", "name": "Other", "resource": "urn:product:loans"})
    with pytest.raises(SetupMistake, match="is the resource of loans already"):
        desk.apply(content)


def test_a_file_for_another_provider_is_refused(desk: Desk) -> None:
    with pytest.raises(SetupMistake, match=r"for https://id\.example"):
        desk.apply({"issuer": "https://id.example", **small()})
    desk.apply({"issuer": desk.provider.settings.issuer, **small()})


@pytest.mark.parametrize("key", ["nothing", "platform"])
def test_a_second_factor_for_a_product_that_is_not_there_is_refused(desk: Desk, key: str) -> None:
    content = small()
    content["tenants"][0]["policy"] = {"second_factor_products": {key: None}}
    with pytest.raises(SetupMistake, match=f"there is no product {key}"):
        desk.apply(content)
