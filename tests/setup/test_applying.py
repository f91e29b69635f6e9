"""Applying a set-up file: whole or not at all, once as good as twice, leaving the rest alone."""

import copy
import json
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from idp import audit
from idp.audit_chain import AuditEvent
from idp.directory.catalog import CatalogVersion
from idp.directory.products import BUILT_IN
from idp.directory.tenants import Tenant
from idp.errors import SetupMistake, StoreUnavailable
from idp.setup import Applied, apply
from tests.setup.conftest import PASSWORD, SECRET, Desk, small

Change = dict[str, Any]


def told(applied: Applied) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in applied.changes]


def events(desk: Desk) -> list[AuditEvent]:
    with desk.provider.database.session() as session:
        found = list(session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)))
        session.expunge_all()
    return found


def version(desk: Desk) -> int:
    with desk.provider.database.session() as session:
        return session.scalars(sa.select(CatalogVersion.version)).one()


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


def with_everything_changed() -> dict[str, Any]:
    content = small()
    content["products"][0] |= {"name": "Lending", "permissions": [{"key": "a", "name": "A"}]}
    content["clients"][0] |= {"first_party": True, "client_secret": SECRET[::-1]}
    content["tenants"][0] |= {"status": "suspended", "policy": {"session_idle_minutes": 5}}
    content["tenants"][0]["roles"][0]["permissions"] = {"loans": ["a"]}
    content["users"][0] |= {"status": "disabled", "operator": True}
    content["users"][0]["memberships"][0] |= {"status": "disabled", "roles": []}
    return content


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


def test_a_run_is_one_event_in_the_audit_log(desk: Desk) -> None:
    desk.apply(small())
    (event,) = events(desk)
    assert (event.tag, event.at) == ("setup.applied", desk.now)
    assert [change["name"] for change in event.detail["changes"]][:2] == ["loans", "acme"]
    content = small()
    content["tenants"][0]["name"] = "Acme & Sons"
    desk.apply(content)
    assert events(desk)[-1].detail == {
        "changes": [
            {
                "kind": "tenant",
                "name": "acme",
                "action": "update",
                "fields": {"name": ["Acme", "Acme & Sons"]},
            }
        ]
    }


@pytest.mark.parametrize(
    ("what", "change", "is_touched"),
    [
        ("products", {"color": "#000000"}, True),
        ("clients", {"first_party": True}, True),
        ("clients", {"client_secret": SECRET[::-1]}, True),
        ("tenants", {"name": "Acme & Sons"}, True),
        ("users", {"name": "Mia Berg"}, False),
        ("users", {}, False),
    ],
)
def test_other_processes_hear_of_what_they_hold(
    desk: Desk, what: str, change: dict[str, Any], is_touched: bool
) -> None:
    desk.apply(small())
    before = version(desk)
    content = small()
    content[what][0] |= change
    desk.apply(content)
    assert (version(desk) > before) == is_touched


def test_a_new_client_is_known_at_once(desk: Desk) -> None:
    assert "loans-web" not in desk.provider.catalog.current(desk.now).clients
    desk.apply(small())
    assert "loans-web" in desk.provider.catalog.current(desk.now + 1).clients


def late_mistake() -> dict[str, Any]:
    """Good until its last word."""
    content = with_everything_changed()
    content["clients"].append(
        {
            "client_id": "batch",
            "client_name": "Batch",
            "product": "loans",
            "grant_types": ["client_credentials"],
            "client_secret_file": "batch.secret",
        }
    )
    content["users"][0]["memberships"].append({"tenant": "acme2"})
    return content


def test_a_mistake_midway_takes_everything_back(desk: Desk) -> None:
    desk.apply(small())
    before = desk.dump()
    with pytest.raises(SetupMistake, match="acme2"):
        desk.apply(late_mistake())
    assert (desk.dump(), desk.files()) == (before, [])


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), RuntimeError("a bug")])
def test_a_failure_midway_takes_everything_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    desk.apply(small())
    before = desk.dump()

    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(type(failure)):
        desk.apply(with_everything_changed())
    assert desk.dump() == before


def test_a_change_by_somebody_else_meanwhile_is_told_without_what_was_to_be_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.apply(small())
    before = desk.dump()
    taken = before["users"][0][0]
    monkeypatch.setattr("idp.setup.users.new_id", lambda: taken)
    another = {"email": "kai@acme.example", "name": "Kai", "password": PASSWORD}
    with pytest.raises(SetupMistake, match="apply it again") as caught:
        desk.apply({"users": [another]})
    assert desk.dump() == before
    shown = "".join(traceback.format_exception(caught.value))
    assert "kai@acme.example" not in shown


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


def test_applied_by_several_at_once_it_is_applied_once(
    new_desk: Callable[..., Desk], database_url: str
) -> None:
    desk = new_desk(database_url)
    content = small()
    del content["clients"][0]["client_secret"]
    content["clients"][0]["client_secret_file"] = "loans.secret"
    file = desk.read(content)

    def one(_: int) -> int:
        run = apply(desk.provider, file, desk.now, base_dir=desk.folder)
        return len(run.changes)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(4))) == [0, 0, 0, 7]
    assert len(events(desk)) == 1
    assert desk.files() == ["loans.secret"]


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


@pytest.mark.parametrize("key", ["nothing", "platform"])
def test_a_second_factor_for_a_product_that_is_not_there_is_refused(desk: Desk, key: str) -> None:
    content = small()
    content["tenants"][0]["policy"] = {"second_factor_products": {key: None}}
    with pytest.raises(SetupMistake, match=f"there is no product {key}"):
        desk.apply(content)
