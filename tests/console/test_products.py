"""Operators make products and edit their trees, by the rules of set-up files."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory.acting import Forbidden, Mistake, NotFound, RecentSignInNeeded
from idp.directory.operating import Operation
from idp.directory.products import Product
from idp.operators import clients, products
from tests.console.operations import form_of, operation, operator, send
from tests.world import AMARA, BEN, World, claims_of

NODE = {"key": "notes.read", "name": "Read notes", "description": ""}


def lms(opened: Operation) -> Product:
    return products.get_product(opened, "lms")


def act(world: World, deed: Any) -> Any:
    with operation(world) as opened:
        done = deed(opened)
    world.clock.move(1.0)
    return done


def keys(world: World, product: str = "lms") -> Any:
    return act(
        world,
        lambda o: [node.key for node in products.tree(products.get_product(o, product))],
    )


def test_a_product_is_made_and_changed(either_world: World) -> None:
    world = either_world
    act(world, lambda o: products.make(o, {"key": "notes", "name": "Notes"}))
    act(world, lambda o: products.change(o, products.get_product(o, "notes"), {"color": "#123456"}))
    view = world.held.catalog.current(world.clock()).products["notes"]
    assert (view.name, view.color, view.resource) == ("Notes", "#123456", "urn:product:notes")
    assert world.audit("product.changed")[0]["fields"] == {"color": ["#475569", "#123456"]}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"key": "lms", "name": "Again"}, "key"),
        ({"key": "console", "name": "Again"}, "key"),
        ({"key": "Not a key", "name": "X"}, "key"),
        ({"key": "notes", "name": ""}, "name"),
        ({"key": "notes", "name": "X", "color": "red"}, "color"),
        ({"key": "notes", "name": "X", "icon": "<svg>"}, "icon"),
        ({"key": "notes", "name": "X", "resource": "not absolute"}, "resource"),
        ({"key": "notes", "name": "X", "resource": "urn:latchkey:console"}, "resource"),
        ({"key": "notes", "name": "X", "launch_client": "nobody"}, "launch_client"),
        ({"key": "notes", "name": "X", "launch_client": "lms"}, "launch_client"),
        ({"key": "notes", "name": "X", "is_platform": True}, "is_platform"),
        ({"key": "notes", "name": "X", "second_factor": None}, "second_factor"),
        ({"key": "notes", "name": "X", "second_factor_minutes": 0}, "second_factor_minutes"),
        ({"key": "notes", "name": "X", "second_factor_minutes": 1441}, "second_factor_minutes"),
        ({"key": "notes", "name": "X", "password_max_age_days": 29}, "password_max_age_days"),
        ({"key": "notes", "name": "X", "password_max_age_days": 731}, "password_max_age_days"),
        ({"key": "notes", "name": "X", "password_max_age_days": "a"}, "password_max_age_days"),
    ],
)
def test_what_a_product_can_not_be(either_world: World, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Mistake) as refused:
        act(either_world, lambda o: products.make(o, values))
    assert list(refused.value.errors) == [field]
    assert either_world.run("SELECT count(*) FROM products WHERE key = 'notes'") == [(0,)]
    assert either_world.audit("product.made") == []


def test_a_password_age_holds_since_it_was_switched_on_or_made_stricter(
    either_world: World,
) -> None:
    world, stated_at = either_world, []
    act(world, lambda o: products.make(o, {"key": "notes", "name": "Notes"}))
    for days, holds_since in ((90, 0), (120, 0), (60, 2), (60, 2), (None, None), (60, 5)):
        world.clock.move(1000.0)
        stated_at.append(world.clock())
        values = {"password_max_age_days": days}
        act(world, lambda o, v=values: products.change(o, products.get_product(o, "notes"), v))
        view = world.held.catalog.current(world.clock()).products["notes"]
        since = 0.0 if holds_since is None else stated_at[holds_since]
        assert (view.password_max_age_days, view.password_max_age_since) == (days, since)


def test_an_operator_says_how_people_sign_in_to_a_product(world: World) -> None:
    browser = operator(world)
    path = "/operate/products/lms/edit"
    shown = browser.get(path).text
    assert 'id="password_max_age_days" name="password_max_age_days" type="text" value="90"' in shown
    fields = form_of(shown, "form")
    sent = {name: values[0] for name, values in fields.items()}
    changed = {"second_factor": "1", "second_factor_minutes": "15", "password_max_age_days": ""}
    assert browser.post(path, **{**sent, **changed}).status_code == 303
    world.clock.move(1.0)
    view = world.held.catalog.current(world.clock()).products["lms"]
    assert (view.second_factor, view.second_factor_minutes) == (True, 15)
    assert view.password_max_age_days is None
    page = browser.get("/operate/products/lms").text
    assert "Of everybody, not older than 15 minutes" in page
    assert "Of any age" in page
    wrong = browser.post(path, **{**sent, "password_max_age_days": "soon"})
    assert wrong.status_code == 422
    assert 'value="soon"' in wrong.text


def test_a_new_node_is_in_tokens_within_a_second(either_world: World) -> None:
    world = either_world
    act(world, lambda o: products.add_node(o, lms(o), NODE))
    token = world.browser().tokens(AMARA)["access_token"]
    assert "notes.read" in claims_of(token)["permissions"]


def test_a_node_that_is_removed_takes_what_is_under_it_along(either_world: World) -> None:
    world = either_world
    tree = act(world, lambda o: products.tree(lms(o)))
    top = tree[0].key
    under = act(world, lambda o: products.keys_below(lms(o), top))
    assert len(under) > 1
    losing = act(world, lambda o: products.losing(o, lms(o), top))
    assert losing.total == len(losing.shown) > 0
    assert {each.tenant for each in losing.shown} <= {"Northwind Lending", "Harbor Credit Union"}
    act(world, lambda o: products.remove_node(o, lms(o), top))
    assert not set(under) & set(keys(world))
    assert world.browser().sign_in(BEN).status_code == 403


def test_a_removed_node_is_in_no_token_though_roles_still_name_it(either_world: World) -> None:
    world = either_world
    permissions = claims_of(world.browser().tokens(BEN)["access_token"])["permissions"]
    leaf = next(
        each
        for each in permissions
        if len(act(world, lambda o, key=each: products.keys_below(lms(o), key))) == 1
    )
    act(world, lambda o: products.remove_node(o, lms(o), leaf))
    again = claims_of(world.browser().tokens(BEN)["access_token"])["permissions"]
    assert set(permissions) - set(again) == {leaf}


def test_sec_79_a_node_that_comes_again_is_nobodys(either_world: World) -> None:
    """Nor is one that roles name since an older time."""
    world = either_world
    form = {
        "client_id": "lms-reader",
        "client_name": "Reader",
        "product": "lms",
        "grant_types": ["client_credentials"],
        "scope": "reports",
        "permissions": ["reports.read", "loans.read"],
    }
    act(world, lambda o: clients.register(o, form))
    held = "SELECT count(*) FROM role_permissions WHERE permission_key = 'reports.read'"
    assert world.run(held)[0][0] > 0
    parent = act(world, lambda o: products.get_node(lms(o), "reports.read")).parent
    again = {"key": "reports.read", "name": "Reports", "description": "", "parent": parent}
    act(world, lambda o: products.remove_node(o, lms(o), "reports.read"))
    assert world.run(held) == [(0,)]
    world.run(
        "INSERT INTO role_permissions (role_id, tenant_id, product_key, permission_key)"
        " SELECT id, tenant_id, 'lms', 'reports.read' FROM roles WHERE key = 'agent'"
    )
    act(world, lambda o: products.add_node(o, lms(o), again))
    assert world.run(held) == [(0,)]
    ((kept,),) = world.run("SELECT permissions FROM clients WHERE client_id = 'lms-reader'")
    assert kept == '["loans.read"]'
    world.clock.move(2)
    token = claims_of(world.browser().tokens(BEN)["access_token"])
    assert "reports.read" not in token["permissions"]
    assert "loans.read" in token["permissions"]


def test_a_node_is_renamed_and_moved_and_keeps_its_key(either_world: World) -> None:
    world = either_world
    act(world, lambda o: products.add_node(o, lms(o), NODE))
    top = keys(world)[0]
    values = {"name": "Notes", "description": "All of them", "parent": top}
    act(world, lambda o: products.change_node(o, lms(o), "notes.read", values))
    node = act(world, lambda o: products.get_node(lms(o), "notes.read"))
    assert (node.name, node.description, node.parent) == ("Notes", "All of them", top)


def test_no_node_is_moved_under_itself_or_under_nothing(either_world: World) -> None:
    world = either_world
    before = keys(world)
    top = before[0]
    child = act(world, lambda o: products.keys_below(lms(o), top))[1]
    for parent in (top, child, "no.such.node"):
        values = {"name": "X", "description": "", "parent": parent}
        with pytest.raises(Mistake) as refused:
            act(world, lambda o, v=values: products.change_node(o, lms(o), top, v))
        assert list(refused.value.errors) == ["parent"]
    assert keys(world) == before


def test_nodes_move_among_those_of_the_same_parent_and_no_further(either_world: World) -> None:
    world = either_world
    for key in ("z.one", "z.two"):
        node = {**NODE, "key": key}
        act(world, lambda o, n=node: products.add_node(o, lms(o), n))
    act(world, lambda o: products.move_node(o, lms(o), "z.two", -1))
    assert keys(world)[-2:] == ["z.two", "z.one"]
    act(world, lambda o: products.move_node(o, lms(o), "z.one", 1))
    assert keys(world)[-2:] == ["z.two", "z.one"]


@pytest.mark.parametrize("node", [{**NODE, "key": "B A D"}, {**NODE, "name": ""}])
def test_what_a_node_can_not_be(either_world: World, node: dict[str, str]) -> None:
    before = keys(either_world)
    with pytest.raises(Mistake):
        act(either_world, lambda o: products.add_node(o, lms(o), node))
    with pytest.raises(Mistake):  # its key is another's
        act(either_world, lambda o: products.add_node(o, lms(o), {**NODE, "key": before[0]}))
    assert keys(either_world) == before


@pytest.mark.parametrize("product", ["console", "platform"])
def test_what_is_built_in_is_not_changed(either_world: World, product: str) -> None:
    before = keys(either_world, product)
    deeds: list[Any] = [
        lambda o, p: products.add_node(o, p, NODE),
        lambda o, p: products.remove_node(o, p, before[0]),
        lambda o, p: products.change(o, p, {"name": "Mine"}),
    ]
    for deed in deeds:
        with pytest.raises(Mistake):
            act(either_world, lambda o, d=deed: d(o, products.get_product(o, product)))
    assert keys(either_world, product) == before


def test_each_change_wants_the_right_and_a_recent_sign_in(either_world: World) -> None:
    before = keys(either_world)
    deeds: list[Any] = [
        lambda o: products.make(o, {"key": "notes", "name": "Notes"}),
        lambda o: products.change(o, lms(o), {"name": "Mine"}),
        lambda o: products.add_node(o, lms(o), NODE),
        lambda o: products.remove_node(o, lms(o), before[0]),
        lambda o: products.move_node(o, lms(o), before[0], 1),
    ]
    old = {"auth_time": either_world.clock() - 901}
    for deed in deeds[:-1]:
        with pytest.raises(RecentSignInNeeded), operation(either_world, **old) as opened:
            deed(opened)
    for deed in deeds:
        with (
            pytest.raises(Forbidden),
            operation(either_world, permissions=frozenset({"keys.manage"})) as opened,
        ):
            deed(opened)
    assert keys(either_world) == before


def test_an_unknown_node_or_product_is_not_found(world: World) -> None:
    for deed in (
        lambda o: products.get_product(o, "nothing"),
        lambda o: products.get_node(lms(o), "nothing"),
        lambda o: products.remove_node(o, lms(o), "nothing"),
    ):
        with pytest.raises(NotFound):
            act(world, deed)


def test_the_pages_do_it_too(world: World) -> None:
    browser = operator(world)
    made = send(
        browser, "/operate/products/new", key="notes", name="Notes", color="#123456", icon="notes"
    )
    assert made.headers["Location"] == "/operate/products/notes"
    path = "/operate/products/notes/nodes"
    for key in ("one", "two"):
        send(browser, f"{path}/new", key=key, name=key.title(), parent="")
    page = browser.get("/operate/products/notes")
    assert page.text.index("<code>one</code>") < page.text.index("<code>two</code>")
    browser.submit(page, f"{path}/two/move", to="up")
    page = browser.get("/operate/products/notes")
    assert page.text.index("<code>two</code>") < page.text.index("<code>one</code>")
    warned = browser.get(f"{path}/one/remove")
    assert "No role selects it." in warned.text
    browser.submit(warned)
    assert "<code>one</code>" not in browser.get("/operate/products/notes").text
    refused = send(browser, f"{path}/new", key="two", name="<i>", parent="")
    assert refused.status_code == 422
    assert 'value="&lt;i&gt;"' in refused.text


def test_saving_a_product_as_it_stands_changes_nothing(world: World) -> None:
    browser = operator(world)
    page = browser.get("/operate/products/lms/edit")
    fields = {name: values[0] for name, values in form_of(page.text, "form").items()}
    assert browser.post("/operate/products/lms/edit", **fields).status_code == 303
    assert world.audit("product.changed") == []
