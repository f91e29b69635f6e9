"""What we send to products: one answer's status, in bounded time, and nothing followed."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from idp.outgoing import Unreachable, post_form

HERE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
FIELDS = {"logout_token": "a.b.c"}
FOR_EVER = 15.0  # seconds: of a deadline of 0.3, however busy the machine


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
        assert post_form(uri, FIELDS, HERE) == 204
    assert heard[0].startswith(b"POST /logout?x=1 HTTP/1.1")
    assert b"logout_token=a.b.c" in heard[0]


def test_a_redirect_is_not_followed() -> None:
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with product(saying(elsewhere)) as (uri, _):
        assert post_form(uri, FIELDS, HERE) == 302


def test_a_product_that_drips_is_cut_off() -> None:
    with product(drip) as (uri, _), pytest.raises(Unreachable):
        post_form(uri, FIELDS, HERE, deadline=0.2)


@pytest.mark.parametrize("garbage", [b"", b"\x00\x01\x02", b"HTTP/9.9 ok\r\n\r\n", b"SSH-2.0\r\n"])
def test_garbage_is_no_answer(garbage: bytes) -> None:
    with product(saying(garbage)) as (uri, _), pytest.raises(Unreachable):
        post_form(uri, FIELDS, HERE)


def test_nobody_there_is_told_apart_from_a_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable):
        post_form(f"http://127.0.0.1:{port}/", FIELDS, HERE)


def test_all_addresses_of_a_product_together_have_one_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None of them answers, and there are a hundred."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as kept:
        address = server.getsockname()
        for _ in range(3):  # whoever comes after these is left to wait by the kernel
            filler = kept.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address)] * 100
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert_unreachable_within(0.3)


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        assert may_answer.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    assert_unreachable_within(0.3)
    may_answer.set()


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x03"])
def test_a_handshake_that_never_ends_is_cut_off(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=shake_forever, args=(server, said))
        thread.start()
        started = time.monotonic()
        with pytest.raises(Unreachable):
            post_form(f"https://localhost:{server.getsockname()[1]}/", FIELDS, HERE, deadline=0.3)
        assert time.monotonic() - started < FOR_EVER
        thread.join()


def shake_forever(server: socket.socket, said: bytes) -> None:
    """A byte of a TLS record now and then, until nobody listens any more."""
    connected, _ = server.accept()
    waiting = threading.Event()
    with connected:
        try:
            connected.sendall(said)
            while not waiting.wait(0.02):
                connected.sendall(b"\x00" if said else b"\x16")
        except OSError:
            return


def test_a_certificate_that_nobody_vouches_for_is_told_nothing(tmp_path: Path) -> None:
    """The name on it is right; whoever stands between us and a product could write that, too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed("localhost", tmp_path))
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=listen_by_tls, args=(server, context, heard))
        thread.start()
        with pytest.raises(Unreachable, match="SSLCertVerificationError"):
            post_form(f"https://localhost:{server.getsockname()[1]}/", FIELDS, HERE)
        thread.join()
    assert heard == []


def self_signed(name: str, folder: Path) -> Path:
    """A file with a certificate and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(called, called, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    written = folder / "certificate.pem"
    written.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
    return written


def listen_by_tls(server: socket.socket, context: ssl.SSLContext, heard: list[bytes]) -> None:
    connected, _ = server.accept()
    with suppress(OSError), context.wrap_socket(connected, server_side=True) as wrapped:
        heard.append(wrapped.recv(65536))
        wrapped.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def assert_unreachable_within(deadline: float) -> None:
    started = time.monotonic()
    with pytest.raises(Unreachable):
        post_form("http://product.example/", FIELDS, HERE, deadline=deadline)
    assert time.monotonic() - started < FOR_EVER
