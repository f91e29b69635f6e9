"""The WSGI callable in front of Flask: path to endpoint, refusals to answers, headers on all.

Whatever is not a protocol endpoint, and every page that an endpoint asks for, goes on to the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import structlog

from idp.audit import REQUEST_ID, Origin
from idp.endpoints import well_known
from idp.endpoints.authorize import authorize
from idp.endpoints.backchannel_authentication import backchannel_authentication
from idp.endpoints.device import device_authorization
from idp.endpoints.introspect import introspect
from idp.endpoints.messages import NO_STORE, Headers, Page, Request, Response, json_response
from idp.endpoints.par import push
from idp.endpoints.register import CONFIGURATION, configure, register
from idp.endpoints.revoke import revoke
from idp.endpoints.switcher import switcher
from idp.endpoints.token import token
from idp.endpoints.userinfo import userinfo
from idp.errors import (
    BearerRefusal,
    Failure,
    OAuthRefusal,
    PageRefusal,
    Refusal,
    StoreUnavailable,
    described,
)
from idp.logs import ANSWERING
from idp.oidc.challenges import bearer_challenge, challenges
from idp.possession import dpop_nonce
from idp.provider import Provider
from idp.secret_values import new_id
from idp.settings import HSTS, REQUEST_ID_HEADER, RETRY_AFTER

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Endpoint = Callable[[Provider, Request], Response | Page]

MAX_BODY = 64 * 1024
MAX_QUERY = 16 * 1024
MAX_HEADER = 16 * 1024
HANDED_PAGE = "latchkey.page"
STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}

EVERYBODY = "*"
OUR_CLIENTS = "clients"
NOBODY = ""
EXPOSED = ("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce")


@dataclass(frozen=True, slots=True)
class Route:
    """`cors` says whose scripts may read the answer: EVERYBODY, OUR_CLIENTS or NOBODY. Where proofs
    of possession are taken, the answer to one `gives_nonce` for the next."""

    endpoint: Endpoint
    methods: tuple[str, ...]
    cors: str
    gives_nonce: bool = False


ROUTES = {
    "/.well-known/openid-configuration": Route(well_known.discovery, ("GET", "HEAD"), EVERYBODY),
    "/.well-known/oauth-authorization-server": Route(
        well_known.discovery, ("GET", "HEAD"), EVERYBODY
    ),
    "/jwks": Route(well_known.jwks, ("GET", "HEAD"), EVERYBODY),
    "/authorize": Route(authorize, ("GET", "POST"), NOBODY),
    "/par": Route(push, ("POST",), OUR_CLIENTS, gives_nonce=True),
    "/device_authorization": Route(device_authorization, ("POST",), OUR_CLIENTS),
    "/bc-authorize": Route(backchannel_authentication, ("POST",), NOBODY),
    "/register": Route(register, ("POST",), NOBODY),
    "/token": Route(token, ("POST",), OUR_CLIENTS, gives_nonce=True),
    "/userinfo": Route(userinfo, ("GET", "POST"), OUR_CLIENTS, gives_nonce=True),
    "/switcher": Route(switcher, ("GET",), OUR_CLIENTS, gives_nonce=True),
    "/introspect": Route(introspect, ("POST",), NOBODY),
    "/revoke": Route(revoke, ("POST",), OUR_CLIENTS),
}
BELOW = {CONFIGURATION: Route(configure, ("GET", "PUT", "DELETE"), NOBODY)}

log = structlog.get_logger("endpoints")


class Router:
    """`pages` is the Flask application; it finds a Page to render in `environ[HANDED_PAGE]`."""

    def __init__(self, provider: Provider, pages: WsgiApp) -> None:
        self._provider = provider
        self._pages = pages
        self._scheme, _, self._host = provider.settings.issuer.partition("://")
        hsts = ("Strict-Transport-Security", HSTS)
        self._headers: Headers = (
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            *((hsts,) if provider.settings.is_https else ()),
        )

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        ANSWERING.request_id = environ[REQUEST_ID] = environ.get(REQUEST_ID) or new_id()
        # What a request claims to have reached decides nothing, and may be no host at all.
        environ["HTTP_HOST"], environ["wsgi.url_scheme"] = self._host, self._scheme
        path = environ.get("PATH_INFO", "")
        route = ROUTES.get(path) or _route_below(path)
        is_for_people = route is None or route.endpoint is authorize
        refusal = _unreadable(environ) if is_for_people else None
        if refusal:
            return self._pages(_without_what_is_refused(environ, refusal), start_response)
        if route is None:
            return self._pages(environ, start_response)
        answer = self._answer(route, environ)
        if isinstance(answer, Page):
            environ[HANDED_PAGE] = answer
            return self._pages(environ, start_response)
        headers = [*answer.headers, *self._headers, *self._cors(route, environ)]
        if route.gives_nonce and "HTTP_DPOP" in environ:
            headers.append(dpop_nonce(self._provider))
        headers.append((REQUEST_ID_HEADER, environ[REQUEST_ID]))
        headers.append(("Content-Length", str(len(answer.body))))
        start_response(STATUS_LINES[answer.status], headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _answer(self, route: Route, environ: Environ) -> Response | Page:
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS" and route.cors:
            return Response(204, ())
        if method not in route.methods:
            return Response(405, (("Allow", ", ".join(route.methods)), *NO_STORE))
        try:
            return route.endpoint(self._provider, _request(environ))
        except Refusal as refusal:
            path = environ["PATH_INFO"]
            log.info("refused", path=path, code=refusal.code, why=refusal.detail)
            return _refused(route, refusal, environ)
        except Exception:
            log.exception("failed", path=environ["PATH_INFO"])
            return _refused(route, Failure(), environ)

    def _cors(self, route: Route, environ: Environ) -> Headers:
        """An origin is named only where it belongs to a registered browser client, and never with
        credentials (security.md S69)."""
        origin = environ.get("HTTP_ORIGIN")
        if route.cors == NOBODY:
            return ()
        if route.cors == EVERYBODY:
            return (("Access-Control-Allow-Origin", "*"),)
        vary = ("Vary", "Origin")
        if not origin or origin not in self._known_origins():
            return (vary,)
        allowed = (("Access-Control-Allow-Origin", origin), vary)
        if environ["REQUEST_METHOD"] != "OPTIONS":
            return (*allowed, EXPOSED)
        return (
            *allowed,
            ("Access-Control-Allow-Methods", ", ".join(route.methods)),
            ("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP"),
            ("Access-Control-Max-Age", "600"),
        )

    def _known_origins(self) -> frozenset[str]:
        try:
            return self._provider.catalog.current(self._provider.clock()).web_origins
        except StoreUnavailable:
            return frozenset()


def _route_below(path: str) -> Route | None:
    return next((route for beginning, route in BELOW.items() if path.startswith(beginning)), None)


class TooLarge(OAuthRefusal):
    """More than we read: `status` is 413, 414 or 431."""

    def __init__(self, status: int) -> None:
        super().__init__("invalid_request", "The request is larger than we read.", status=status)


def _unreadable(environ: Environ) -> PageRefusal | None:
    """What a page would stumble over or be kept busy by: a body of no known length, a query of
    other characters than ASCII (RFC 3986 section 3.4), and more than we read (security.md S74)."""
    if _has_no_length(environ):
        return PageRefusal("invalid_request", "The request can't be read.", "no length", 411)
    query = environ.get("QUERY_STRING", "")
    if not query.isascii():
        return PageRefusal("invalid_request", "The request can't be read.", "query: not ASCII")
    if len(query) > MAX_QUERY:
        return _too_large("query", 414)
    if sum(len(value) for name, value in environ.items() if name[:5] == "HTTP_") > MAX_HEADER:
        return _too_large("headers", 431)
    return None


def _has_no_length(environ: Environ) -> bool:
    """The server gives what came of such a body, whether its end came or not, and a part must not
    be taken for the whole (RFC 9112 section 8)."""
    return "HTTP_TRANSFER_ENCODING" in environ


def _too_large(what: str, status: int) -> PageRefusal:
    return PageRefusal("invalid_request", "The request is larger than we read.", what, status)


def _without_what_is_refused(environ: Environ, refusal: PageRefusal) -> Environ:
    values = {"refusal": refusal, "request_id": environ[REQUEST_ID]}
    sound = {n: v for n, v in environ.items() if n[:5] != "HTTP_" or n == "HTTP_HOST"}
    page = Page("error.html", values, refusal.status)
    method = "HEAD" if environ["REQUEST_METHOD"] == "HEAD" else "GET"
    return {**sound, "REQUEST_METHOD": method, "QUERY_STRING": "", HANDED_PAGE: page}


def _request(environ: Environ) -> Request:
    query = environ.get("QUERY_STRING", "")
    if len(query) > MAX_QUERY:
        raise TooLarge(414)
    headers = {_header_name(name): value for name, value in environ.items() if name[:5] == "HTTP_"}
    if sum(map(len, headers.values())) > MAX_HEADER:
        raise TooLarge(431)
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query=query,
        headers=headers,
        body=_body(environ),
        origin=Origin(
            environ.get("REMOTE_ADDR", ""), environ[REQUEST_ID], headers.get("user-agent", "")
        ),
    )


@lru_cache(maxsize=256)
def _header_name(variable: str) -> str:
    return variable[5:].replace("_", "-").lower()


def _body(environ: Environ) -> bytes:
    if environ["REQUEST_METHOD"] not in ("POST", "PUT"):
        return b""
    if _has_no_length(environ):
        raise OAuthRefusal("invalid_request", "The request can't be read.", "no length", 411)
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
        raise TooLarge(413)
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


def _refused(route: Route, refusal: Refusal, environ: Environ) -> Response | Page:
    """A page for people, JSON for clients."""
    away = (RETRY_AFTER,) if refusal.status == 503 else ()
    if isinstance(refusal, PageRefusal) or route.endpoint is authorize:
        values = {"refusal": refusal, "request_id": environ[REQUEST_ID]}
        return Page("error.html", values, refusal.status, (*NO_STORE, *away))
    challenge = _challenge(route, refusal, environ.get("HTTP_AUTHORIZATION", ""))
    error = {"error": refusal.code, "error_description": described(refusal.public_message)}
    body = error if refusal.code else {}
    return json_response(body, refusal.status, (*NO_STORE, *away, *challenge))


def _challenge(route: Route, refusal: Refusal, authorization: str) -> Headers:
    if isinstance(refusal, BearerRefusal):
        if not route.gives_nonce:
            return (bearer_challenge(error=refusal.code),)
        return challenges(authorization, error=refusal.code)
    if isinstance(refusal, OAuthRefusal) and refusal.status == 401:
        return (("WWW-Authenticate", 'Basic realm="latchkey"'),)
    return ()
