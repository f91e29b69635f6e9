"""What another provider says of itself: about itself alone, and nothing less safe than it is."""

from __future__ import annotations

from typing import Any

import pytest

from idp.federation.upstream import Away, _keys, _metadata

ISSUER = "https://accounts.example"
SOUND: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": "https://tokens.example/token",
    "jwks_uri": "https://keys.example/jwks",
}


def test_its_endpoints_may_be_elsewhere():
    found = _metadata(SOUND, ISSUER)
    assert found.token_endpoint == "https://tokens.example/token"
    assert found.takes_basic
    assert not found.sends_iss


def test_it_says_which_methods_it_takes_and_whether_it_names_itself():
    more = {
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "authorization_response_iss_parameter_supported": True,
    }
    found = _metadata({**SOUND, **more}, ISSUER)
    assert (found.takes_basic, found.sends_iss) == (False, True)


@pytest.mark.parametrize("said", [None, False, 0, 1, "true", [True]])
def test_it_names_itself_where_it_says_so_by_the_word_true(said: object):
    name = "authorization_response_iss_parameter_supported"
    assert not _metadata({**SOUND, name: said}, ISSUER).sends_iss


@pytest.mark.parametrize(
    "methods", [None, [], 7, True, "none", {"none": 1}, ["client_secret_basic"]]
)
def test_the_secret_goes_into_a_header_unless_it_says_sensibly_that_it_may_not(methods: object):
    name = "token_endpoint_auth_methods_supported"
    assert _metadata({**SOUND, name: methods}, ISSUER).takes_basic
    assert not _metadata({**SOUND, name: [7, "client_secret_post"]}, ISSUER).takes_basic


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "value",
    [None, 7, "", "x", "http://keys.example/", "javascript:alert(1)", "https://", "http://["],
)
def test_an_address_that_is_less_safe_than_it_is_refused(name: str, value: object):
    with pytest.raises(Away):
        _metadata({**SOUND, name: value}, ISSUER)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "path",
    [" b", "\nb", "\r\nSet-Cookie: a=b", "\x00", "\u00e9", "#part", "\\b", '"b', "<b>", "b" * 2048],
)
def test_an_address_that_no_browser_or_server_would_read_as_it_is_written_is_refused(
    name: str, path: str
):
    with pytest.raises(Away, match="is no address"):
        _metadata({**SOUND, name: f"https://keys.example/a{path}"}, ISSUER)


def test_an_issuer_without_tls_may_have_endpoints_with_and_without_it():
    issuer = "http://localhost:9000"
    told = {**SOUND, "issuer": issuer, "jwks_uri": f"{issuer}/jwks"}
    found = _metadata(told, issuer)
    assert (found.jwks_uri, found.token_endpoint) == (told["jwks_uri"], told["token_endpoint"])


def test_an_address_may_have_a_query_and_2048_characters():
    address = "https://keys.example/a/~b;c=%20?d=e&f=".ljust(2048, "g")
    assert _metadata({**SOUND, "authorization_endpoint": address}, ISSUER)[0] == address
    with pytest.raises(Away, match="is no address"):
        _metadata({**SOUND, "authorization_endpoint": address + "g"}, ISSUER)


@pytest.mark.parametrize("issuer", [None, "", f"{ISSUER}/", "https://evil.example", ISSUER.upper()])
def test_what_is_about_another_issuer_is_refused(issuer: object):
    with pytest.raises(Away):
        _metadata({**SOUND, "issuer": issuer}, ISSUER)


@pytest.mark.parametrize("keys", [None, {}, [], "x", ["x"], [{}] * 51, [{}, None]])
def test_a_key_set_of_none_of_many_or_of_no_keys_is_refused(keys: object):
    with pytest.raises(Away):
        _keys({"keys": keys})


def test_fifty_keys_are_taken():
    assert len(_keys({"keys": [{}] * 50})) == 50
