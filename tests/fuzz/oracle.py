"""What every answer must be, whatever was asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import structlog

from idp.database import Base
from tests.fuzz.wire import SCRIPT, Got, Sent, send
from tests.security.protocol import DESCRIPTION
from tests.world import World

PASSING = {"audit_chains", "audit_events", "ephemeral_values", "attempt_limits"}
ERROR_CODES = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "invalid_token",
    "insufficient_scope",
    "unauthorized_client",
    "unsupported_grant_type",
}
ONLY_STATUS = {204, 405}


def rows(world: World, besides: Iterable[str]) -> dict[str, int]:
    """How many rows each table has, of those where a refused request may leave nothing."""
    tables = sorted(set(Base.metadata.tables) - PASSING - set(besides))
    counts = ", ".join(f"(SELECT count(*) FROM {name})" for name in tables)
    [found] = world.run(f"SELECT {counts}")
    return dict(zip(tables, found, strict=True))


def answer(world: World, sent: Sent, besides: Iterable[str] = ()) -> Got:
    """Send it. A refusal must have written nothing but what is passing, and `besides`."""
    before = rows(world, besides)
    with structlog.testing.capture_logs() as logged:
        got = send(world.app, sent)
    assert [entry for entry in logged if entry["log_level"] not in ("info", "debug")] == []
    assert got.status < 500
    if not is_success(got):
        assert rows(world, besides) == before
    check_headers(got)
    return got


def is_success(got: Got) -> bool:
    return got.status == 200 or "code=" in got.header("Location")


def check_headers(got: Got) -> None:
    for name, value in got.headers:
        assert not re.search(r"[\r\n\0]", name + value)
        value.encode("latin-1")
    assert got.header("X-Content-Type-Options") == "nosniff"
    assert "Set-Cookie: a=b" not in str(got.headers)


def check_client_is_told(got: Got) -> None:
    """RFC 6749 section 5.2, RFC 6750 section 3.1: JSON with a code that clients know."""
    if got.status in ONLY_STATUS:
        assert got.body == b""
        return
    if got.status == 200:
        return
    assert got.status in (400, 401, 403, 411, 413, 414, 431)
    assert got.header("Content-Type") == "application/json"
    assert got.header("Cache-Control") == "no-store"
    told = json.loads(got.body)
    assert set(told) <= {"error", "error_description"}
    assert got.status == 401 or told
    assert told.get("error", "invalid_client") in ERROR_CODES
    assert DESCRIPTION.fullmatch(told.get("error_description", ""))
    assert got.status != 401 or got.header("WWW-Authenticate")


def check_person_is_told(world: World, got: Got) -> None:
    """A page of ours, or a redirect to ourselves or to where a client has registered."""
    if 300 <= got.status < 400:
        assert got.status == 303
        check_goes_where_it_may(world, got.header("Location"))
        return
    if got.status in ONLY_STATUS and not got.body:
        return
    kind = got.header("Content-Type")
    if kind == "application/json":
        assert got.status in (413, 414, 431)
        return
    assert kind == "text/html; charset=utf-8"
    page = got.body.decode()
    assert SCRIPT not in page
    for action in re.findall(r'<form[^>]*action="([^"]*)"', page):
        check_goes_where_it_may(world, action)


def check_goes_where_it_may(world: World, location: str) -> None:
    parts = urlsplit(location)
    if not parts.scheme and not parts.netloc:
        assert re.match(r"/(?![/\\])", location)
        return
    address = parts._replace(query="", fragment="").geturl()
    assert address in registered(world)


def registered(world: World) -> set[str]:
    clients = world.held.catalog.current(world.clock()).clients.values()
    return {
        uri
        for client in clients
        for uri in (*client.redirect_uris, *client.post_logout_redirect_uris)
    }
