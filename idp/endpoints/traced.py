"""A span for each request: which kind it was, how it ended, how long it took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from idp.audit import REQUEST_ID
from idp.endpoints.measured import endpoint_of
from idp.endpoints.router import Environ, StartResponse, WsgiApp
from idp.traces import TRACES

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "_OTHER"  # as OpenTelemetry calls a method that is none
REQUEST_OF_PAGES = "werkzeug.request"
TRACEPARENT = "HTTP_TRACEPARENT"


def traced(app: WsgiApp, joins: bool) -> WsgiApp:
    """The WSGI application, traced. With `joins` a request's `traceparent` is believed: whoever
    calls this sees to it that it comes from a proxy that is trusted."""

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        asked = environ.get("REQUEST_METHOD", "")
        method = asked if asked in METHODS else OTHER
        parent = environ.get(TRACEPARENT) if joins else None
        with TRACES.request(method, parent) as span:

            def start(status: str, headers: list[tuple[str, str]], *problem: Any) -> Any:
                _describe(span, method, status[:3], environ)
                return start_response(status, headers, *problem)

            return app(environ, start)

    return answer


def _describe(span: Any, method: str, status: str, environ: Environ) -> None:
    """While the request is at hand."""
    route = _route(environ)
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": int(status),
            "latchkey.request_id": environ.get(REQUEST_ID, ""),
        }
    )
    if status[0] == "5":
        TRACES.tell_fault(span, status)


def _route(environ: Environ) -> str:
    """The address as we know it: where ids and slugs stand in a path, their names."""
    rule = getattr(environ.get(REQUEST_OF_PAGES), "url_rule", None)
    return str(rule.rule) if rule else endpoint_of(environ.get("PATH_INFO", ""))
