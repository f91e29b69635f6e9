"""S27: by an initial access token so many register and no more, and by its registration access
token a client reaches itself alone (RFC 7591 section 3, RFC 7592 section 2)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.directory import registrations
from idp.secret_values import fingerprint
from tests.security.browsing import at_once, reopened
from tests.security.protocol import Party, answer_to, is_refused
from tests.security.registering import SOUND, at_own, initial_token, post, registered, sent
from tests.world import VERIFIER, World, sent_back

CHALLENGE = 'Bearer realm="latchkey"'


def is_unknown(answer: TestResponse) -> bool:
    """401, whatever is wrong with the token."""
    assert answer.headers.getlist("WWW-Authenticate") == [f'{CHALLENGE}, error="invalid_token"']
    return is_refused(answer, "invalid_token", 401)


def test_sec_27_nobody_registers_without_a_token(world: World) -> None:
    initial_token(world)
    for answer in (post(world, "", SOUND), post(world, "", "{")):
        assert (answer.status_code, answer.json) == (401, {})
        assert answer.headers.getlist("WWW-Authenticate") == [CHALLENGE]
    assert is_unknown(post(world, "x" * 43, SOUND))
    told = registered(world, initial_token(world, "another"))
    assert is_unknown(post(world, told["registration_access_token"], SOUND))
    headers = world.basic(told["client_id"], told["client_secret"])
    assert is_unknown(sent(world, "POST", "/register", "", SOUND, **headers))
    other = {"Authorization": f"DPoP {initial_token(world, 'bound')}"}
    assert sent(world, "POST", "/register", "", SOUND, **other).status_code == 401


def test_sec_27_a_token_ends_by_use_by_time_and_by_an_operator(either_world: World) -> None:
    world = either_world
    twice = initial_token(world, "twice", uses=2)
    assert [post(world, twice, SOUND).status_code for _ in range(3)] == [201, 201, 401]
    for_an_hour = initial_token(world, "for-an-hour", hours=1)
    ended = initial_token(world, "ended")
    with world.held.database.transaction() as db:
        assert registrations.end(db, "ended", world.clock())
        assert not registrations.end(db, "ended", world.clock())
    assert is_unknown(post(world, ended, SOUND))
    world.clock.move(3599)
    assert post(world, for_an_hour, SOUND).status_code == 201
    world.clock.move(1)
    assert is_unknown(post(world, for_an_hour, SOUND))


def test_sec_27_of_20_at_once_as_many_register_as_it_is_good_for(either_world: World) -> None:
    world = either_world
    token = initial_token(world, uses=3)
    answers = at_once([partial(post, world, token, SOUND) for _ in range(20)])
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [401] * 17
    assert world.run("SELECT used FROM initial_access_tokens") == [(3,)]
    assert world.run("SELECT count(*) FROM client_registrations") == [(3,)]


def test_sec_27_what_is_refused_spends_nothing_and_is_counted(world: World) -> None:
    token = initial_token(world, uses=1)
    tries = [post(world, token, {}) for _ in range(120)]
    assert all(is_refused(answer, "invalid_redirect_uri") for answer in tries)
    assert is_refused(post(world, token, SOUND), "temporarily_unavailable", 429)
    world.clock.move(3600)
    assert post(world, token, SOUND).status_code == 201


def test_tokens_are_kept_by_their_hash_alone(world: World) -> None:
    token = initial_token(world)
    told = registered(world, token)
    kept = world.run("SELECT token_hash FROM initial_access_tokens") + world.run(
        "SELECT token_hash FROM client_registrations"
    )
    ours = [token, told["registration_access_token"]]
    assert [row[0] for row in kept] == [fingerprint(each) for each in ours]
    assert not [secret for secret in ours if secret in str(world.audit())]


def test_sec_27_all_may_register_where_the_operator_opens_a_token_to_them(world: World) -> None:
    initial_token(world, "open", uses=2)
    opened = reopened(world, replace(world.settings, open_registration="open"))
    assert [post(opened, "", SOUND).status_code for _ in range(3)] == [201, 201, 401]
    assert is_unknown(post(opened, "wrong" * 8, SOUND))
    opened.held.database.close()
    initial_token(world, "wide", uses=100)
    wide = reopened(world, replace(world.settings, open_registration="wide"))
    statuses = [post(wide, "", {}).status_code for _ in range(20)]
    assert statuses == [400] * 17 + [429] * 3  # three of this address's twenty were had above
    wide.held.database.close()


def test_what_is_registered_is_read_without_its_secret(either_world: World) -> None:
    world = either_world
    told = registered(world, initial_token(world))
    answer = at_own(world, told, "GET")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json == {n: v for n, v in told.items() if n != "client_secret"}


def test_sec_27_what_can_be_no_client_id_is_nobodys(postgres_world: World) -> None:
    for name in ("%00", "a%00b", "%ff", "a" * 5000):
        assert is_unknown(sent(postgres_world, "GET", f"/register/{name}", "x" * 43))


def test_sec_27_nobody_but_the_client_reaches_it(world: World) -> None:
    token = initial_token(world)
    told, other = registered(world, token), registered(world, token)
    gone = registered(world, token)
    assert at_own(world, gone, "DELETE").status_code == 204
    for method in ("GET", "PUT", "DELETE"):
        body = SOUND if method == "PUT" else None
        assert is_unknown(at_own(world, gone, method, body))
        for wrong in (other["registration_access_token"], token, told["client_secret"]):
            stolen = {**told, "registration_access_token": wrong}
            assert is_unknown(at_own(world, stolen, method, body))
        for path in ("/register/lms", "/register/", f"/register/{told['client_id']}/x"):
            own = told["registration_access_token"]
            assert is_unknown(sent(world, method, path, own, body))
        answer = at_own(world, {**told, "registration_access_token": ""}, method, body)
        assert (answer.status_code, answer.json) == (401, {})
    assert at_own(world, told, "POST", SOUND).status_code == 405
    assert at_own(world, told, "GET").status_code == 200


def replaced(world: World, told: dict[str, Any], **members: Any) -> TestResponse:
    return at_own(world, told, "PUT", {**SOUND, "client_id": told["client_id"], **members})


def test_what_is_put_there_takes_the_place_of_all_of_it(either_world: World) -> None:
    world = either_world
    more = {"scope": "openid email", "contacts": ["a"], "default_max_age": 60}
    told = registered(world, initial_token(world), **more)
    answer = replaced(world, told, client_secret=told["client_secret"], contacts=None)
    expected = {n: v for n, v in told.items() if n not in ("client_secret", *more)}
    assert answer.json == {**expected, "scope": "openid profile email"}
    assert answer.json == at_own(world, told, "GET").json
    assert world.audit("client.self_changed")[-1]["fields"]["default_max_age"] == [60, None]
    answer = replaced(world, told, token_endpoint_auth_method="none")
    assert "client_secret_expires_at" not in (answer.json or {})
    back = replaced(world, told).json or {}
    assert back["client_secret"] not in (None, told["client_secret"])


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"client_id": None}, "invalid_client_metadata"),
        ({"client_id": "lms"}, "invalid_client_metadata"),
        ({"client_secret": "x" * 43}, "invalid_client_metadata"),
        ({"client_secret": 7}, "invalid_client_metadata"),
        ({"registration_access_token": "x"}, "invalid_client_metadata"),
        ({"registration_client_uri": "https://app.example/"}, "invalid_client_metadata"),
        ({"client_secret_expires_at": 0}, "invalid_client_metadata"),
        ({"client_id_issued_at": 1}, "invalid_client_metadata"),
        ({"redirect_uris": ["https://evil.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"scope": "openid loans.read"}, "invalid_client_metadata"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"client_name": 7}, "invalid_client_metadata"),
    ],
)
def test_sec_17_what_is_put_there_stays_within_what_let_it_in(
    world: World, members: dict[str, Any], error: str
) -> None:
    told = registered(world, initial_token(world))
    before = world.run("SELECT * FROM clients WHERE client_id = :id", id=told["client_id"])
    with world.held.database.transaction() as db:
        registrations.end(db, "partners", world.clock())
    assert is_refused(replaced(world, told, **members), error)
    after = world.run("SELECT * FROM clients WHERE client_id = :id", id=told["client_id"])
    assert before == after


def test_it_is_changed_so_often_an_hour(world: World) -> None:
    told = registered(world, initial_token(world))
    assert {replaced(world, told).status_code for _ in range(30)} == {200}
    assert is_refused(replaced(world, told), "temporarily_unavailable", 429)


def test_a_disabled_client_can_do_nothing_about_it(world: World) -> None:
    told = registered(world, initial_token(world))
    world.run("UPDATE clients SET status = 'disabled' WHERE client_id = :i", i=told["client_id"])
    for answer in (
        at_own(world, told, "GET"),
        replaced(world, told),
        at_own(world, told, "DELETE"),
    ):
        assert is_refused(answer, "access_denied", 403)


def test_a_client_that_deletes_itself_takes_its_grants_along(either_world: World) -> None:
    world = either_world
    told = registered(
        world, initial_token(world), grant_types=["authorization_code", "refresh_token"]
    )
    party = Party(told["client_id"], form=told)
    visitor = world.browser()
    page = answer_to(visitor, party)
    code = sent_back(visitor.follow(visitor.submit(page, decision="allow")))["code"]
    headers = world.basic(told["client_id"], told["client_secret"])
    form = {"code": code, "redirect_uri": party.redirect_uri, "code_verifier": VERIFIER}
    answer = world.post("/token", headers, grant_type="authorization_code", **form)
    given = answer.json or {}
    assert world.userinfo(given["access_token"]).status_code == 200
    answer = at_own(world, told, "DELETE")
    assert (answer.status_code, answer.data) == (204, b"")
    assert world.userinfo(given["access_token"]).status_code == 401
    world.clock.move(2)
    token = given["refresh_token"]
    answer = world.post("/token", headers, grant_type="refresh_token", refresh_token=token)
    assert is_refused(answer, "invalid_client", 401)
    for table in ("clients", "client_registrations", "grants", "consents", "client_sessions"):
        found = f"SELECT count(*) FROM {table} WHERE client_id = :id"
        assert world.run(found, id=told["client_id"]) == [(0,)]
    assert world.audit("client.self_deleted")[-1]["client"] == told["client_id"]
