"""S29: a request object is fetched where the operator lets it, and from a registered address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from idp import outgoing
from idp.errors import SetupMistake
from tests.security.browsing import reopened
from tests.security.client_host import NOT_THERE, Host
from tests.security.protocol import Party, is_page_of_ours, redeem, register
from tests.security.test_sec_29_request_objects import sign_in, signed, signing
from tests.world import Visitor, World, sent_back


@pytest.fixture
def host() -> Iterator[Host]:
    with Host.running() as running:
        yield running


PATHS = ("/sound", "/sound#one", "/moved", NOT_THERE, "/large", "/binary", "/hangs", "/forged")


@pytest.fixture
def party(host: Host) -> Party:
    return signing("refers", request_uris=[host.address(path) for path in PATHS])


@pytest.fixture
def fetching(world: World, host: Host, party: Party) -> Iterator[World]:
    opened = reopened(world, replace(world.settings, fetch_request_uris=True))
    register(opened, party)
    token = signed(opened, party)
    host.bodies = {
        "/sound": token.encode() + b"\n",
        "/large": token.encode() + b"A" * 20_000,
        "/binary": b"\xff" + token.encode(),
        "/forged": signed(opened, party, aud="https://evil.example").encode(),
    }
    yield opened
    opened.held.database.close()


def bring(visitor: Visitor, party: Party, request_uri: str, **beside: str) -> TestResponse:
    fields = {"client_id": party.client_id, "request_uri": request_uri, **beside}
    return visitor.get("/authorize?" + urlencode(fields))


@pytest.mark.parametrize("fragment", ["", "#one", "#another"])
def test_a_request_may_be_fetched(fetching: World, host: Host, party: Party, fragment: str) -> None:
    """Once for a sign-in, whatever version its fragment says."""
    visitor = fetching.browser()
    sent = sign_in(visitor, bring(visitor, party, host.address("/sound") + fragment, state="x"))
    assert sent["state"] == "signed-state"
    assert redeem(fetching, party, sent["code"]).status_code == 200
    assert host.asked == ["/sound"]


def test_sec_29_none_is_fetched_unless_the_operator_lets_it(
    world: World, host: Host, party: Party
) -> None:
    register(world, party)
    beside = {"redirect_uri": party.redirect_uri}
    sent = sent_back(bring(world.browser(), party, host.address("/sound"), **beside))
    assert sent["error"] == "request_uri_not_supported"
    assert host.asked == []
    told = world.get("/.well-known/openid-configuration").json or {}
    assert told["request_uri_parameter_supported"] is False


def test_sec_29_only_what_is_registered_is_asked_for(
    fetching: World, host: Host, party: Party
) -> None:
    visitor = fetching.browser()
    told = fetching.get("/.well-known/openid-configuration").json or {}
    assert told["request_uri_parameter_supported"] is told["require_request_uri_registration"]
    sound = host.address("/sound")
    for unknown in (
        *(f"{sound}/", f"{sound}?", f"{sound}?x=1", sound.upper(), f" {sound}", f"{sound}\n"),
        *(sound.replace("127.0.0.1", "localhost"), sound.replace("http", "https")),
        *(host.address("/other"), "https://evil.example/r", "file:///etc/passwd", "urn:x", "#one"),
    ):
        answer = bring(visitor, party, unknown, redirect_uri=party.redirect_uri)
        assert sent_back(answer)["error"] == "invalid_request_uri", unknown
        assert is_page_of_ours(bring(visitor, party, unknown)), unknown
    assert host.asked == []


def test_sec_29_another_clients_address_is_not_ones_own(
    fetching: World, host: Host, party: Party
) -> None:
    other = signing("refers-not")
    register(fetching, other)
    assert is_page_of_ours(bring(fetching.browser(), other, host.address("/sound")))
    assert host.asked == []


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/moved", "invalid_request_uri"),
        (NOT_THERE, "invalid_request_uri"),
        ("/large", "invalid_request_uri"),
        ("/binary", "invalid_request_uri"),
        ("/hangs", "invalid_request_uri"),
        ("/forged", "invalid_request_object"),
    ],
)
def test_sec_71_what_is_fetched_is_small_and_soon_there_and_leads_nowhere_else(
    fetching: World,
    host: Host,
    party: Party,
    path: str,
    error: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if path == "/hangs":
        monkeypatch.setattr(outgoing, "PATIENCE", 0.2)
    beside = {"redirect_uri": party.redirect_uri}
    sent = sent_back(bring(fetching.browser(), party, host.address(path), **beside))
    assert sent["error"] == error
    assert host.asked == [path]


def test_sec_71_an_address_inside_is_not_reached(fetching: World, host: Host, party: Party) -> None:
    inside = reopened(fetching, replace(fetching.settings, outgoing_networks=""))
    assert is_page_of_ours(bring(inside.browser(), party, host.address("/sound")))
    assert host.asked == []
    inside.held.database.close()


def test_fault_12_many_clients_of_a_product_hold_no_more_threads_than_one(
    fetching: World, host: Host
) -> None:
    another = signing("another", request_uris=[host.address("/sound")])
    register(fetching, another)
    turns = fetching.held.turns
    with turns.wait_for("clients of lms"), turns.wait_for("clients of lms"):
        assert is_page_of_ours(bring(fetching.browser(), another, host.address("/sound")))
        with turns.wait_for("somebody else"):
            pass
    assert host.asked == []


def test_sec_29_a_form_makes_us_ask_nobody_yet(fetching: World, host: Host, party: Party) -> None:
    visitor = fetching.browser()
    fields = {"client_id": party.client_id, "request_uri": host.address("/sound")}
    answer = visitor.client.post("/authorize", data=fields)
    assert host.asked == []
    assert "code" in sign_in(visitor, answer)


@pytest.mark.parametrize(
    "uri",
    [
        *("http://refers.example/r", "ftp://refers.example/r", "com.example.app:/r", "/r", ""),
        *("https://a@refers.example/r", "https://refers.example/*", "https:///r"),
        *("https://refers.example/" + "r" * 500, "https://refers.example/r#\x00"),
    ],
)
def test_sec_29_where_they_are_is_an_address_of_https(world: World, uri: str) -> None:
    with pytest.raises(SetupMistake, match="request_uris"):
        register(world, signing("refers", request_uris=[uri]))
