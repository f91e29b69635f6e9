"""The proxies in front of us, and what is believed of what they tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from granian.utils.proxies import wrap_wsgi_with_proxy_headers

from idp.audit import REQUEST_ID
from idp.endpoints.router import Environ, StartResponse, WsgiApp

_REQUEST_ID = re.compile(r"[A-Za-z0-9._=:/+-]{8,128}", re.ASCII)


def behind_proxies(app: WsgiApp, trusted: str, told: Iterable[str] = ()) -> WsgiApp:
    """The client's address, and the headers `told`, as the named proxies tell them; from anybody
    else such headers are ignored (security.md S43). Our own addresses come from the issuer
    alone."""
    if not trusted:
        return app
    hosts = [host.strip() for host in trusted.split(",")]

    def with_sound_address(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not _is_address(environ.get("REMOTE_ADDR", "")):
            environ["REMOTE_ADDR"] = ""
        return app(environ, start_response)

    wrapped: WsgiApp = wrap_wsgi_with_proxy_headers(with_sound_address, trusted_hosts=hosts)
    return _without_strangers_headers(wrapped, hosts, told)


def with_request_ids(app: WsgiApp, header: str) -> WsgiApp:
    """A request is called what the proxy calls it, where that is a word of 8 to 128 letters, digits
    and marks: it goes into logs, and back in the answer. Else it is given an id here."""
    if not header:
        return app
    variable = _variable(header)

    def named(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        claimed = environ.get(variable, "")
        if _REQUEST_ID.fullmatch(claimed):
            environ[REQUEST_ID] = claimed
        return app(environ, start_response)

    return named


def _variable(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"


def _without_strangers_headers(app: WsgiApp, hosts: list[str], told: Iterable[str]) -> WsgiApp:
    variables = [_variable(name) for name in told if name]

    def from_proxies_alone(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not _is_one_of(environ.get("REMOTE_ADDR", ""), hosts):
            for variable in variables:
                environ.pop(variable, None)
        return app(environ, start_response)

    return from_proxies_alone if variables else app


def _is_one_of(address: str, hosts: list[str]) -> bool:
    if not _is_address(address):
        return address in hosts
    return any(ip_address(address) in ip_network(host) for host in hosts if _is_network(host))


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
