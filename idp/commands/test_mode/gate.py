"""Who may ask what: the names that a test process answers to, and whoever controls it.

Its ports are open to every page in a browser on this machine. A page of another site can have
requests sent there, and by a name that it makes lead to 127.0.0.1 (DNS rebinding) read what they
bring. So no port answers to a name that is not loopback's; and who controls holds a token, which
stands in a header that no page can send without being asked for first, and comes from no page.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import orjson

from idp.endpoints.router import Environ, StartResponse, WsgiApp
from idp.settings import LOOPBACK_HOSTS

FROM_A_PAGE = ("HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE")


class Refused(Exception):
    """By whoever is asked; `words` say why, and `more` what else there is to tell."""

    def __init__(self, status: int, words: str, **more: Any) -> None:
        super().__init__(words)
        self.status = status
        self.told = {"error": words, **more}


def by_our_names(app: WsgiApp, port: int) -> WsgiApp:
    """The provider, for those who ask for it by a name of loopback's."""

    def guarded(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            check_name(environ, port)
        except Refused as refusal:
            return answer(start_response, refusal.status, refusal.told)
        return app(environ, start_response)

    return guarded


def check_name(environ: Environ, port: int) -> None:
    """Raises Refused."""
    hosts = {f"[{host}]" if ":" in host else host for host in LOOPBACK_HOSTS}
    if environ.get("HTTP_HOST", "").lower() not in {f"{host}:{port}" for host in hosts}:
        raise Refused(421, f"This is localhost:{port}, and answers to no other name.")


def check_controller(environ: Environ, port: int, token: str) -> None:
    """Raises Refused."""
    check_name(environ, port)
    if any(name in environ for name in FROM_A_PAGE):
        raise Refused(403, "No page may control the provider: ask from a program.")
    scheme, _, claimed = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    is_held = hmac.compare_digest(claimed.strip().encode(), token.encode())
    if scheme.lower() != "bearer" or not is_held:
        raise Refused(401, "Send the control token: Authorization: Bearer <token>.")


def answer(start_response: StartResponse, status: int, told: object) -> Iterable[bytes]:
    body = orjson.dumps(told)
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        *([("WWW-Authenticate", "Bearer")] if status == 401 else []),
    ]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]
