"""One name for each request: in its answer, on the page of an error, in every line of the log and
in the audit event; a proxy's own where that is trusted."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from werkzeug.test import Client

from idp import logs
from idp.endpoints.traced import traced
from idp.errors import SetupMistake
from idp.proxies import behind_proxies, with_request_ids
from idp.settings import Settings
from idp.traces import TRACES
from tests.world import World

PROXY, STRANGER = "10.0.0.1", "192.0.2.7"
SENT = "proxys-own.0123"


def test_every_answer_tells_its_request_and_no_two_the_same(world: World) -> None:
    paths = ("/jwks", "/token", "/", "/nothing-here", "/authorize", "/api/v1/tenants", "/account")
    answers = [world.get(path) for path in paths]
    ids = [answer.headers.getlist("X-Request-ID") for answer in answers]
    assert all(len(each) == 1 and len(each[0]) == 32 for each in ids)
    assert len({each[0] for each in ids}) == len(paths)
    for place in (3, 4):
        assert f"<code>{ids[place][0]}</code>" in answers[place].text
    assert (answers[5].json or {})["request_id"] == ids[5][0]


def test_what_is_logged_and_audited_of_a_request_tells_it(world: World) -> None:
    with structlog.testing.capture_logs(processors=[logs._with_request]) as lines:
        refused = world.post("/token", world.basic("lms", "wrong"), grant_type="x")
        page = world.get("/authorize?client_id=nobody")
    ids = [each.headers["X-Request-ID"] for each in (refused, page)]
    assert [line["request_id"] for line in lines] == ids
    assert all("trace_id" not in line for line in lines)
    (row,) = world.run("SELECT request_id FROM audit_events WHERE tag = 'client.refused'")
    assert row[0] == ids[0]


def test_a_line_tells_its_trace_where_requests_are_traced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_provider", "_tracer"):
        monkeypatch.setattr(TRACES, name, None)
    told = InMemorySpanExporter()
    TRACES.begin(SimpleSpanProcessor(told))
    with structlog.testing.capture_logs(processors=[logs._with_request]) as lines:
        Client(traced(world.app, joins=False)).post("/token")
    (span,) = told.get_finished_spans()
    assert [line["trace_id"] for line in lines] == [format(span.context.trace_id, "032x")]
    TRACES.end()


@pytest.mark.parametrize(
    ("address", "sent", "is_taken"),
    [
        (PROXY, SENT, True),
        (PROXY, "f" * 128, True),
        (PROXY, "Root=1-67891233-abcdef012345678912345678", True),
        (STRANGER, SENT, False),
        (PROXY, "", False),
        (PROXY, "short", False),
        (PROXY, "f" * 129, False),
        (PROXY, "two words", False),
        (PROXY, "<b>12345678", False),
        (PROXY, "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9", False),
        (PROXY, f"{SENT},{SENT}", False),
    ],
)
def test_a_trusted_proxys_name_is_taken_if_it_is_one(
    world: World, address: str, sent: str, is_taken: bool
) -> None:
    header = "X-Request-ID"
    app = behind_proxies(with_request_ids(world.app, header), PROXY, (header,))
    environ: dict[str, Any] = {"REMOTE_ADDR": address, "HTTP_X_REQUEST_ID": sent}
    answer = Client(app).get("/nothing-here", environ_base=environ)
    told = answer.headers[header]
    assert (told == sent) == is_taken
    assert is_taken or len(told) == 32
    assert f"<code>{told}</code>" in answer.text


def test_where_no_header_is_set_none_is_taken(world: World) -> None:
    answer = Client(with_request_ids(world.app, "")).get("/jwks", headers={"X-Request-ID": SENT})
    assert answer.headers["X-Request-ID"] != SENT
    for wrong in ("X Request", "X-Request-ID:"):
        with pytest.raises(SetupMistake, match="name of a header"):
            Settings(request_id_header=wrong, trusted_proxies=PROXY)
    with pytest.raises(SetupMistake, match="LATCHKEY_TRUSTED_PROXIES"):
        Settings(request_id_header="X-Request-ID")
