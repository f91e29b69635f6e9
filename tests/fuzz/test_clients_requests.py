"""Endpoints that clients call: whatever is sent, the answer is one that a client understands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.oidc.client_authentication import ASSERTION_TYPE
from tests.fuzz.oracle import answer, check_client_is_told
from tests.fuzz.wire import authorizations, basic, examples, forms, requests
from tests.security.backchannel_flow import COUNTER
from tests.security.protocol import register
from tests.world import AMARA, VERIFIER, World

REDIRECT_URI = "http://localhost:8001/callback"


@pytest.fixture
def given_tokens(world: World) -> dict[str, Any]:
    return world.browser().tokens(scope="openid offline_access")


@pytest.fixture
def by_basic(world: World) -> st.SearchStrategy[str | None]:
    return authorizations(
        basic("lms", world.secret("lms")), basic("lms-batch", world.secret("lms-batch"))
    )


@examples(90)
@given(data=st.data())
def test_the_token_endpoint_answers_every_form(
    world: World, by_basic: Any, given_tokens: dict[str, Any], data: st.DataObject
) -> None:
    sound = {
        "grant_type": ["authorization_code", "refresh_token", "client_credentials", "password"],
        "code": [world.browser().code(), "unknown"],
        "redirect_uri": [REDIRECT_URI],
        "code_verifier": [VERIFIER],
        "refresh_token": [given_tokens["refresh_token"], given_tokens["refresh_token"][:-1]],
        "scope": ["openid", "payouts"],
        "client_id": ["lms", "payments"],
        "client_secret": ["", world.secret("lms")],
        "client_assertion_type": ["", ASSERTION_TYPE],
        "client_assertion": ["", given_tokens["id_token"]],
    }
    some = data.draw(st.sets(st.sampled_from(sorted(sound)[:4]), max_size=4))
    fields = forms({name: values for name, values in sound.items() if name not in some})
    sent = data.draw(requests("/token", "POST", fields, {"HTTP_AUTHORIZATION": by_basic}))
    check_client_is_told(answer(world, sent))


@examples(50)
@given(data=st.data())
@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
def test_introspection_and_revocation_answer_every_form(
    world: World, by_basic: Any, given_tokens: dict[str, Any], path: str, data: st.DataObject
) -> None:
    tokens = [given_tokens[name] for name in ("access_token", "refresh_token", "id_token")]
    fields = forms({"token": tokens, "token_type_hint": ["access_token", "nonsense"]})
    sent = data.draw(requests(path, "POST", fields, {"HTTP_AUTHORIZATION": by_basic}))
    check_client_is_told(answer(world, sent))


@examples(25)
@given(data=st.data())
def test_the_backchannel_endpoint_answers_every_form(
    world: World, given_tokens: dict[str, Any], data: st.DataObject
) -> None:
    register(world, COUNTER)
    own = authorizations(basic(COUNTER.client_id, COUNTER.secret))
    sound = {
        "scope": ["openid", "openid profile", "payouts"],
        "login_hint": [AMARA, "nobody@northwind.example"],
        "id_token_hint": [given_tokens["id_token"], given_tokens["id_token"][:-1]],
        "binding_message": ["W-4711", "two\nlines"],
        "requested_expiry": ["30", "0", "9" * 12],
        "acr_values": ["aal2"],
        "authorization_details": ["[]", '[{"type": "x"}]'],
        "request": [given_tokens["id_token"]],
    }
    some = data.draw(st.sets(st.sampled_from(sorted(sound)), max_size=6))
    fields = forms({name: values for name, values in sound.items() if name not in some})
    sent = data.draw(requests("/bc-authorize", "POST", fields, {"HTTP_AUTHORIZATION": own}))
    check_client_is_told(answer(world, sent))


@examples(50)
@given(data=st.data())
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_userinfo_answers_every_token(
    world: World, given_tokens: dict[str, Any], method: str, data: st.DataObject
) -> None:
    access_token = given_tokens["access_token"]
    bearers = authorizations(
        f"Bearer {access_token}",
        f"bearer  {access_token}",
        f"Bearer {access_token[:-2]}",
        f"Bearer {given_tokens['id_token']}",
    )
    fields = forms({"access_token": [access_token, given_tokens["refresh_token"]]})
    sent = data.draw(requests("/userinfo", method, fields, {"HTTP_AUTHORIZATION": bearers}))
    check_client_is_told(answer(world, sent))
