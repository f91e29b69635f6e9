"""What the provider that sign-in with somebody else's account is tested against may publish and
answer, when a test asks for it: nothing that anybody should wait for, follow or believe."""

from __future__ import annotations

import json
import socket
import time
from collections import deque
from contextlib import suppress
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from idp.outgoing import Answer, Unreachable, ask
from tests.federation.party import Party, sent_to
from tests.machine.processes import LOOPBACK
from tests.machine.upstream import Fault, UpstreamProvider

HERE = (ip_network("127.0.0.0/8"),)
MOST = 65_536
LONG = 20.0  # seconds: more than anything takes, however busy the machine
GIBIBYTE = 2**30
ENDPOINTS = {
    "discovery": "/.well-known/openid-configuration",
    "jwks": "/jwks",
    "token": "/token",
    "userinfo": "/userinfo",
}


def fetched(upstream: UpstreamProvider, endpoint: str, deadline: float = LONG) -> Answer:
    form = {"grant_type": "authorization_code"} if endpoint == "token" else None
    url = upstream.issuer + ENDPOINTS[endpoint]
    return ask(url, HERE, form, most=MOST, deadline=deadline)


def document(upstream: UpstreamProvider) -> dict[str, Any]:
    return dict(json.loads(fetched(upstream, "discovery").body))


def kids(upstream: UpstreamProvider) -> list[str]:
    return [key["kid"] for key in Party.get(f"{upstream.issuer}/jwks")["keys"]]


def test_discovery_may_name_another_issuer(upstream):
    right = document(upstream)
    upstream.fault = Fault.DISCOVERY_ISSUER_DIFFERS
    assert document(upstream) == {**right, "issuer": "https://elsewhere.example"}


@pytest.mark.parametrize(
    ("fault", "origin"),
    [
        (Fault.DISCOVERY_ENDPOINTS_ELSEWHERE, "https://elsewhere.example/"),
        (Fault.DISCOVERY_ENDPOINTS_WITHOUT_TLS, "http://elsewhere.example/"),
        (Fault.DISCOVERY_ENDPOINTS_INSIDE, "http://169.254.169.254/"),
    ],
)
def test_discovery_may_lead_elsewhere(upstream, fault, origin):
    upstream.fault = fault
    found = document(upstream)
    led_to = [found[name] for name in found if name.endswith(("_endpoint", "_uri"))]
    assert len(led_to) == 4
    assert all(url.startswith(origin) for url in led_to)
    assert found["issuer"] == upstream.issuer


def test_a_key_set_may_be_empty(upstream):
    upstream.fault = Fault.JWKS_EMPTY
    assert kids(upstream) == []


def test_a_key_set_may_have_ten_thousand_keys(upstream):
    upstream.fault = Fault.JWKS_TEN_THOUSAND_KEYS
    found = kids(upstream)
    assert len(set(found)) == 10_000
    assert found[-1] == upstream.keys[0].kid


def with_trouble(*troubles: str) -> list[Fault]:
    """Of every endpoint that we ask."""
    found = [f for f in Fault if f.trouble in troubles and f.part in ENDPOINTS]
    assert len(found) == len(ENDPOINTS) * len(troubles)
    return found


@pytest.mark.parametrize("fault", with_trouble("500", "400", "HTML", "garbage", "array"))
def test_an_answer_may_be_none_that_was_asked_for(upstream, fault):
    upstream.fault = fault
    answer = fetched(upstream, fault.part)
    assert answer.status == (int(fault.trouble) if fault.trouble.isdigit() else 200)
    assert answer.body[:1] == {"500": b"I", "HTML": b"<", "array": b"["}.get(fault.trouble, b"{")
    if fault.trouble in {"500", "HTML", "garbage"}:
        with pytest.raises(ValueError):  # noqa: PT011 - no JSON, or no UTF-8
            json.loads(answer.body)


@pytest.mark.parametrize("fault", with_trouble("redirect inside"))
def test_an_answer_may_lead_inside(upstream, fault):
    upstream.fault = fault
    url = upstream.issuer + ENDPOINTS[fault.part]
    method = "POST" if fault.part == "token" else "GET"
    answer = requests.request(method, url, allow_redirects=False, timeout=LONG)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("http://169.254.169.254/")


@pytest.mark.parametrize("fault", with_trouble("1 GiB"))
def test_a_huge_answer_ends_when_nobody_reads_on(upstream, fault):
    upstream.fault = fault
    answer = fetched(upstream, fault.part)
    assert (answer.status, len(answer.body)) == (200, MOST)
    assert upstream.is_quiet_within(LONG)
    assert 0 < upstream.sent[fault.part] < GIBIBYTE // 16


def test_a_huge_answer_is_huge_and_one_document(upstream):
    upstream.fault = Fault.TOKEN_HUGE
    with requests.post(f"{upstream.issuer}/token", stream=True, timeout=LONG) as answer:
        assert "Content-Length" not in answer.headers
        ends = deque(answer.iter_content(2**20), maxlen=1)
    assert ends[0].endswith(b'"}')
    assert upstream.sent["token"] > GIBIBYTE


@pytest.mark.parametrize("fault", with_trouble("drip", "hang"))
def test_an_answer_may_never_come(upstream, fault):
    upstream.fault = fault
    started = time.monotonic()
    with pytest.raises(Unreachable):
        fetched(upstream, fault.part, deadline=0.3)
    assert time.monotonic() - started >= 0.3
    assert upstream.is_quiet_within(LONG)
    if fault.trouble == "drip":
        assert 0 < upstream.sent[fault.part] < 100


@pytest.mark.parametrize("fault", with_trouble("close"))
def test_a_connection_may_be_closed_at_once(upstream, fault):
    upstream.fault = fault
    with pytest.raises(Unreachable, match="RemoteDisconnected"):
        fetched(upstream, fault.part)


def test_more_of_a_request_wakes_nobody(upstream):
    upstream.fault, before = Fault.TOKEN_HANGS, upstream.asked["token"]
    with socket.create_connection((LOOPBACK, urlsplit(upstream.issuer).port or 0)) as waiting:
        waiting.sendall(b"POST /token HTTP/1.1\r\nHost: upstream\r\nContent-Length: 8\r\n\r\n")
        while upstream.asked["token"] == before:
            upstream.is_quiet_within(0.01)
        waiting.sendall(b"code=abc")
        waiting.settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting.recv(1)


@pytest.mark.parametrize("fault", [Fault.JWKS_HANGS, Fault.JWKS_DRIPS, Fault.JWKS_HUGE])
def test_going_away_cuts_off_whoever_waits(upstream, fault):
    upstream.fault, before = fault, upstream.asked["jwks"]
    with socket.create_connection((LOOPBACK, urlsplit(upstream.issuer).port or 0)) as waiting:
        waiting.sendall(b"GET /jwks HTTP/1.1\r\nHost: upstream\r\n\r\n")
        while upstream.asked["jwks"] == before:
            upstream.is_quiet_within(0.01)
        upstream.down()
        upstream.up()
        waiting.settimeout(LONG)
        with suppress(ConnectionError):
            while waiting.recv(MOST):
                pass


def test_other_endpoints_are_sound_while_one_has_a_fault(upstream, party):
    upstream.fault = Fault.USERINFO_HANGS
    assert party.claims(party.tokens(sent_to(party.start())))["sub"] == "1001"
