"""S10, S17: a client that registers itself gets what it asks for, within what it was let in for,
and learns exactly what that is (RFC 7591, OpenID Connect Dynamic Client Registration 1.0)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from idp import worker
from idp.delivery import Undelivered
from idp.errors import SetupMistake
from idp.oidc import claims_parameter
from idp.oidc.authorization_request import _wished_acr
from idp.oidc.parameters import Parameters
from idp.outbox import Message
from idp.registration.client_form import ClientForm
from idp.registration.clients import PLAIN
from idp.registration.dynamic_clients import MEMBERS, OURS
from idp.secret_values import new_id
from tests.security.browsing import reopened
from tests.security.protocol import Party, answer_to, asked_by, is_refused
from tests.security.registering import (
    HOSTS,
    JWKS,
    KEY,
    SOUND,
    initial_token,
    post,
    registered,
    sent,
)
from tests.world import ISSUER, World, claims_of, sent_back

DEFAULTS = {
    "application_type": "web",
    "backchannel_logout_session_required": False,
    "frontchannel_logout_session_required": False,
    "client_secret_expires_at": 0,
    "default_acr_values": [],
    "grant_types": ["authorization_code"],
    "id_token_signed_response_alg": "RS256",
    "post_logout_redirect_uris": [],
    "require_auth_time": True,
    "authorization_signed_response_alg": "RS256",
    "introspection_signed_response_alg": "RS256",
    "request_uris": [],
    "dpop_bound_access_tokens": False,
    "tls_client_certificate_bound_access_tokens": False,
    "require_signed_request_object": False,
    "require_pushed_authorization_requests": False,
    "response_types": ["code"],
    "scope": "openid profile email",
    "subject_type": "public",
    "token_endpoint_auth_method": "client_secret_basic",
}
ONCE = ("client_id", "client_secret", "registration_access_token", "registration_client_uri")


def test_what_is_registered_is_told_with_what_is_told_once(either_world: World) -> None:
    world = either_world
    answer = post(world, initial_token(world), SOUND)
    told = dict(answer.json or {})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    own = {name: told.pop(name) for name in ONCE}
    assert told.pop("client_id_issued_at") == int(world.clock())
    for name, value in {**DEFAULTS, **SOUND}.items():
        assert told.pop(name) == value, name
    assert not told
    assert own["registration_client_uri"] == f"{ISSUER}/register/{own['client_id']}"
    assert len(own["client_secret"]) == len(own["registration_access_token"]) == 43


def test_it_signs_people_in_who_are_asked_first(world: World) -> None:
    told = registered(world, initial_token(world))
    party = party_of(told)
    visitor = world.browser()
    page = answer_to(visitor, party)
    assert "Allow An app?" in page.text
    sent_on = sent_back(visitor.follow(visitor.submit(page, decision="allow")))
    headers = world.basic(told["client_id"], told["client_secret"])
    form = {"grant_type": "authorization_code", "redirect_uri": party.redirect_uri}
    answer = world.post("/token", headers, code=sent_on["code"], code_verifier="v" * 64, **form)
    claims = claims_of((answer.json or {})["access_token"])
    assert (claims["client_id"], claims["permissions"], claims["roles"]) == (
        told["client_id"],
        [],
        [],
    )


def test_it_is_known_to_every_process_at_once(world: World) -> None:
    token, other = initial_token(world), reopened(world, world.settings)
    other.held.catalog.current(world.clock())
    told = post(world, token, SOUND).json or {}
    assert "Allow An app?" in answer_to(other.browser(), party_of(told)).text
    told = post(world, token, SOUND).json or {}
    headers = other.basic(told["client_id"], told["client_secret"])
    answer = other.post("/token", headers, grant_type="client_credentials")
    assert is_refused(answer, "unauthorized_client", 400)
    other.held.database.close()


def test_the_pages_and_the_worker_of_every_process_know_it_at_once(world: World) -> None:
    token, other = initial_token(world), reopened(world, world.settings)
    home, told_of_logout = "https://app.example/home", "https://app.example/logout"
    members = {**SOUND, "post_logout_redirect_uris": [home]}
    other.held.catalog.current(world.clock())

    visitor = world.browser()
    party = party_of(post(world, token, members).json or {})
    begun = visitor.get("/authorize?" + urlencode(asked_by(party))).headers["Location"]
    visitor.client.application = other.app
    assert "An app" in visitor.get(begun).text

    told = post(world, token, members).json or {}
    asked = {"client_id": told["client_id"], "post_logout_redirect_uri": home}
    assert other.get("/logout?" + urlencode(asked)).headers["Location"] == home

    told = post(world, token, {**members, "backchannel_logout_uri": told_of_logout}).json or {}
    message = Message("id", "kind", {"sub": new_id(), "sid": "one"}, None, told["client_id"], 1)
    with pytest.raises(Undelivered, match="could not be reached"):
        worker.tell_product(other.held, message, world.clock())
    other.held.database.close()


def party_of(told: dict[str, Any]) -> Party:
    return Party(told["client_id"], told["token_endpoint_auth_method"], told)


FULL = {
    "application_type": "native",
    "redirect_uris": ["https://app.example/native"],
    "post_logout_redirect_uris": ["https://app.example/bye"],
    "grant_types": ["refresh_token", "authorization_code"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "scope": "openid email",
    "initiate_login_uri": "https://app.example/start",
    "backchannel_logout_uri": "https://app.example/logout",
    "backchannel_logout_session_required": True,
    "frontchannel_logout_uri": "https://app.example/out",
    "frontchannel_logout_session_required": True,
    "require_pushed_authorization_requests": True,
    "default_max_age": 600,
    "default_acr_values": ["aal2"],
    "id_token_signed_response_alg": "ES256",
    "authorization_signed_response_alg": "PS256",
    "request_object_signing_alg": "ES256",
    "token_endpoint_auth_signing_alg": "ES256",
    "dpop_bound_access_tokens": True,
    "require_signed_request_object": True,
    "jwks": JWKS,
    "subject_type": "pairwise",
    "contacts": ["dev@app.example", "ops@app.example"],
    "client_uri": "https://app.example/",
    "logo_uri": "https://cdn.apps.example/logo.png",
    "policy_uri": "https://app.example/policy",
    "tos_uri": "https://app.example/terms",
    "software_id": "4NRB1-0XZABZI9E6-5SM3R",
    "software_version": "2.1",
    "client_name": "An app",
    "client_name#es": "Una aplicación",
    "policy_uri#es-MX": "https://app.example/politica",
}


def test_every_member_that_is_known_is_kept_and_what_is_not_is_left_out(world: World) -> None:
    token = initial_token(world, redirect_hosts=HOSTS)
    unknown = {"favourite_colour": "blue", "tls_client_auth_subject_dn": None, "logo_uri#!": "x"}
    told = registered(world, token, **FULL, favourite_colour=unknown)
    assert {name: told.get(name) for name in FULL} == FULL
    assert "favourite_colour" not in told
    assert "client_secret" not in told
    assert "client_secret_expires_at" not in told


NOT_ITS_OWN: dict[str, Any] = {
    "client_id": "lms",
    "client_secret": "x" * 43,
    "product": "console",
    "tenant": "northwind",
    "status": "disabled",
    "first_party": True,
    "permissions": ["loans.read"],
    "require_pkce": False,
    "refresh_token_rotation": True,
    "registration_access_token": "mine",
    "client_id_issued_at": 1,
}


def test_sec_78_what_is_ours_to_say_is_not_the_clients(world: World) -> None:
    told = registered(world, initial_token(world), **NOT_ITS_OWN)
    row = world.run(
        "SELECT client_id, product_key, tenant_id, status, first_party, permissions, require_pkce,"
        " refresh_token_rotation FROM clients WHERE client_id = :id",
        id=told["client_id"],
    )[0]
    assert row == (told["client_id"], "lms", None, "active", 0, "[]", 1, 0)
    assert told["client_secret"] != NOT_ITS_OWN["client_secret"]
    assert told["registration_access_token"] != "mine"


def test_a_policy_may_let_clients_with_a_secret_do_without_pkce(world: World) -> None:
    token = initial_token(world, require_pkce=False)
    for method, needs_it in (("client_secret_basic", 0), ("none", 1)):
        told = registered(world, token, token_endpoint_auth_method=method)
        found = world.run(
            "SELECT require_pkce FROM clients WHERE client_id = :id", id=told["client_id"]
        )
        assert found == [(needs_it,)]


TWO_HOSTS = ["https://app.example/cb", "https://one.apps.example/cb"]
LONG = "https://app.example/" + "a" * 2048
BAD_URIS: tuple[Any, ...] = (
    *([], None, "https://app.example/cb", [None], [1], [[]], {}),
    *(["http://app.example/cb"], ["https://app.example/cb#part"], ["https://evil.example/"]),
    *(["https://app.example.evil.example/"], ["https://app.example@evil.example/cb"]),
    *(["https://apps.example/cb"], ["https://evilapps.example/cb"], ["javascript:alert(1)"]),
    *(["https://*.apps.example/cb"], ["https://app.example\\@evil.example/"], [LONG]),
    *(["com.example.app:/cb"], ["https://app.example/cb", "https://evil.example/cb"]),
    *(["https://app.example/c\x00b"], ["//app.example/cb"], ["data:text/html,x"], [""]),
    *(["https://[::1"], ["https://app.example:99999/cb"], ["http://127.0.0.1/cb"]),
)
PRIVATE = {"keys": [KEY.as_dict(private=True)]}
BAD: tuple[dict[str, Any], ...] = (
    {"grant_types": ["password"]},
    {"grant_types": ["implicit", "authorization_code"]},
    {"grant_types": ["client_credentials"], "redirect_uris": []},
    {"grant_types": "authorization_code"},
    {"grant_types": ["refresh_token"], "response_types": ["code"]},
    {"response_types": ["token"]},
    {"response_types": ["code", "code id_token"]},
    {"response_types": []},
    {"response_types": "code"},
    {"application_type": "desktop"},
    {"token_endpoint_auth_method": "client_secret_jwt"},
    {"token_endpoint_auth_method": "private_key_jwt"},
    {"token_endpoint_auth_method": ["none"]},
    {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}},
    {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{"kty": "oct"}]}},
    {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": PRIVATE,
    },
    {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": JWKS["keys"] * 51}},
    {"token_endpoint_auth_method": "private_key_jwt", "jwks": "keys"},
    {"scope": "openid loans.read"},
    {"scope": "openid  profile"},
    {"scope": ["openid"]},
    {"client_name": ""},
    {"client_name": "An\napp"},
    {"client_name": 7},
    {"client_name": "a" * 121},
    {"client_name#es": "Una\napp"},
    {"client_name#": "An app"},
    {"client_name#<b>": "An app"},
    {"contacts": "dev@app.example"},
    {"contacts": ["a\nb"]},
    {"contacts": [7]},
    {"contacts": ["a"] * 51},
    {"contacts#es": ["a"]},
    {"client_uri": "https://evil.example/"},
    {"client_uri": "http://app.example/"},
    {"client_uri": 7},
    {"logo_uri": "javascript:alert(1)"},
    {"logo_uri": "data:image/svg+xml,x"},
    {"logo_uri": "https://evil.example/logo.png"},
    {"policy_uri": "https://app.example@evil.example/"},
    {"policy_uri#es": "https://evil.example/"},
    {"tos_uri": LONG},
    {"tos_uri": "/terms"},
    {"software_id": ["x"]},
    {"software_version": "1\n2"},
    {"default_max_age": -1},
    {"default_max_age": "600"},
    {"default_max_age": True},
    {"default_max_age": 10**10},
    {"default_acr_values": "aal2"},
    {"default_acr_values": ["a b"]},
    {"default_acr_values": [7]},
    {"initiate_login_uri": "http://app.example/start"},
    {"initiate_login_uri": "https://evil.example/start"},
    {"backchannel_logout_uri": "https://evil.example/logout"},
    {"backchannel_logout_uri": "http://169.254.169.254/"},
    {"backchannel_logout_session_required": "yes"},
    {"frontchannel_logout_uri": "https://one.apps.example/out"},
    {"post_logout_redirect_uris": ["https://evil.example/bye"]},
    {"post_logout_redirect_uris": ["javascript:alert(1)"]},
    {"id_token_signed_response_alg": "none"},
    {"id_token_signed_response_alg": "HS256"},
    {"require_pushed_authorization_requests": "true"},
    {"subject_type": "private"},
    {
        "subject_type": "pairwise",
        "redirect_uris": [f"https://{h}/" for h in ("app.example", "a.apps.example")],
    },
    {"sector_identifier_uri": "http://app.example/sector"},
    {"sector_identifier_uri": "https://evil.example/sector"},
    {f"client_name#{chr(97 + n // 26)}{chr(97 + n % 26)}": "An app" for n in range(51)},
)
REFUSED = [({"redirect_uris": uris}, "invalid_redirect_uri") for uris in BAD_URIS]
REFUSED += [(changed, "invalid_client_metadata") for changed in BAD]


def test_sec_10_17_each_member_is_judged(world: World) -> None:
    """In one world, since a refusal leaves nothing behind."""
    token, wrong = initial_token(world), []
    for changed, error in REFUSED:
        world.clock.move(60)
        answer = post(world, token, {**SOUND, **changed})
        told = answer.json or {}
        if (answer.status_code, told.get("error")) != (400, error):
            wrong.append((changed, answer.status_code, told))
    assert not wrong
    assert world.run("SELECT used FROM initial_access_tokens") == [(0,)]
    assert world.run("SELECT count(*) FROM client_registrations") == [(0,)]


UNREADABLE = (
    *("", "{", "[]", "null", '"x"', "7", '{"a": 1, "a": 2}', '{"a": NaN}'),
    *('{"client_name": "\\ud800"}', "[" * 50_000, '{"redirect_uris": ["\ufffe"]'),
)


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_sec_11_a_body_that_is_no_object_of_one_meaning_is_refused(world: World, body: str) -> None:
    token = initial_token(world)
    assert is_refused(post(world, token, body), "invalid_client_metadata")


def test_a_form_is_no_registration(world: World) -> None:
    token = initial_token(world)
    body = json.dumps(SOUND)
    answer = sent(world, "POST", "/register", token, body, **{"Content-Type": "text/plain"})
    assert is_refused(answer, "invalid_request")
    assert post(world, token, SOUND, **{"Content-Type": "application/json; charset=utf-8"}).json
    assert sent(world, "POST", "/register", token, b"x" * 65537).status_code == 413


def test_sec_69_no_script_of_another_origin_registers(world: World) -> None:
    answer = post(world, initial_token(world), SOUND, Origin="https://app.example")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert sent(world, "OPTIONS", "/register", "").status_code == 405


def test_discovery_says_where(world: World) -> None:
    told = world.get("/.well-known/openid-configuration").json or {}
    assert told["registration_endpoint"] == f"{ISSUER}/register"


def test_each_field_of_a_client_is_its_own_to_say_or_ours() -> None:
    """A new one has to be thought of: in one line of one of the two."""
    assert set(MEMBERS).isdisjoint(OURS)
    assert set(MEMBERS) | set(OURS) == set(ClientForm.model_fields)
    assert set(MEMBERS) | {"information"} <= set(PLAIN) | {"jwks"}


def test_sec_79_no_operator_makes_it_first_party(world: World) -> None:
    told = registered(world, initial_token(world))
    form = {"client_id": told["client_id"], "client_name": "Ours", "product": "lms"}
    with pytest.raises(SetupMistake, match="first_party"):
        world.apply(clients=[{**form, "first_party": True}])
    world.apply(clients=[{**form, "permissions": ["loans.read"]}])


def test_what_it_wishes_for_holds_where_a_request_names_no_class(world: World) -> None:
    token = initial_token(world)
    told = registered(world, token, default_acr_values=["aal1", "aal2"])
    client = world.held.catalog.current(world.clock()).clients[told["client_id"]]
    for asked, wished in (
        ({}, ("aal1", "aal2")),
        ({"acr_values": "phr"}, ("phr",)),
        ({"claims": '{"id_token": {"acr": {"value": "aal2"}}}'}, ("aal2",)),
        ({"claims": '{"id_token": {"acr": {"essential": true, "value": "phr"}}}'}, ()),
    ):
        parameters = Parameters(asked_by(party_of(told), **asked), frozenset())
        assert _wished_acr(parameters, client, claims_parameter.read(parameters)) == wished
