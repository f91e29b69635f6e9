"""Operators register clients by the rules of set-up files, and give them secrets that overlap."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import pytest
from joserfc.jwk import ECKey

from idp.directory.acting import Forbidden, Mistake, NotFound, RecentSignInNeeded
from idp.operators import clients
from idp.operators.clients import Wanted
from idp.secret_values import fingerprint
from tests.console.operations import form_of, operation, operator, send
from tests.security.protocol import together
from tests.world import AMARA, Visitor, World

HOUR = 3600.0
WIKI: dict[str, Any] = {
    "client_id": "wiki",
    "client_name": "Wiki",
    "product": "lms",
    "redirect_uris": ["https://wiki.example/callback"],
    "grant_types": ["authorization_code", "client_credentials"],
}


def register(world: World, **changed: Any) -> Any:
    with operation(world) as opened:
        saved = clients.register(opened, {**WIKI, **changed})
    world.clock.move(1.0)
    return saved


def change(world: World, client_id: str = "wiki", **changed: Any) -> Any:
    with operation(world) as opened:
        client = clients.get_client(opened, client_id)
        values = {"client_name": client.client_name, "product": client.product_key, **changed}
        return clients.change(opened, client, values)


def token(world: World, secret: str, client_id: str = "wiki") -> int:
    answer = world.post("/token", world.basic(client_id, secret), grant_type="client_credentials")
    return answer.status_code


def rotate(world: World, hours: int, client_id: str = "wiki") -> str:
    with operation(world) as opened:
        secret = clients.rotate_secret(opened, clients.get_client(opened, client_id), hours)
    world.clock.move(1.0)
    return secret


def test_a_registered_client_gets_tokens_within_a_second(either_world: World) -> None:
    saved = register(either_world)
    assert token(either_world, saved.secret) == 200
    event = either_world.audit("client.registered")[0]
    assert event["changed"] == "wiki"
    assert saved.secret not in str(event)
    assert saved.secret not in repr(saved)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"client_id": "lms"}, "client_id"),
        ({"client_id": "Wiki!"}, "client_id"),
        ({"client_id": "0123456789abcdef" * 2}, "client_id"),
        ({"client_name": ""}, "client_name"),
        ({"product": "nothing"}, "product"),
        ({"tenant": "nobody"}, "tenant"),
        ({"redirect_uris": ["http://wiki.example/callback"]}, "redirect_uris"),
        ({"redirect_uris": ["https://wiki.example/*"]}, "redirect_uris"),
        ({"redirect_uris": []}, "redirect_uris"),
        ({"grant_types": ["password"]}, "grant_types"),
        ({"token_endpoint_auth_method": "none"}, "grant_types"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "jwks"),
        ({"jwks": "{"}, "jwks"),
        ({"permissions": ["no.such.node"]}, "permissions"),
        ({"scope": "two  spaces"}, "scope"),
        ({"default_max_age": "soon"}, "default_max_age"),
        ({"backchannel_logout_uri": "javascript:alert(1)"}, "backchannel_logout_uri"),
        ({"owner": "me"}, "owner"),
    ],
)
def test_what_a_set_up_file_may_not_say_an_operator_may_not_either(
    either_world: World, changed: dict[str, Any], field: str
) -> None:
    before = either_world.run("SELECT count(*) FROM clients")
    with pytest.raises(Mistake) as refused:
        register(either_world, **changed)
    assert list(refused.value.errors) == [field]
    assert either_world.run("SELECT count(*) FROM clients") == before
    assert either_world.audit("client.registered") == []


def test_a_change_that_is_refused_changes_nothing(either_world: World) -> None:
    register(either_world)
    for changed in (
        {"redirect_uris": ["http://evil.example"], "client_name": "Evil"},
        {"require_pkce": False, "token_endpoint_auth_method": "none"},
    ):
        with pytest.raises(Mistake):
            change(either_world, **changed)
    rows = either_world.run(
        "SELECT client_name, redirect_uris, require_pkce FROM clients WHERE client_id = 'wiki'"
    )
    assert rows == [("Wiki", '["https://wiki.example/callback"]', True)]
    assert either_world.audit("client.changed") == []


def test_a_change_is_told_field_by_field(either_world: World) -> None:
    register(either_world)
    change(either_world, scope="openid email")
    fields = either_world.audit("client.changed")[0]["fields"]
    assert fields == {"scope": ["openid profile email", "openid email"]}


def test_a_product_keeps_the_client_that_opens_it(either_world: World) -> None:
    with pytest.raises(Mistake) as refused:
        change(either_world, "lms", initiate_login_uri=None)
    assert list(refused.value.errors) == ["launch_client"]


def test_both_secrets_work_until_the_chosen_time_and_then_the_new_one_alone(
    either_world: World,
) -> None:
    world = either_world
    old = register(world).secret
    new = rotate(world, 1)
    assert (token(world, old), token(world, new)) == (200, 200)
    world.clock.move(HOUR - 2.0)
    assert (token(world, old), token(world, new)) == (200, 200)
    world.clock.move(1.0)
    assert (token(world, old), token(world, new)) == (401, 200)
    assert world.audit("client.secret_rotated")[0]["old_until"] == world.clock()


def test_without_overlap_the_old_secret_is_dead_within_a_second(either_world: World) -> None:
    old = register(either_world).secret
    new = rotate(either_world, 0)
    assert (token(either_world, old), token(either_world, new)) == (401, 200)


def test_a_second_rotation_lengthens_nothing(either_world: World) -> None:
    world = either_world
    first = register(world).secret
    rotate(world, 1)
    rotate(world, 720)
    world.clock.move(HOUR)
    assert token(world, first) == 401


def test_a_rotation_without_overlap_ends_every_older_secret(either_world: World) -> None:
    world = either_world
    first = register(world).secret
    second = rotate(world, 720)
    third = rotate(world, 0)
    assert [token(world, each) for each in (first, second, third)] == [401, 401, 200]


def test_a_secret_can_be_removed_but_never_the_only_valid_one(either_world: World) -> None:
    world = either_world
    old = register(world).secret
    with operation(world) as opened:
        client = clients.get_client(opened, "wiki")
        (only,) = clients.secrets_of(client, opened.now)
        with pytest.raises(Mistake):
            clients.remove_secret(opened, client, only.fingerprint)
        with pytest.raises(NotFound):
            clients.remove_secret(opened, client, "f" * 16)
    new = rotate(world, 24)
    with operation(world) as opened:
        clients.remove_secret(opened, clients.get_client(opened, "wiki"), only.fingerprint)
    world.clock.move(1.0)
    assert (token(world, old), token(world, new)) == (401, 200)


def test_two_who_remove_a_secret_each_at_once_leave_one(postgres_world: World) -> None:
    """Both have read that there are two. SQLite lets only one of them begin."""
    world = postgres_world
    secrets = [register(world).secret, rotate(world, 720)]
    both_have_read = threading.Barrier(2)

    def remove(number: int) -> str:
        with operation(world) as opened:
            client = clients.get_client(opened, "wiki")
            assert len(client.secrets) == 2
            both_have_read.wait(30)
            try:
                clients.remove_secret(opened, client, fingerprint(secrets[number])[:16])
            except Mistake:
                return "refused"
        return "removed"

    assert sorted(together(2, remove)) == ["refused", "removed"]
    world.clock.move(1.0)
    assert sorted(token(world, each) for each in secrets) == [200, 401]


def test_no_more_than_five_secrets_are_valid(either_world: World) -> None:
    register(either_world)
    for _ in range(4):
        rotate(either_world, 720)
    with pytest.raises(Mistake):
        rotate(either_world, 720)
    either_world.clock.move(720 * HOUR)
    rotate(either_world, 0)  # those that have ended are gone


@pytest.mark.parametrize("hours", [-1, 2, 721, 10**9])
def test_an_overlap_is_one_of_those_offered(world: World, hours: int) -> None:
    register(world)
    with pytest.raises(Mistake):
        rotate(world, hours)


def test_a_public_client_has_no_secret_to_rotate(world: World) -> None:
    register(world, token_endpoint_auth_method="none", grant_types=["authorization_code"])
    with pytest.raises(Mistake):
        rotate(world, 1)


def test_a_disabled_client_gets_nothing_until_it_may_go_on(either_world: World) -> None:
    world = either_world
    secret = register(world).secret
    for status, answer in (("disabled", 401), ("active", 200)):
        with operation(world) as opened:
            clients.set_status(opened, clients.get_client(opened, "wiki"), status)
        world.clock.move(1.0)
        assert token(world, secret) == answer
    assert len(world.audit("client.disabled")) == len(world.audit("client.enabled")) == 1


def test_each_change_wants_the_right_and_a_recent_sign_in(either_world: World) -> None:
    register(either_world)
    acts: list[Any] = [
        lambda o: clients.register(o, {**WIKI, "client_id": "other"}),
        lambda o: clients.change(o, clients.get_client(o, "wiki"), WIKI),
        lambda o: clients.rotate_secret(o, clients.get_client(o, "wiki"), 1),
        lambda o: clients.remove_secret(o, clients.get_client(o, "wiki"), "x"),
        lambda o: clients.set_status(o, clients.get_client(o, "wiki"), "disabled"),
    ]
    old = {"auth_time": either_world.clock() - 901}
    for act in acts:
        with pytest.raises(RecentSignInNeeded), operation(either_world, **old) as opened:
            act(opened)
        with (
            pytest.raises(Forbidden),
            operation(either_world, permissions=frozenset({"tenants.manage"})) as opened,
        ):
            act(opened)
    assert {event["tag"] for event in either_world.audit()} >= {"client.registered"}
    assert either_world.audit("client.secret_rotated") == []


def test_clients_are_found_by_product_and_by_the_beginning_of_their_id(
    either_world: World,
) -> None:
    keys = either_world.held.secret_keys
    with operation(either_world) as opened:
        found = clients.find_clients(opened, keys, Wanted("pay")).clients
        assert {each.client_id for each in found} == {"payments"}
        assert clients.find_clients(opened, keys, Wanted("%")).clients == []
        first = clients.find_clients(opened, keys, Wanted(), size=1)
        second = clients.find_clients(opened, keys, Wanted(), first.next or "", size=1)
        assert first.clients[0].client_id < second.clients[0].client_id


def test_saving_a_form_as_it_stands_changes_nothing(world: World) -> None:
    browser = operator(world)
    page = browser.get("/operate/clients/lms/edit")
    answer = post(browser, page.text, "/operate/clients/lms/edit", form_of(page.text, "form"))
    assert answer.status_code == 303, answer.text
    assert world.audit("client.changed") == []


def filled(page: str, name: str) -> dict[str, Any]:
    own = {"client_id": "wiki", "client_name": name, "product": "lms"}
    return {**form_of(page, "form"), **own}


def post(browser: Visitor, page: str, path: str, fields: dict[str, Any]) -> Any:
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[-1]
    return browser.client.post(path, data={"csrf_token": token, **fields})


def test_a_secret_is_shown_once_and_never_again(world: World) -> None:
    browser = operator(world)
    page = browser.get("/operate/clients/new?product=lms")
    fields = {
        **form_of(page.text, "form"),
        "client_id": "wiki",
        "client_name": "Wiki",
        "product": "lms",
    }
    fields["redirect_uris"] = "https://wiki.example/callback\r\n"
    shown = post(browser, page.text, "/operate/clients/new", fields)
    secret = re.findall(r'class="secret-text">([^<]+)<', shown.text)[0]
    assert shown.headers["Cache-Control"] == "no-store"
    for path in ("", "/edit"):
        again = browser.get(f"/operate/clients/wiki{path}").text
        assert secret not in again
        assert secret[:8] not in again
    rotated = send(browser, "/operate/clients/wiki/secrets", "/operate/clients/wiki", hours="24")
    assert rotated.status_code == 200
    assert len(re.findall(r'class="secret-text">', rotated.text)) == 1
    assert secret not in rotated.text
    assert secret not in str(world.audit())


def test_a_profile_that_is_chosen_says_more_than_what_stood_beside_it(world: World) -> None:
    """The form's own defaults are none of FAPI's. Once it is chosen, they are refused."""
    browser = operator(world)
    page = browser.get("/operate/clients/new?product=lms")
    key = ECKey.generate_key("P-256").as_dict(private=False)
    fields = filled(page.text, "Bank") | {
        "profile": "fapi2_security",
        "redirect_uris": "https://wiki.example/callback",
        "jwks": json.dumps({"keys": [key]}),
    }
    assert fields["id_token_signed_response_alg"] == ["RS256"]
    assert post(browser, page.text, "/operate/clients/new", fields).status_code == 303
    page = browser.get("/operate/clients/wiki/edit")
    fields = form_of(page.text, "form")
    told = fields["token_endpoint_auth_method"], fields["id_token_signed_response_alg"]
    assert told == (["private_key_jwt"], ["ES256"])
    fields["id_token_signed_response_alg"] = ["RS256"]
    answer = post(browser, page.text, "/operate/clients/wiki/edit", fields)
    assert answer.status_code == 422
    assert 'href="#id_token_signed_response_alg"' in answer.text


def test_what_can_not_be_taken_stands_beside_its_field(world: World) -> None:
    browser = operator(world)
    page = browser.get("/operate/clients/new?product=lms")
    fields = {
        **form_of(page.text, "form"),
        "client_id": "wiki",
        "client_name": "<b>",
        "product": "lms",
    }
    fields["redirect_uris"] = "http://wiki.example/"
    answer = post(browser, page.text, "/operate/clients/new", fields)
    assert answer.status_code == 422
    assert 'href="#redirect_uris"' in answer.text
    assert 'value="&lt;b&gt;"' in answer.text


def test_no_operator_can_name_a_file_of_the_servers(world: World) -> None:
    for field in ("jwks_file", "client_secret_file"):
        browser = operator(world)
        page = browser.get("/operate/clients/new?product=lms")
        fields = {
            **form_of(page.text, "form"),
            "client_id": "wiki",
            "client_name": "W",
            "product": "lms",
        }
        fields |= {"redirect_uris": "https://wiki.example/", field: "/etc/passwd"}
        post(browser, page.text, "/operate/clients/new", fields)
    assert "root:" not in str(world.run("SELECT jwks FROM clients WHERE client_id = 'wiki'"))


def test_tenants_admins_see_no_clients(world: World) -> None:
    browser = world.browser()
    browser.tokens(AMARA)
    for path in ("", "/new", "/lms", "/lms/edit"):
        assert browser.get(f"/operate/clients{path}").status_code == 404
