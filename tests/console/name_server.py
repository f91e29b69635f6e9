"""A nameserver on loopback, by UDP and TCP, that says what a test tells it to."""

from __future__ import annotations

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

LOOPBACK = "127.0.0.1"
SILENT = "silent"
UDP_SIZE = 1232


@dataclass
class Zone:
    """`records` maps a name to lines such as `TXT "text"` or `CNAME other.`, or to SILENT. `asked`
    counts the questions. A name that is not here does not exist."""

    port: int = 0
    records: dict[str, list[str] | str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def answer(self, wire: bytes) -> dns.message.Message | None:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text(omit_final_dot=True)
        self.asked.append(name)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if self.records.get(name) == SILENT:
            return None
        if name not in self.records:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._add(answer, name, dns.rdatatype.to_text(query.question[0].rdtype))
        return answer

    def _add(self, answer: dns.message.Message, name: str, wanted: str) -> None:
        for line in self.records.get(name, ()):
            kind, _, text = line.partition(" ")
            if kind not in (wanted, "CNAME"):
                continue
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, text))
            if kind == "CNAME":
                self._add(answer, text.removesuffix("."), wanted)


@contextmanager
def name_server() -> Iterator[Zone]:
    zone = Zone()

    class ByUdp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, sock = self.request
            answer = zone.answer(wire)
            if answer is None:
                return
            packed = answer.to_wire(max_size=65535)
            if len(packed) > UDP_SIZE:
                answer.answer.clear()
                answer.flags |= dns.flags.TC
                packed = answer.to_wire()
            sock.sendto(packed, self.client_address)

    class ByTcp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            size = int.from_bytes(self.request.recv(2), "big")
            answer = zone.answer(self.request.recv(size))
            if answer is not None:
                packed = answer.to_wire(max_size=65535)
                self.request.sendall(len(packed).to_bytes(2, "big") + packed)

    by_tcp, by_udp = _bound(ByTcp, ByUdp)
    zone.port = by_udp.server_address[1]
    with _serving(by_udp), _serving(by_tcp):
        yield zone


def _bound(by_tcp: Any, by_udp: Any) -> tuple[Any, Any]:
    """Servers at one port of both kinds."""
    while True:
        tcp = socketserver.ThreadingTCPServer((LOOPBACK, 0), by_tcp)
        try:
            return tcp, socketserver.ThreadingUDPServer(tcp.server_address, by_udp)
        except OSError:
            tcp.server_close()


@contextmanager
def _serving(server: Any) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
