"""What traces tell: kinds of addresses, statements and errands, how they ended and how long they
took; whose trace is gone on with; and what a collector that is away costs, which is nothing."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from werkzeug.test import Client

from idp import traces, worker
from idp.database import Connection
from idp.directory.products import Product
from idp.endpoints.traced import traced
from idp.errors import SetupMistake
from idp.outbox import OutboxMessage
from idp.provider import provider
from idp.proxies import behind_proxies
from idp.settings import Settings
from idp.traced_stores import TracedDriver
from idp.traces import NOTHING, TRACES
from tests.world import AMARA, World

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PROXY, STRANGER = "10.0.0.1", "192.0.2.7"


@pytest.fixture
def off(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As every process begins; whatever a test begins ends with it."""
    monkeypatch.setattr(TRACES, "_provider", None)
    monkeypatch.setattr(TRACES, "_tracer", None)
    yield
    TRACES.end()


@pytest.fixture
def told(off: None) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    TRACES.begin(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture
def watched(world: World, told: InMemorySpanExporter) -> World:
    """The same database and keys, opened by a provider that traces."""
    world.held = provider(world.settings, world.clock)
    world.__post_init__()
    world.app = traced(world.app, joins=False)
    told.clear()
    return world


def names(told: InMemorySpanExporter) -> list[str]:
    return [span.name for span in told.get_finished_spans()]


def of(told: InMemorySpanExporter, name: str) -> Any:
    return next(span for span in told.get_finished_spans() if span.name == name)


def test_a_request_is_a_span_by_the_kind_of_its_address_and_never_by_what_stands_in_it(
    watched: World, told: InMemorySpanExporter
) -> None:
    for path in (
        "/jwks?code=canary",
        "/manage/canary/people?q=canary",
        "/canary",
        "/token",
        "/register/canary",
        "/api/v1/tenants/canary",
    ):
        watched.get(path, Authorization="Bearer canary", **{"User-Agent": "canary"})
    Client(watched.app).open("/jwks", method="CANARY")
    roots = [span for span in told.get_finished_spans() if span.parent is None]
    assert [(s.name, (s.attributes or {})["http.response.status_code"]) for s in roots] == [
        ("GET /jwks", 200),
        ("GET /manage/<tenant>/people", 303),
        ("GET pages", 404),
        ("GET /token", 405),
        ("GET /register/", 401),
        ("GET /api/v1/tenants/<tenant>", 401),
        ("_OTHER /jwks", 405),
    ]
    assert "canary" not in "".join(span.to_json().lower() for span in told.get_finished_spans())


def test_a_request_has_its_statements_and_its_password_in_it_without_a_value(
    watched: World, told: InMemorySpanExporter
) -> None:
    watched.browser().tokens(AMARA)
    signed_in = of(told, "POST /login/password")
    inside = [s for s in told.get_finished_spans() if s.parent == signed_in.context]
    assert {"argon2", "BEGIN", "COMMIT"} <= {span.name for span in inside}
    texts = [str((s.attributes or {}).get("db.query.text")) for s in told.get_finished_spans()]
    assert any("FROM passwords" in text or "JOIN passwords" in text for text in texts)
    assert any(" = ?" in text for text in texts)
    assert not any(AMARA in text for text in texts)
    ids = {(s.attributes or {}).get("latchkey.request_id") for s in told.get_finished_spans()}
    written = watched.run("SELECT request_id FROM audit_events WHERE request_id != ''")
    assert written
    assert {row[0] for row in written} <= ids


def test_what_goes_by_the_engine_and_by_a_session_is_told_too(
    watched: World, told: InMemorySpanExporter
) -> None:
    database = watched.held.database
    with TRACES.errand("by a session", {}), database.session() as rows:
        rows.execute(sa.select(Product.key)).all()
        Connection.of(database, rows).rows(sa.select(OutboxMessage.id))
    assert {"SELECT products", "SELECT outbox"} <= set(names(told))


def test_an_exception_is_told_by_its_kind_and_never_by_its_words(
    told: InMemorySpanExporter,
) -> None:
    with pytest.raises(ValueError, match="canary"), TRACES.errand("fails", {}):
        raise ValueError("canary")
    (span,) = told.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "ValueError"
    assert "canary" not in span.to_json()


def test_an_answer_that_is_our_fault_is_one(told: InMemorySpanExporter) -> None:
    def broken(environ: Any, start_response: Any) -> list[bytes]:
        start_response("503 Service Unavailable", [])
        return []

    Client(traced(broken, joins=False)).get("/jwks")
    (span,) = told.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "503"
    assert span.status.status_code.name == "ERROR"


@pytest.mark.parametrize(
    ("joins", "address", "parent", "is_joined"),
    [
        (True, PROXY, PARENT, True),
        (True, STRANGER, PARENT, False),
        (True, PROXY, "canary", False),
        (True, PROXY, None, False),
        (False, PROXY, PARENT, False),
    ],
)
def test_a_trace_goes_on_from_a_trusted_proxy_where_that_is_set_and_else_begins_anew(
    world: World,
    told: InMemorySpanExporter,
    joins: bool,
    address: str,
    parent: str | None,
    is_joined: bool,
) -> None:
    app = behind_proxies(traced(world.app, joins), PROXY, ("traceparent",))
    headers = {"traceparent": parent, "tracestate": "x=canary"} if parent else {}
    Client(app).get("/jwks", headers=headers, environ_base={"REMOTE_ADDR": address})
    (span,) = told.get_finished_spans()
    assert (format(span.context.trace_id, "032x") == TRACE) == is_joined
    assert (span.parent is not None) == is_joined
    assert "canary" not in span.to_json()


def test_looking_for_work_is_no_trace_and_each_errand_is_one(
    watched: World, told: InMemorySpanExporter
) -> None:
    worker.import_people(watched.held)
    assert names(told) == []
    worker.sweep(watched.held)
    roots = [span.name for span in told.get_finished_spans() if span.parent is None]
    assert roots == [errand.__name__.strip("_") for errand in worker.ERRANDS]
    assert len(names(told)) > len(roots)


def test_where_nobody_traces_nothing_stands_in_the_way(off: None, world: World) -> None:
    held = provider(world.settings, world.clock)
    lanes = held.database.lanes
    assert lanes.take.__func__ is type(lanes).take  # type: ignore[attr-defined]
    assert not isinstance(lanes.take(True), TracedDriver)
    assert TRACES.part("anything", {}) is NOTHING
    assert TRACES.errand("anything", {}) is NOTHING
    assert TRACES.current_id() == ""
    held.database.close()


def test_a_collector_that_hangs_slows_no_request_and_no_stop(
    off: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections and says nothing; what waits for it is bounded."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        monkeypatch.setattr(traces, "FLUSH_SECONDS", 0.1)
        TRACES.begin()
        browser = Client(traced(world.app, joins=False))
        began = time.perf_counter()
        for _ in range(300):
            assert browser.get("/jwks").status_code == 200
        assert time.perf_counter() - began < 2
        began = time.perf_counter()
        TRACES.end()
        assert time.perf_counter() - began < 1


def test_without_the_libraries_a_start_says_what_to_install(
    off: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SetupMistake, match=r"pip install 'latchkey\[traces\]'"):
        traces.check()


def test_settings_of_traces_that_make_no_sense_are_refused() -> None:
    for word in ("1", "joined"):
        with pytest.raises(SetupMistake, match="LATCHKEY_TRACES"):
            Settings(traces=word)
