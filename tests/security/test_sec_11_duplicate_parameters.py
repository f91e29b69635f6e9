"""S11: a parameter that is sent twice is refused, since two readers may read two things."""

from __future__ import annotations

from urllib.parse import urlencode

from werkzeug.test import Client

from tests.security.protocol import (
    KEEPING,
    POSTING,
    asked_by,
    code_for,
    is_page_of_ours,
    is_refused,
    proof,
    redeem,
    register,
    tokens_for,
)
from tests.world import AMARA, VERIFIER, World, sent_back

FORM = "application/x-www-form-urlencoded"
ANSWERED_HERE = ("client_id", "redirect_uri")


def test_sec_11_at_the_authorization_endpoint(world: World):
    register(world, KEEPING)
    visitor = world.browser()
    visitor.sign_in()
    sound = {**asked_by(KEEPING), "response_mode": "query", "max_age": "60", "tenant": "northwind"}
    query = urlencode(sound)
    for name, value in sound.items():
        for second in (value, "evil", ""):
            answer = visitor.get(f"/authorize?{query}&{urlencode({name: second})}")
            if name in ANSWERED_HERE:
                assert is_page_of_ours(answer), (name, second)
                continue
            told = sent_back(answer)
            assert (told["error"], "code" in told) == ("invalid_request", False), (name, second)
            assert "evil" not in answer.headers["Location"], (name, second)


def test_sec_11_in_query_and_body_together(world: World):
    register(world, KEEPING)
    query = urlencode(asked_by(KEEPING))
    client = world.browser().client
    for name in ANSWERED_HERE:
        body = urlencode({name: "https://evil.example/"})
        assert is_page_of_ours(client.post(f"/authorize?{query}", data=body, content_type=FORM))
    answer = client.post(f"/authorize?{query}", data="scope=openid", content_type=FORM)
    assert sent_back(answer)["error"] == "invalid_request"


def test_sec_11_at_every_endpoint_that_clients_call(world: World):
    register(world, POSTING)
    given = tokens_for(world, POSTING)
    forms = {
        "/token": {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]},
        "/revoke": {"token": given["refresh_token"], "token_type_hint": "refresh_token"},
        "/introspect": {"token": given["refresh_token"], "token_type_hint": "refresh_token"},
        "/bc-authorize": {"scope": "openid", "login_hint": AMARA, "binding_message": "W-4711"},
    }
    for path, form in forms.items():
        sound = {**proof(world, POSTING)[1], **form}
        for name, value in sound.items():
            for second in (value, "evil", ""):
                body = urlencode([*sound.items(), (name, second)])
                answer = Client(world.app).post(path, data=body, content_type=FORM)
                assert is_refused(answer, "invalid_request"), (path, name)
    assert world.introspect(given["access_token"])["active"]


def test_sec_11_a_repeated_code_is_not_spent(world: World):
    register(world, POSTING)
    code = code_for(world, POSTING)
    sound = {
        **proof(world, POSTING)[1],
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": POSTING.redirect_uri,
        "code_verifier": VERIFIER,
    }
    for name in ("code", "redirect_uri", "code_verifier", "client_id", "unheard_of"):
        body = urlencode([*sound.items(), (name, sound.get(name, "")), (name, "")])
        answer = Client(world.app).post("/token", data=body, content_type=FORM)
        assert is_refused(answer, "invalid_request"), name
    assert redeem(world, POSTING, code).status_code == 200


def test_sec_11_nothing_for_clients_may_stand_in_the_address(world: World):
    """Where proxies and histories would keep it."""
    register(world, POSTING)
    fields = {**proof(world, POSTING)[1], "token": "x", "grant_type": "client_credentials"}
    for path in ("/token", "/introspect", "/revoke"):
        for query in (urlencode(fields), "x=1", "client_id=posting"):
            answer = Client(world.app).post(f"{path}?{query}", data=fields)
            assert is_refused(answer, "invalid_request"), (path, query)


def test_sec_11_a_bearer_token_is_sent_once(world: World):
    token = world.browser().tokens()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    client = Client(world.app)
    both = client.post("/userinfo", data={"access_token": token}, headers=bearer)
    twice = client.post(
        "/userinfo", data=f"access_token={token}&access_token={token}", content_type=FORM
    )
    in_query = client.get(f"/userinfo?access_token={token}")
    for answer in (both, twice):
        assert is_refused(answer, "invalid_request")
        assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]
    assert in_query.status_code == 401
    assert client.post("/userinfo", data={"access_token": token}).status_code == 200
