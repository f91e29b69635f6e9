"""S71: what others write into a form makes us connect to nothing inside, however it is written."""

from __future__ import annotations

import socket
import tracemalloc
from ipaddress import ip_network
from threading import Thread
from typing import Any

import pytest

from idp.errors import SetupMistake
from idp.outgoing import Answer, Unreachable, ask, post_form
from idp.settings import Networks, Settings

INSIDE = [
    *("127.0.0.1", "127.8.9.10", "10.1.2.3", "172.16.0.1", "172.31.255.254", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1"),
    *("192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("2002:7f00:1::", "2002:a00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("2001:0:4136:e378:8000:63bf:f5ff:fffe", "2001:db8::1"),
    *("fec0::1", "::7f00:1", "::ffff:0:a9fe:a9fe", "64:ff9b:1::a00:1", "5f00::1"),
]
OUTSIDE = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
SPELLINGS = ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]", "0"]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Where we tried to connect; nobody answers."""
    tried: list[Any] = []

    def connect(_self: socket.socket, address: Any) -> None:
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Any name; which names were looked up."""
    asked: list[str] = []
    families = {False: socket.AF_INET, True: socket.AF_INET6}

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(families[":" in each], 0, 0, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize("address", INSIDE)
def test_sec_71_a_name_that_leads_inside_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, connections: list[Any], address: str
):
    resolves_to(monkeypatch, address)
    with pytest.raises(Unreachable, match="NotAllowed") as refused:
        ask("https://evil.example/jwks", ())
    assert connections == []
    assert not refused.value.may_have_arrived


@pytest.mark.parametrize("host", SPELLINGS)
def test_sec_71_no_spelling_of_an_address_inside_is_followed(connections: list[Any], host: str):
    with pytest.raises(Unreachable):
        ask(f"http://{host}:9/", ())
    assert connections == []


@pytest.mark.parametrize("address", OUTSIDE)
def test_sec_71_the_internet_is_reached(
    monkeypatch: pytest.MonkeyPatch, connections: list[Any], address: str
):
    resolves_to(monkeypatch, address)
    with pytest.raises(Unreachable, match="ConnectionRefused"):
        ask("https://good.example/", ())
    assert connections == [address]


def test_sec_71_a_name_is_looked_up_once_and_what_was_judged_is_what_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, connections: list[Any]
):
    """A second look could be told something else."""
    asked = resolves_to(monkeypatch, "10.0.0.1", "1.1.1.1", "169.254.169.254", "::1")
    with pytest.raises(Unreachable):
        ask("https://rebinding.example/", ())
    assert asked == ["rebinding.example"]
    assert connections == ["1.1.1.1"]


def test_sec_71_the_operator_allows_networks_and_no_more(
    monkeypatch: pytest.MonkeyPatch, connections: list[Any]
):
    allowed = Settings(outgoing_networks="10.20.0.0/16, fd00:1::/32").reachable_networks
    resolves_to(monkeypatch, "10.20.1.1", "10.21.1.1", "fd00:1::9", "fd00:2::9", "::ffff:10.20.9.9")
    with pytest.raises(Unreachable):
        post_form("https://product.example/", {}, allowed)
    assert connections == ["10.20.1.1", "fd00:1::9", "::ffff:10.20.9.9"]


@pytest.mark.parametrize("claimed", ["10.0.0.1/8", "loopback", "10.0.0.0/33", "::1/129"])
def test_sec_71_what_is_no_network_is_refused_at_start(claimed: str):
    with pytest.raises(SetupMistake, match="LATCHKEY_OUTGOING_NETWORKS"):
        Settings(outgoing_networks=claimed)


def test_sec_71_nothing_inside_is_allowed_unless_the_operator_says_so():
    assert Settings().reachable_networks == ()


def test_sec_71_a_redirect_leads_nowhere_and_no_more_is_read_than_was_meant_to_be():
    loopback = (ip_network("127.0.0.1/32"),)
    huge = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n" + b"x" * 1_000_000
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"http://127.0.0.1:{server.getsockname()[1]}/"
        answer = _served_once(server, huge, uri, loopback)
    assert (answer.status, len(answer.body)) == (302, 1000)


def test_sec_71_a_chunk_of_less_than_nothing_brings_no_more_than_was_meant_to_be():
    """Python's own client would read on until nothing comes any more."""
    loopback = (ip_network("127.0.0.1/32"),)
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n" + b"x" * 50_000_000
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"http://127.0.0.1:{server.getsockname()[1]}/"
        tracemalloc.start()
        with pytest.raises(Unreachable):
            _served_once(server, said, uri, loopback)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 1_000_000


def _served_once(server: socket.socket, said: bytes, uri: str, allowed: Networks) -> Answer:
    def serve() -> None:
        connected, _ = server.accept()
        with connected:
            connected.recv(65536)
            try:
                connected.sendall(said)
            except OSError:
                return

    thread = Thread(target=serve)
    thread.start()
    answer = ask(uri, allowed, most=1000)
    thread.join()
    return answer
