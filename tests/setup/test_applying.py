"""Applying a set-up file: whole or not at all, once as good as twice, leaving the rest alone."""

import json
from typing import Any

import sqlalchemy as sa

from idp.directory.tenants import Tenant
from idp.setup import Applied
from tests.setup.conftest import Desk, small, with_everything_changed

Change = dict[str, Any]


def told(applied: Applied) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in applied.changes]


def test_everything_in_the_file_is_made(desk: Desk) -> None:
    assert told(desk.apply(small())) == [
        ("create", "product", "loans"),
        ("create", "tenant", "acme"),
        ("create", "role", "acme/account_admin"),
        ("create", "role", "acme/agent"),
        ("create", "client", "loans-web"),
        ("create", "user", "mia@acme.example"),
        ("create", "membership", "mia@acme.example in acme"),
    ]


def test_a_second_time_changes_nothing(desk: Desk) -> None:
    desk.apply(small())
    before = desk.dump()
    desk.now += 60
    assert desk.apply(small()) == Applied([], {})
    assert desk.dump() == before


def test_a_dry_run_tells_the_same_and_writes_nothing(desk: Desk) -> None:
    content = small()
    del content["clients"][0]["client_secret"]
    content["clients"][0]["client_secret_file"] = "loans.secret"
    before = desk.dump()
    foreseen = desk.apply(content, dry_run=True)
    assert (desk.dump(), desk.files()) == (before, [])
    assert foreseen.secrets == {}
    assert foreseen.changes == desk.apply(content).changes


def test_a_dry_run_of_a_change_writes_nothing(desk: Desk) -> None:
    desk.apply(small())
    before = desk.dump()
    desk.now += 60
    changed = with_everything_changed()
    foreseen = desk.apply(changed, dry_run=True)
    assert desk.dump() == before
    assert foreseen.changes == desk.apply(changed).changes


def test_a_change_says_what_it_was_and_what_it_is(desk: Desk) -> None:
    desk.apply(small())
    changes = {
        change.kind: dict(change.fields) for change in desk.apply(with_everything_changed()).changes
    }
    assert changes["product"]["name"] == ("Loans", "Lending")
    assert changes["product"]["permissions"] == (
        ["navigation", "navigation > loans.read", "navigation > loans.write"],
        ["a"],
    )
    assert changes["client"] == {
        "first_party": (False, True),
        "client_secret": ("another", "given"),
    }
    assert changes["tenant"]["policy"] == ({}, {"session_idle_minutes": 5})
    assert changes["role"] == {"permissions": ([], ["loans/a"])}  # its node left with the tree
    assert changes["user"] == {"status": ("active", "disabled"), "operator": (False, True)}
    assert changes["membership"] == {"status": ("active", "disabled"), "roles": (["agent"], [])}


def test_changes_read_well_in_a_terminal(desk: Desk) -> None:
    made = {change.kind: str(change) for change in desk.apply(small()).changes}
    assert made["membership"] == (
        "+ membership mia@acme.example in acme\n"
        "    kind: staff\n"
        "    status: active\n"
        "    roles: agent"
    )
    content = small()
    content["clients"][0]["redirect_uris"] = ["https://new.example/callback"]
    content["clients"][0]["first_party"] = True
    content["products"][0]["description"] = "All loans"
    changed = {change.kind: str(change) for change in desk.apply(content).changes}
    assert changed["product"] == "~ product loans\n    description: nothing → All loans"
    assert changed["client"] == (
        "~ client loans-web\n"
        "    redirect_uris: -https://loans.example/callback  +https://new.example/callback\n"
        "    first_party: no → yes"
    )


def test_a_new_order_and_a_long_list_read_well_too(desk: Desk) -> None:
    content = small()
    uris = [f"https://loans.example/a-rather-long-path/{number}" for number in range(2)]
    content["clients"][0]["redirect_uris"] = uris
    made = next(change for change in desk.apply(content).changes if change.kind == "client")
    assert f"    redirect_uris:\n        {uris[0]}\n        {uris[1]}\n" in str(made)
    content["clients"][0]["redirect_uris"] = uris[::-1]
    (changed,) = desk.apply(content).changes
    assert f"redirect_uris: in this order: {uris[1]}, {uris[0]}" in str(changed)


def test_what_the_file_does_not_name_is_left_alone(desk: Desk) -> None:
    desk.apply(small())
    before = desk.dump()
    desk.apply({})
    other = {"tenants": [{"slug": "zenith", "name": "Zenith"}]}
    desk.apply(other)
    after = desk.dump()
    for table in ("products", "permissions", "clients", "users", "memberships", "passwords"):
        assert after[table] == before[table]
    assert set(before["roles"]) < set(after["roles"])


def test_a_field_that_is_left_out_is_left_alone(desk: Desk) -> None:
    content = small()
    content["clients"][0] |= {"first_party": True, "initiate_login_uri": "https://a.example/"}
    content["users"][0]["locale"] = "es"
    desk.apply(content)
    assert desk.apply(small()).changes == []
    bare = small()
    for thing, names in (
        ("products", ["permissions"]),
        ("clients", ["redirect_uris", "client_secret"]),
        ("tenants", ["roles"]),
        ("users", ["memberships", "password"]),
    ):
        for name in names:
            del bare[thing][0][name]
    assert desk.apply(bare).changes == []


def test_null_takes_back_what_was_optional(desk: Desk) -> None:
    content = small()
    content["clients"][0] |= {"initiate_login_uri": "https://a.example/", "default_max_age": 60}
    content["tenants"][0]["policy"] = {"session_idle_minutes": 5, "session_absolute_hours": 8}
    desk.apply(content)
    gone = {"initiate_login_uri": None, "default_max_age": None}
    content["clients"][0] |= gone
    content["tenants"][0]["policy"] = {"session_idle_minutes": None}
    changes = {change.kind: dict(change.fields) for change in desk.apply(content).changes}
    assert changes["client"] == {
        "initiate_login_uri": ("https://a.example/", None),
        "default_max_age": (60, None),
    }
    assert changes["tenant"]["policy"][1] == {"session_absolute_hours": 8}


def test_lists_in_a_named_thing_are_made_equal(desk: Desk) -> None:
    content = small()
    agent = content["tenants"][0]["roles"][0]
    agent["permissions"]["loans"] = ["loans.read", "loans.write"]
    desk.apply(content)
    tree = content["products"][0]["permissions"][0]
    tree["children"] = [{"key": "loans.write", "name": "Edit loans", "description": "Any loan"}]
    agent["permissions"]["loans"] = ["loans.write"]
    changes = {change.kind: dict(change.fields) for change in desk.apply(content).changes}
    assert changes["product"]["permissions"][1] == ["navigation", "navigation > loans.write"]
    assert changes["product"]["permissions loans.write name"] == ("Change loans", "Edit loans")
    assert changes["product"]["permissions loans.write description"] == ("", "Any loan")
    assert "role" not in changes  # what it had besides left with the tree
    assert desk.apply(content).changes == []


def test_a_node_can_move_in_the_tree(desk: Desk) -> None:
    desk.apply(small())
    content = small()
    navigation = content["products"][0]["permissions"][0]
    content["products"][0]["permissions"] = [navigation["children"].pop(), navigation]
    (change,) = desk.apply(content).changes
    assert change.fields["permissions"][1] == [
        "loans.write",
        "navigation",
        "navigation > loans.read",
    ]
    assert desk.apply(content).changes == []


def test_new_products_come_last_unless_the_file_says_where(desk: Desk) -> None:
    def made(*keys: str) -> dict[str, Any]:
        return {"products": [{"key": key, "name": key} for key in keys]}

    desk.apply(made("one", "two"))
    desk.apply(made("three", "one"))
    first = made("four")
    first["products"][0]["position"] = 0
    desk.apply(first)
    products = desk.provider.catalog.current(desk.now).products
    assert list(products) == ["four", "one", "two", "three", "console", "platform"]
    assert products["three"].resource == "urn:product:three"


def test_turning_a_second_factor_off_and_on_again_by_file_counts_from_then(desk: Desk) -> None:
    """M5, as in the console; a stated `since` is taken as it is."""

    def turn(mode: str, **more: Any) -> dict[str, Any]:
        content = small()
        content["tenants"][0]["policy"] = {"second_factor": {"staff": {"mode": mode, **more}}}
        desk.apply(content)
        with desk.provider.database.connection() as db:
            ((text,),) = db.rows(sa.select(sa.type_coerce(Tenant.policy, sa.Text)))
        return dict(json.loads(text)["second_factor"]["staff"])

    assert turn("required") == {"mode": "required"}
    assert turn("off") == {"mode": "off", "was_on": True}
    desk.now += 5
    assert turn("optional") == {"mode": "optional", "since": desk.now}
    assert turn("optional", since=7.0) == {"mode": "optional", "since": 7.0}
