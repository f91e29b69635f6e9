"""Requests to others: no redirects, no more read than was meant to be, and an end to waiting.

A name is looked up once, and only its addresses on the public internet are connected to, or in the
networks that the operator allows (security.md S71): whoever may write an address into a form makes
us ask nothing inside.
"""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from time import monotonic
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlencode, urlsplit

from idp.settings import Networks
from idp.traces import TRACES

DEADLINE = 5.0
PATIENCE = 4.0  # where somebody is kept waiting meanwhile
LARGEST = 64 * 1024
ANYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))  # for what the operator has set
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291 section 2.4, as IANA has given out so far
_NAT64 = IPv6Network("64:ff9b::/96")
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Addresses = list[tuple[int, Any]]


class Unreachable(Exception):
    """Nothing that could be an answer came in time; says what kind of trouble it was. What
    `may_have_arrived` was on its way already."""

    def __init__(self, trouble: str, *, may_have_arrived: bool) -> None:
        super().__init__(trouble)
        self.may_have_arrived = may_have_arrived


class NotAllowed(OSError):
    """All its addresses are inside."""


class Answer(NamedTuple):
    """`body` is its beginning, as much as was asked for."""

    status: int
    body: bytes


def post_form(
    uri: str, fields: dict[str, str], allowed: Networks, deadline: float = DEADLINE
) -> int:
    """The status of the answer, of which nothing else is read. Raises Unreachable."""
    return ask(uri, allowed, fields, deadline=deadline).status


def fetched(
    uri: str, allowed: Networks, headers: Mapping[str, str] = NO_HEADERS, most: int = LARGEST
) -> bytes:
    """The whole of what is at an address: `most` bytes at most, with status 200. Raises
    Unreachable."""
    answer = ask(uri, allowed, headers=headers, most=most + 1, deadline=PATIENCE)
    if answer.status != 200:
        raise Unreachable(f"status {answer.status}", may_have_arrived=True)
    if len(answer.body) > most:
        raise Unreachable(f"more than {most} bytes", may_have_arrived=True)
    return answer.body


def ask(
    uri: str,
    allowed: Networks,
    fields: dict[str, str] | None = None,
    *,
    headers: Mapping[str, str] = NO_HEADERS,
    most: int = 0,
    deadline: float = DEADLINE,
) -> Answer:
    """Post a form, or get what is there without one, and read `most` bytes of what comes back. All
    of it takes `deadline` seconds at most: the look-up of its name, however many addresses it has,
    and an answer that drips. Certificates are verified. Beside the internet, the `allowed` networks
    are reached. Raises Unreachable."""
    parts, until = urlsplit(uri), monotonic() + deadline
    method = "GET" if fields is None else "POST"
    told = {"http.request.method": method, "server.address": parts.hostname or ""}
    with TRACES.part(method, told) as span:
        answer = _asked(parts, allowed, fields, headers, most, until)
        if span:
            span.set_attribute("http.response.status_code", answer.status)
    return answer


def _asked(
    parts: SplitResult,
    allowed: Networks,
    fields: dict[str, str] | None,
    headers: Mapping[str, str],
    most: int,
    until: float,
) -> Answer:
    is_https, is_sent = parts.scheme == "https", False
    try:
        host, port = parts.hostname or "", parts.port or (443 if is_https else 80)
        connected = _connected(host, port, allowed, until)
        if is_https:
            connected = _with_tls(connected, host)
        with _cut_off(connected, until) as is_late:
            if isinstance(connected, ssl.SSLSocket):
                connected.do_handshake()
            target = f"{parts.path or '/'}?{parts.query}".rstrip("?")
            connection = http.client.HTTPConnection(parts.netloc.rpartition("@")[2])
            connection.sock, is_sent = connected, True
            _send(connection, target, fields, headers)
            answered = connection.getresponse()
            answer = Answer(answered.status, _beginning(answered, most) if most else b"")
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise Unreachable(type(problem).__name__, may_have_arrived=is_sent) from problem
    if is_late.is_set():
        raise Unreachable("TooSlow", may_have_arrived=is_sent)
    return answer


def _send(
    connection: http.client.HTTPConnection,
    target: str,
    fields: dict[str, str] | None,
    headers: Mapping[str, str],
) -> None:
    if fields is None:
        connection.request("GET", target, headers=headers)
    else:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", target, urlencode(fields), {**headers, **form})


def _beginning(answered: http.client.HTTPResponse, most: int) -> bytes:
    """Into room for so much. `HTTPResponse.read` takes whatever comes into memory where it is told
    of a chunk of -1 bytes, for as long as it comes."""
    room = bytearray(most)
    return bytes(room[: answered.readinto(room)])


def _connected(host: str, port: int, allowed: Networks, until: float) -> socket.socket:
    """To the first of its addresses that takes us, of those where we may go."""
    trouble: OSError = NotAllowed()
    for family, address in _looked_up(host, port, until):
        if not _may_be_reached(address[0], allowed):
            continue
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(_left(until))
            connection.connect(address)
        except OSError as problem:
            connection.close()
            trouble = problem
        else:
            return connection
    raise trouble


def _may_be_reached(address: str, allowed: Networks) -> bool:
    """Also an address that only carries one of the fourth version inside of it leads there."""
    carrier = ip_address(address.partition("%")[0])
    return all(
        _is_public(each) or any(each in network for network in allowed) for each in _ends(carrier)
    )


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Of the sixth version there are more ways inside than `is_global` knows: site-local addresses,
    and prefixes that carry one of the fourth. The internet has all of its own in one prefix."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return address in _NAT64
    return address.is_global and not address.is_multicast


def _ends(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    carried = [address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        carried.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [address, *(each for each in carried if each is not None)]


def _looked_up(host: str, port: int, until: float) -> Addresses:
    """By a thread of its own: a resolver can't be told to hurry, but it can be left behind."""
    answers: queue.Queue[Addresses | OSError | ValueError] = queue.Queue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([(family, address) for family, _, _, _, address in found])
        except (OSError, ValueError) as problem:
            answers.put(problem)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = answers.get(timeout=_left(until))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _left(until: float) -> float:
    """Seconds. Raises TimeoutError when there are none."""
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _with_tls(connected: socket.socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    try:
        return context.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
    except BaseException:
        connected.close()
        raise


@contextmanager
def _cut_off(connected: socket.socket, until: float) -> Iterator[threading.Event]:
    """Whoever reads or writes is woken at `until`, however lively it is; the event says that it was
    so. Closed at the end."""
    is_late = threading.Event()

    def cut() -> None:
        is_late.set()
        with suppress(OSError):
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    watchdog = threading.Timer(max(0.0, until - monotonic()), cut)
    watchdog.start()
    try:
        yield is_late
    finally:
        watchdog.cancel()
        connected.close()
