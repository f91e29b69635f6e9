"""What we send to products: one answer's status, in bounded time, and nothing followed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from idp.outgoing import Unreachable, post_form

FIELDS = {"logout_token": "a.b.c"}


@contextmanager
def product(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """Something that listens on loopback, and what it was sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connected, _ = server.accept()
            with connected:
                heard.append(whole_request(connected))
                answer(connected)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/logout?x=1", heard
        thread.join()


def whole_request(connected: socket.socket) -> bytes:
    """Up to the last field that every test sends."""
    heard = b""
    while not heard.endswith(FIELDS["logout_token"].encode()):
        heard += connected.recv(65536)
    return heard


def saying(text: bytes) -> Callable[[socket.socket], None]:
    return lambda connected: connected.sendall(text)


def drip(connected: socket.socket) -> None:
    """A byte now and then, for as long as anybody listens."""
    waiting = threading.Event()
    try:
        connected.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not waiting.wait(0.02):
            connected.sendall(b"x")
    except OSError:
        return


def test_the_form_arrives_and_the_status_comes_back() -> None:
    with product(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as (uri, heard):
        assert post_form(uri, FIELDS) == 204
    assert heard[0].startswith(b"POST /logout?x=1 HTTP/1.1")
    assert b"logout_token=a.b.c" in heard[0]


def test_a_redirect_is_not_followed() -> None:
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with product(saying(elsewhere)) as (uri, _):
        assert post_form(uri, FIELDS) == 302


def test_a_product_that_drips_is_cut_off() -> None:
    with product(drip) as (uri, _), pytest.raises(Unreachable):
        post_form(uri, FIELDS, deadline=0.2)


@pytest.mark.parametrize("garbage", [b"", b"\x00\x01\x02", b"HTTP/9.9 ok\r\n\r\n", b"SSH-2.0\r\n"])
def test_garbage_is_no_answer(garbage: bytes) -> None:
    with product(saying(garbage)) as (uri, _), pytest.raises(Unreachable):
        post_form(uri, FIELDS)


def test_nobody_there_is_told_apart_from_a_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable):
        post_form(f"http://127.0.0.1:{port}/", FIELDS)
