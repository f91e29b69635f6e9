"""Operators make and end initial access tokens; a token is shown once."""

from __future__ import annotations

import re

from tests.security.registering import SOUND, post, registered
from tests.world import BEN, OLU, World

PAGE = "/operate/registration-tokens"
FILLED = {
    "name": "partners",
    "product": "lms",
    "redirect_hosts": "app.example\n*.apps.example\n",
    "scope": "openid profile",
    "grant_types": "authorization_code",
    "token_endpoint_auth_methods": "client_secret_basic",
    "require_pkce": "1",
    "uses": "2",
    "hours": "3",
}


def test_one_is_made_shown_once_used_and_ended(world: World) -> None:
    visitor = world.browser()
    page = visitor.enter(PAGE, OLU)
    answer = visitor.submit(page, path=PAGE, **FILLED)
    assert answer.status_code == 200, answer.text
    (token,) = re.findall(r'<code class="secret-text">([^<]+)</code>', answer.text)
    assert token not in visitor.get(PAGE).text
    told = registered(world, token)
    assert told["scope"] == "openid profile"
    assert "1 of 2" in visitor.get(PAGE).text
    client = visitor.get(f"/operate/clients/{told['client_id']}")
    assert "registered itself, by the initial access token partners" in client.text
    visitor.submit(visitor.get(PAGE), path=f"{PAGE}/partners/end")
    assert post(world, token, SOUND).status_code == 401
    events = world.audit("registration_token.made") + world.audit("registration_token.ended")
    assert [event["token"] for event in events] == ["partners", "partners"]
    assert token not in str(events)


def test_what_is_wrong_is_said_and_nothing_is_made(world: World) -> None:
    visitor = world.browser()
    page = visitor.enter(PAGE, OLU)
    for wrong in (
        *({"name": "Partners"}, {"product": "console"}, {"product": "nothing"}, {"hours": "0"}),
        *({"redirect_hosts": ""}, {"redirect_hosts": "https://app.example"}, {"uses": "many"}),
        *({"scope": "a  b"}, {"grant_types": "password"}, {"token_endpoint_auth_methods": "x"}),
    ):
        answer = visitor.submit(page, path=PAGE, **{**FILLED, **wrong})
        assert (answer.status_code, f'href="#{next(iter(wrong))}' in answer.text) == (422, True)
    assert visitor.submit(page, path=PAGE, **FILLED).status_code == 200
    assert visitor.submit(page, path=PAGE, **FILLED).status_code == 422
    assert world.run("SELECT count(*) FROM initial_access_tokens") == [(1,)]


def test_it_is_for_operators_alone(world: World) -> None:
    visitor = world.browser()
    assert visitor.enter(PAGE, BEN).status_code in (403, 404)
    assert visitor.post(PAGE, **FILLED).status_code >= 400
    assert world.run("SELECT count(*) FROM initial_access_tokens") == [(0,)]
