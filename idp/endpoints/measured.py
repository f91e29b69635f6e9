"""How many requests were answered how, and how long each took, by endpoint."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from idp.endpoints.router import BELOW, ROUTES, Environ, StartResponse, WsgiApp
from idp.measures import MEASURES

API = "/api/"


def measured(app: WsgiApp) -> WsgiApp:
    """The WSGI application, watched. What was asked for is never a label itself, but for the paths
    that we know: there are as many labels as we have endpoints."""

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        endpoint = endpoint_of(environ.get("PATH_INFO", ""))

        def start(status: str, headers: list[tuple[str, str]], *problem: Any) -> Any:
            MEASURES.count("requests", endpoint, status[:3])
            return start_response(status, headers, *problem)

        try:
            return app(environ, start)
        finally:
            MEASURES.time(time.perf_counter() - began, "request", endpoint)

    return answer


def endpoint_of(path: str) -> str:
    if path in ROUTES:
        return path
    if path.startswith(API):
        return API
    return next((each for each in BELOW if path.startswith(each)), "pages")
